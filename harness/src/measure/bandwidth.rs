//! How fast memory is read where a model computes.

use std::hint::black_box;
use std::thread;

use super::now_ns;

/// Bytes that are read to measure with.
pub const READ_BYTES: usize = 64 << 20;

/// Bytes that a GPU may keep nearer than its memory: no second-level cache of NVIDIA's up to Blackwell is
/// larger.
const GPU_CACHE: u64 = 128 << 20;

/// How fast memory is read, in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bandwidth {
    /// By all cores, measured, see [`read_bandwidth`].
    Measured(f64),
    /// At most, by clock and width of a GPU's memory, as NVIDIA's driver tells them.
    Rated(f64),
}

impl Bandwidth {
    /// Bytes a second, whatever is read.
    #[must_use]
    pub const fn rate(self) -> f64 {
        match self {
            Self::Measured(rate) | Self::Rated(rate) => rate,
        }
    }

    /// Bytes a second at most, where the same `bytes` are read over and over; none where a cache may keep them.
    ///
    /// What was measured holds for whoever reads more than it was measured with: as large a part of those is in
    /// a cache. Of what a GPU reads, its cache may deliver so much beside the memory.
    #[must_use]
    pub fn of_weights(self, bytes: u64) -> Option<f64> {
        match self {
            Self::Measured(rate) => (bytes > READ_BYTES as u64).then_some(rate),
            Self::Rated(rate) => {
                let from_memory = bytes
                    .checked_sub(GPU_CACHE)
                    .filter(|&rest| rest > GPU_CACHE)?;
                Some(rate * bytes as f64 / from_memory as f64)
            }
        }
    }
}

/// Bytes a second of memory whose clock is so many MHz and whose bus is so many bits wide: two transfers a
/// cycle, of the clock that NVIDIA's driver tells of GDDR and of HBM. None where it tells of none.
#[cfg(any(feature = "cuda", test))]
pub(super) fn rated_bandwidth(mhz: u32, bits: u32) -> Option<f64> {
    let rate = 2.0 * 1e6 * f64::from(mhz) * f64::from(bits) / 8.0;
    (rate > 0.0).then_some(rate)
}

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

    /// Clocks as the driver tells them, and bandwidths as NVIDIA's data sheets do.
    #[test]
    fn rated_bandwidths_are_those_of_the_data_sheets() {
        let check = |mhz, bits, published: f64| {
            let rate = rated_bandwidth(mhz, bits).unwrap();
            assert!((rate / published - 1.0).abs() < 0.03, "{rate} {published}");
        };
        check(1593, 5120, 2.039e12); // A100, 80 GB
        check(2619, 5120, 3.35e12); // H100 SXM
        check(3201, 6016, 4.8e12); // H200, as its driver 580.159 tells
        check(5001, 256, 320e9); // T4
        check(6251, 192, 300e9); // L4
        check(9751, 384, 936e9); // RTX 3090
        check(10501, 384, 1008e9); // RTX 4090
        assert_eq!(rated_bandwidth(0, 5120), None);
        assert_eq!(rated_bandwidth(2619, 0), None);
    }

    #[test]
    fn a_cache_is_no_memory() {
        let mib = |mib: u64| mib << 20;
        let check = |bandwidth: Bandwidth, bytes, expected: Option<f64>| {
            assert_eq!(bandwidth.of_weights(bytes), expected, "{bytes}");
        };
        check(Bandwidth::Measured(1e10), mib(64), None);
        check(Bandwidth::Measured(1e10), mib(65), Some(1e10));
        check(Bandwidth::Rated(3e12), mib(100), None);
        check(Bandwidth::Rated(3e12), mib(256), None);
        check(Bandwidth::Rated(3e12), mib(512), Some(4e12));
        let large = Bandwidth::Rated(3e12).of_weights(mib(14 << 10)).unwrap();
        assert!((3e12..3.03e12).contains(&large), "{large}");
    }
}
