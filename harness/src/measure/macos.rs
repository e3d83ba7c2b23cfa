//! macOS: the kernel's ledger of a process, by `proc_pid_rusage`.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::time::Duration;

use super::{Memory, UserTime};

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

pub(super) fn cpu_time(pid: u32) -> Option<Duration> {
    let usage = usage(pid)?;
    mach_time(usage.ri_user_time.checked_add(usage.ri_system_time)?)
}

/// `None` on an Intel Mac, whose cores are all of one kind.
pub(super) fn user_time(pid: u32) -> Option<UserTime> {
    if cfg!(not(target_arch = "aarch64")) {
        return None;
    }
    let usage = rusage(pid, RUSAGE_INFO_V6)?;
    Some(UserTime {
        all: mach_time(usage.v4.ri_user_time)?,
        fast: mach_time(usage.user_ptime)?,
    })
}

/// The highest footprint since the last call, or since the process started; starts anew. `None`
/// where this macOS does not let it be started anew: the figure would be of the whole life.
pub(super) fn take_peak(pid: u32) -> Option<u64> {
    let peak = usage(pid)?.ri_interval_max_phys_footprint;
    reset_peak(pid).then_some(peak)
}

/// Source: `sys/resource.h` of macOS 13 and later.
const RUSAGE_INFO_V6: c_int = 6;

/// `rusage_info_v6`, which begins with the fields of `rusage_info_v4`.
#[repr(C)]
struct Usage {
    v4: libc::rusage_info_v4,
    _flags: u64,
    /// User time on performance cores.
    user_ptime: u64,
    /// 19 fields follow at present; there is room for more.
    _rest: [u64; 64],
}

fn usage(pid: u32) -> Option<libc::rusage_info_v4> {
    Some(rusage(pid, libc::RUSAGE_INFO_V4)?.v4)
}

/// The fields up to those of the flavour, at most the sixth; the others are 0.
#[expect(
    unsafe_code,
    reason = "the only public interface to another process's footprint"
)]
fn rusage(pid: u32, flavour: c_int) -> Option<Usage> {
    let pid = c_int::try_from(pid).ok()?;
    let mut usage = MaybeUninit::<Usage>::zeroed();
    // SAFETY: the kernel writes one structure of the flavour, for which `usage` has room; despite
    // its type the last parameter is the buffer itself.
    let status = unsafe { libc::proc_pid_rusage(pid, flavour, usage.as_mut_ptr().cast()) };
    // SAFETY: all fields are integers, for which the zeroes of `zeroed` are valid values.
    (status == 0).then(|| unsafe { usage.assume_init() })
}

/// The kernel's ticks as time: of 125/3 ns on Apple silicon, of 1 ns on Intel.
#[expect(unsafe_code, reason = "no safe interface to the length of a tick")]
#[expect(deprecated, reason = "libc would have it in a crate of its own")]
fn mach_time(ticks: u64) -> Option<Duration> {
    static TIMEBASE: OnceLock<(u32, u32)> = OnceLock::new();
    let (numerator, denominator) = *TIMEBASE.get_or_init(|| {
        let mut base = libc::mach_timebase_info { numer: 0, denom: 0 };
        // SAFETY: `base` is valid and writable for the length of the call.
        unsafe { libc::mach_timebase_info(&raw mut base) };
        (base.numer, base.denom)
    });
    let ns = u128::from(ticks) * u128::from(numerator);
    let ns = ns.checked_div(u128::from(denominator))?;
    Some(Duration::from_nanos(u64::try_from(ns).ok()?))
}

/// Asks for `ri_interval_max_phys_footprint` to start anew. The function is in no header, but
/// WebKit and the kernel's own tests call it; it is looked up so that a macOS without it will do.
#[expect(unsafe_code, reason = "a function that may not be there")]
fn reset_peak(pid: u32) -> bool {
    type Reset = unsafe extern "C" fn(c_int) -> c_int;
    static RESET: OnceLock<Option<Reset>> = OnceLock::new();
    let reset = RESET.get_or_init(|| {
        let name = c"proc_reset_footprint_interval";
        // SAFETY: the name ends in a nul; nothing is loaded.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        // SAFETY: the symbol of this name is a function `int (int)`, as WebKit declares it.
        (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Reset>(found) })
    });
    let Ok(pid) = c_int::try_from(pid) else {
        return false;
    };
    // SAFETY: it takes a process id, any, and touches no memory of ours.
    reset.is_some_and(|reset| unsafe { reset(pid) } == 0)
}
