//! Clocks and per-process counters: what a parent can see of a worker, and a worker of itself.

use std::time::Duration;

mod bandwidth;
pub mod energy;
mod listener;
pub mod nvml;
pub mod qos;
#[cfg(not(target_os = "macos"))]
#[path = "linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod system;
mod watch;

pub use bandwidth::{Bandwidth, READ_BYTES, read_bandwidth};
pub use listener::{family, listener};
#[cfg(not(target_os = "macos"))]
pub(crate) use system::TICK_MS;
pub use watch::PeakWatch;

/// More than this between the two clocks means that the machine slept, in nanoseconds.
const SLEEP_NS: i128 = 1_000_000;

/// Nanoseconds of the monotonic clock that stops while the machine sleeps.
///
/// The origin is the machine's start, so that values of two processes of one boot compare: a
/// parent's `t_spawn` and its worker's `t_main` lie on the same axis.
#[must_use]
pub fn now_ns() -> u64 {
    nanoseconds(system::AWAKE_CLOCK)
}

/// Times one thing, and knows whether the machine slept meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Reading,
}

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Reading::take(),
        }
    }

    /// Time awake since the start. Sleep is not in it: see [`slept`](Self::slept).
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(now_ns().saturating_sub(self.start.awake))
    }

    /// Whether the machine slept for over a millisecond since the start; such a figure is void.
    #[must_use]
    pub fn slept(&self) -> bool {
        slept_between(self.start, Reading::take())
    }
}

/// The clock that stops in sleep, read between two readings of the clock that does not.
///
/// A thread may be put aside between two reads, so the distance of the clocks is known only as a
/// range; sleep is claimed only where the ranges of start and end prove it.
#[derive(Clone, Copy, Debug)]
struct Reading {
    before: u64,
    awake: u64,
    after: u64,
}

impl Reading {
    fn take() -> Self {
        let before = nanoseconds(system::ALWAYS_CLOCK);
        let awake = now_ns();
        Self {
            before,
            awake,
            after: nanoseconds(system::ALWAYS_CLOCK),
        }
    }
}

fn slept_between(start: Reading, end: Reading) -> bool {
    let largest_at_start = i128::from(start.after) - i128::from(start.awake);
    let smallest_at_end = i128::from(end.before) - i128::from(end.awake);
    smallest_at_end - largest_at_start > SLEEP_NS
}

/// What memory a process holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Memory that only this process accounts for, whether resident, compressed or swapped out.
    /// Clean pages of mapped files (memory-mapped weights) are not in it.
    ///
    /// macOS: `phys_footprint`. Linux: `Pss_Anon + Pss_Shmem + Swap` of `smaps_rollup`; a file on
    /// a memory file system counts as shared memory there.
    pub footprint: u64,
    /// The highest footprint that the system vouches for.
    ///
    /// macOS: the process's lifetime maximum. Linux keeps none, so this is the footprint at this
    /// call: the peak is the maximum over many calls, which [`PeakWatch`] takes.
    pub peak: u64,
    /// Resident pages of mapped files: memory-mapped weights, and the program itself. `None` where
    /// the system does not tell (macOS).
    pub mapped: Option<u64>,
    /// The highest resident size ever, mapped files included. Linux: `VmHWM`. Not comparable with
    /// [`footprint`](Self::footprint) or [`peak`](Self::peak). `None` on macOS.
    pub peak_resident: Option<u64>,
}

/// The memory of a running process of this user; `None` once it has ended or where it is hidden.
///
/// Exact, and for that Linux walks the page tables: a few milliseconds a GiB, in which the process
/// cannot map memory. Not for use inside a timed trial.
#[must_use]
pub fn memory(pid: u32) -> Option<Memory> {
    system::memory(pid)
}

/// Bytes that storage really delivered to a process: page faults on mapped files count, hits in
/// the page cache do not. `None` where the process has ended or the system hides the counter.
#[must_use]
pub fn disk_read_bytes(pid: u32) -> Option<u64> {
    system::disk_read_bytes(pid)
}

/// Time that cores worked for a process, its own and the kernel's for it. Linux counts it in steps of
/// 10 ms. `None` where the process has ended or belongs to somebody else (macOS).
#[must_use]
pub fn cpu_time(pid: u32) -> Option<Duration> {
    system::cpu_time(pid)
}

/// What kind of cores a process ran its own instructions on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserTime {
    /// On any core.
    pub all: Duration,
    /// On performance cores.
    pub fast: Duration,
}

/// [`cpu_time`] without the kernel's part, by kind of core. `None` but on Apple silicon.
#[must_use]
pub fn user_time(pid: u32) -> Option<UserTime> {
    system::user_time(pid)
}

#[expect(
    unsafe_code,
    reason = "the standard library's clocks hide their origin and their kind"
)]
fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, writable timespec for the length of the call.
    let status = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if status != 0 {
        return 0;
    }
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_and_sleeping_threads_are_not_sleeping_machines() {
        let (clock, before) = (Clock::start(), now_ns());
        std::thread::sleep(Duration::from_millis(5));
        assert!(clock.elapsed() >= Duration::from_millis(5));
        assert!(now_ns() > before);
        assert!(!clock.slept());
    }

    #[test]
    fn sleep_is_claimed_only_where_it_is_proved() {
        let reading = |before, awake, after| Reading {
            before,
            awake,
            after,
        };
        let check = |end, expected| {
            assert_eq!(
                slept_between(reading(1_000, 900, 1_010), end),
                expected,
                "{end:?}"
            );
        };
        check(reading(5_000_000, 4_999_900, 5_000_010), false);
        check(reading(7_000_000, 4_000_000, 7_000_010), true);
        // Put aside for 3 ms between the reads: the clocks may still agree.
        check(reading(5_000_000, 4_999_900, 8_000_000), false);
        check(reading(5_000_000, 7_999_900, 8_000_000), false);
    }

    #[test]
    fn a_live_process_has_memory_and_a_missing_one_none() {
        let held = std::hint::black_box(vec![7u8; 32 << 20]);
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.footprint >= held.len() as u64, "{memory:?}");
        assert!(memory.peak >= memory.footprint, "{memory:?}");
        assert_eq!(super::memory(u32::MAX), None);
        assert_eq!(disk_read_bytes(u32::MAX), None);
        assert!(cpu_time(std::process::id()).is_some());
        assert_eq!(cpu_time(u32::MAX), None);
        assert_eq!(user_time(u32::MAX), None);
        drop(held);
    }
}
