//! macOS: the kernel's ledger of a process, by `proc_pid_rusage`.

use std::mem::MaybeUninit;

use super::Memory;

/// Stops while the machine sleeps.
pub(super) const AWAKE_CLOCK: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
/// Runs on while it sleeps.
pub(super) const ALWAYS_CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;

pub(super) fn memory(pid: u32) -> Option<Memory> {
    let usage = usage(pid)?;
    Some(Memory {
        footprint: usage.ri_phys_footprint,
        peak: usage
            .ri_lifetime_max_phys_footprint
            .max(usage.ri_phys_footprint),
        mapped: None,
        peak_resident: None,
    })
}

/// The ledger is cheap to read, so the estimate is the figure itself.
pub(super) fn footprint_estimate(pid: u32) -> Option<u64> {
    Some(usage(pid)?.ri_phys_footprint)
}

pub(super) fn disk_read_bytes(pid: u32) -> Option<u64> {
    Some(usage(pid)?.ri_diskio_bytesread)
}

#[expect(
    unsafe_code,
    reason = "the only public interface to another process's footprint"
)]
fn usage(pid: u32) -> Option<libc::rusage_info_v4> {
    let pid = libc::c_int::try_from(pid).ok()?;
    let mut usage = MaybeUninit::<libc::rusage_info_v4>::zeroed();
    // SAFETY: the flavour RUSAGE_INFO_V4 makes the kernel write one rusage_info_v4, which `usage`
    // has room for; despite its type the last parameter is the buffer itself.
    let status =
        unsafe { libc::proc_pid_rusage(pid, libc::RUSAGE_INFO_V4, usage.as_mut_ptr().cast()) };
    // SAFETY: all fields are integers, for which the zeroes of `zeroed` are valid values.
    (status == 0).then(|| unsafe { usage.assume_init() })
}
