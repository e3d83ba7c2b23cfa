//! How fast this machine's memory is read.

use std::hint::black_box;
use std::thread;

use super::now_ns;

/// Bytes that are read to measure with.
pub const READ_BYTES: usize = 64 << 20;

/// How often they are read; the fastest counts, as everything else that runs only slows it down.
const READS: usize = 3;

/// Bytes a second that all cores together read, from memory or, where the last-level cache holds
/// [`READ_BYTES`], from there: an upper bound for whoever reads more than that over and over.
///
/// Takes some 50 ms and 64 MiB, given back at the end.
#[must_use]
pub fn read_bandwidth() -> f64 {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // Not zeros, which the system keeps in one page until they are written.
    let bytes = vec![1_u8; READ_BYTES];
    let (left, right) = bytes.split_at(READ_BYTES / 2);
    let fastest = (0..READS).map(|_| read(left, right, threads)).min();
    READ_BYTES as f64 / (fastest.unwrap_or(1).max(1) as f64 / 1e9)
}

/// Nanoseconds to read both halves. Equal halves are compared to the last byte, and that by the C
/// library's vector code however this program was compiled.
fn read(left: &[u8], right: &[u8], threads: usize) -> u64 {
    let share = left.len().div_ceil(threads).max(1);
    let start = now_ns();
    thread::scope(|scope| {
        for (left, right) in left.chunks(share).zip(right.chunks(share)) {
            let read = move || black_box(black_box(left) == black_box(right));
            if thread::Builder::new().spawn_scoped(scope, read).is_err() {
                read();
            }
        }
    });
    now_ns().saturating_sub(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_neither_a_disk_nor_beyond_any_machine() {
        let rate = read_bandwidth();
        assert!((1e8..1e13).contains(&rate), "{rate}");
    }
}
