//! Linux: the counters of `/proc/PID`.

use std::fs;
use std::time::Duration;

use super::{Memory, UserTime};

/// Stops while the machine is suspended.
pub(super) const AWAKE_CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
/// Runs on while it is suspended.
pub(super) const ALWAYS_CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;

/// What the kernel counts processor time in towards programs: `USER_HZ` is 100 on every
/// architecture of ours. Source: `time(7)`.
pub(crate) const TICK_MS: u64 = 10;

pub(super) fn memory(pid: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    parse_memory(&rollup, &status)
}

/// The footprint from the kernel's running counters: cheap, off by up to a few MiB on machines of
/// many cores, because each core keeps its own share of the count for a while.
pub(super) fn footprint_estimate(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    counted_footprint(&status)
}

pub(super) fn disk_read_bytes(pid: u32) -> Option<u64> {
    let counters = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    field(&counters, "read_bytes")
}

pub(super) fn cpu_time(pid: u32) -> Option<Duration> {
    parse_cpu_time(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The kernel does not tell which cores a process ran on.
pub(super) const fn user_time(_pid: u32) -> Option<UserTime> {
    None
}

/// The kernel keeps no peak of the footprint that can be reset.
pub(super) const fn take_peak(_pid: u32) -> Option<u64> {
    None
}

/// Fields 14 and 15, user and system time in ticks. The name before them may hold blanks and
/// brackets of its own. Source: `proc_pid_stat(5)`.
fn parse_cpu_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11);
    let mut next = || ticks.next()?.parse::<u64>().ok();
    let ticks = next()?.checked_add(next()?)?;
    Some(Duration::from_millis(ticks.checked_mul(TICK_MS)?))
}

/// An old kernel has no `smaps_rollup` or one without `Pss_Anon`; its status has to do.
fn parse_memory(rollup: &str, status: &str) -> Option<Memory> {
    let exact = || {
        let anonymous = kib(rollup, "Pss_Anon")?;
        let shared = kib(rollup, "Pss_Shmem").unwrap_or(0);
        Some(anonymous + shared + kib(rollup, "Swap").unwrap_or(0))
    };
    let footprint = exact().or_else(|| counted_footprint(status))?;
    Some(Memory {
        footprint,
        peak: footprint,
        mapped: kib(rollup, "Pss_File").or_else(|| kib(status, "RssFile")),
        peak_resident: kib(status, "VmHWM"),
    })
}

/// `None` for a process that has ended and waits for its parent: its status has no such lines.
fn counted_footprint(status: &str) -> Option<u64> {
    let anonymous = kib(status, "RssAnon")?;
    let shared = kib(status, "RssShmem").unwrap_or(0);
    Some(anonymous + shared + kib(status, "VmSwap").unwrap_or(0))
}

fn kib(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.checked_mul(1024)
}

/// The first number of the line `name: number [unit]`.
fn field(text: &str, name: &str) -> Option<u64> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.into_iter().find(|(key, _)| *key == name)?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tharness\nVmHWM:\t  900 kB\nVmRSS:\t  800 kB\nRssAnon:\t  300 kB\n\
                          RssFile:\t  490 kB\nRssShmem:\t   10 kB\nVmSwap:\t   50 kB\n";
    const ROLLUP: &str = "55bc-7ffd ---p 00000000 00:00 0  [rollup]\nRss: 800 kB\nPss_Anon: 310 kB\n\
                          Pss_File: 200 kB\nPss_Shmem: 5 kB\nSwap: 50 kB\nSwapPss: 50 kB\n";

    #[test]
    fn mapped_files_stay_out_of_the_footprint() {
        let memory = parse_memory(ROLLUP, STATUS).unwrap();
        assert_eq!(memory.footprint, 365 * 1024);
        assert_eq!(memory.peak, memory.footprint);
        assert_eq!(memory.mapped, Some(200 * 1024));
        assert_eq!(memory.peak_resident, Some(900 * 1024));
    }

    #[test]
    fn the_status_stands_in_for_a_missing_rollup() {
        let memory = parse_memory("", STATUS).unwrap();
        assert_eq!(memory.footprint, 360 * 1024);
        assert_eq!(memory.mapped, Some(490 * 1024));
    }

    #[test]
    fn an_ended_process_and_garbage_have_no_memory() {
        assert_eq!(
            parse_memory("", "Name:\tharness\nState:\tZ (zombie)\n"),
            None
        );
        assert_eq!(parse_memory("\u{0}::", "RssAnon: many kB\nVmHWM"), None);
        assert_eq!(parse_memory("", "RssAnon: 18446744073709551615 kB\n"), None);
    }

    #[test]
    fn read_bytes_is_not_taken_for_another_counter() {
        let counters = "rchar: 6976\ncancelled_read_bytes: 9\nread_bytes: 4096\nwrite_bytes: 0\n";
        assert_eq!(field(counters, "read_bytes"), Some(4096));
    }

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let check = |text: &str, expected: Option<u64>| {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(parse_cpu_time(text), expected, "{text}");
        };
        let fields = "S 1 2 2 0 -1 4194304 102 0 0 0 150 7 0 0 20 0 9 0 4048938";
        check(&format!("17 (harness) {fields}"), Some(1570));
        check(&format!("17 (a) b (c d) {fields}"), Some(1570));
        check("17 (harness) S 1 2", None);
        check("17 (x) S 1 2 2 0 -1 4 1 0 0 0 18446744073709551615 7", None);
        check("", None);
    }
}
