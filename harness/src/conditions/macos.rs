//! macOS: `sysctl`, the kernel's statistics, a notification's state, and two frameworks.

use std::ffi::{c_char, c_int};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use objc2_foundation::{NSProcessInfo, NSProcessInfoThermalState};

use super::busiest::parse_ps;
use super::{CoreTime, Power, Pressure, State, Thermal, User};
use crate::machine::macos::{CFEqual, CFRelease, CfRef, CfString, number, value};

pub(super) fn core_time() -> Option<CoreTime> {
    // User, system, idle, nice: `CPU_STATE_*` of `mach/machine.h`.
    let [user, system, idle, nice] = statistics::cpu_ticks()?.map(u64::from);
    // The kernel counts in hundredths of a second.
    let time = |ticks| Duration::from_millis(ticks * 10);
    Some(CoreTime {
        all: time(user + system + idle + nice),
        busy: time(user + system + nice),
    })
}

/// Pages in and out.
pub(super) fn swapped() -> (Option<u64>, Option<u64>) {
    let memory = statistics::memory();
    (
        memory.map(|memory| memory.swapins),
        memory.map(|memory| memory.swapouts),
    )
}

pub(super) fn state() -> State {
    let info = NSProcessInfo::processInfo();
    State {
        thermal: thermal_pressure().or_else(|| thermal_state(info.thermalState())),
        throttled: None,
        pressure: number(c"kern.memorystatus_vm_pressure_level").and_then(pressure_of),
        available: available(),
        swap_used: swap_used(),
        power: power(),
        low_power_mode: Some(info.isLowPowerModeEnabled()),
    }
}

/// The kernel does not name it.
pub(super) const fn clock_source() -> Option<String> {
    None
}

/// `ps` alone may look at everybody's processes without being root.
pub(super) fn users(span: Duration) -> Vec<User> {
    std::thread::sleep(span);
    let mut ps = Command::new("/bin/ps");
    ps.args(["-Axo", "pid=,pcpu=,comm="]).env("LC_ALL", "C");
    let text = ps.output().map(|output| output.stdout).unwrap_or_default();
    parse_ps(&String::from_utf8_lossy(&text))
}

/// Source: `DISPATCH_MEMORYPRESSURE_*` of `dispatch/source.h`.
const fn pressure_of(level: u64) -> Option<Pressure> {
    match level {
        1 => Some(Pressure::Normal),
        2 => Some(Pressure::Warn),
        4 => Some(Pressure::Critical),
        _ => None,
    }
}

/// Free pages, and those that the system would take back first.
fn available() -> Option<u64> {
    let memory = statistics::memory()?;
    let pages = u64::from(memory.free_count) + u64::from(memory.inactive_count);
    pages.checked_mul(number(c"hw.pagesize")?)
}

/// `xsu_used`, the third number of `struct xsw_usage`.
fn swap_used() -> Option<u64> {
    let usage = value(c"vm.swapusage")?;
    let used = usage.get(16..24)?.try_into().ok()?;
    Some(u64::from_ne_bytes(used))
}

/// Coarser and later than the pressure.
fn thermal_state(state: NSProcessInfoThermalState) -> Option<Thermal> {
    match state {
        NSProcessInfoThermalState::Nominal => Some(Thermal::Nominal),
        NSProcessInfoThermalState::Fair => Some(Thermal::Moderate),
        NSProcessInfoThermalState::Serious => Some(Thermal::Heavy),
        NSProcessInfoThermalState::Critical => Some(Thermal::Critical),
        _ => None,
    }
}

#[expect(unsafe_code, reason = "functions of the system's library")]
unsafe extern "C" {
    fn notify_register_check(name: *const c_char, token: *mut c_int) -> u32;
    fn notify_get_state(token: c_int, state: *mut u64) -> u32;
}

/// Source: `libkern/OSThermalNotification.h`; trapping and sleeping are one to us.
#[expect(unsafe_code, reason = "no safe interface to notifications")]
fn thermal_pressure() -> Option<Thermal> {
    static TOKEN: OnceLock<Option<c_int>> = OnceLock::new();
    let token = TOKEN.get_or_init(|| {
        let name = c"com.apple.system.thermalpressurelevel";
        let mut token = 0;
        // SAFETY: the name ends in a nul, and the token is writable.
        let status = unsafe { notify_register_check(name.as_ptr(), &raw mut token) };
        (status == 0).then_some(token)
    });
    let mut level = 0;
    // SAFETY: the token was registered and never given back, and the state is writable.
    let status = unsafe { notify_get_state((*token)?, &raw mut level) };
    match level {
        _ if status != 0 => None,
        0 => Some(Thermal::Nominal),
        1 => Some(Thermal::Moderate),
        2 => Some(Thermal::Heavy),
        3 | 4 => Some(Thermal::Critical),
        _ => None,
    }
}

#[expect(unsafe_code, reason = "declarations of a system framework")]
#[link(name = "IOKit", kind = "framework")]
unsafe extern "C" {
    fn IOPSCopyPowerSourcesInfo() -> CfRef;
    fn IOPSGetProvidingPowerSourceType(snapshot: CfRef) -> CfRef;
}

/// Source: `IOKit/ps/IOPSKeys.h`, `kIOPMACPowerKey` and its sisters.
#[expect(unsafe_code, reason = "no safe interface to power sources")]
pub(super) fn power() -> Option<Power> {
    let known = [
        (c"AC Power", Power::Ac),
        (c"Battery Power", Power::Battery),
        (c"UPS Power", Power::Battery),
    ];
    // SAFETY: it takes nothing and returns an object of ours, or null.
    let snapshot = unsafe { IOPSCopyPowerSourcesInfo() };
    if snapshot.is_null() {
        return None;
    }
    // SAFETY: the snapshot is alive, and so is the text in it until the snapshot is released, once,
    // after the last look at it.
    unsafe {
        let kind = IOPSGetProvidingPowerSourceType(snapshot);
        let is = |name| CfString::new(name).is_some_and(|name| CFEqual(kind, name.get()) != 0);
        let found = known
            .into_iter()
            .find(|&(name, _)| !kind.is_null() && is(name));
        CFRelease(snapshot);
        found.map(|(_, power)| power)
    }
}

/// What the kernel counts for the whole machine.
#[expect(unsafe_code, reason = "no safe interface to the kernel's statistics")]
mod statistics {
    use std::mem::MaybeUninit;

    use libc::{host_cpu_load_info, mach_msg_type_number_t, vm_statistics64};

    /// Of all cores: user, system, idle, nice.
    pub(super) fn cpu_ticks() -> Option<[u32; 4]> {
        let (flavour, room) = (libc::HOST_CPU_LOAD_INFO, libc::HOST_CPU_LOAD_INFO_COUNT);
        // SAFETY: the structure of this flavour, of this many integers.
        let load: host_cpu_load_info = unsafe { ask(flavour, room) }?;
        Some(load.cpu_ticks)
    }

    /// Pages by kind, and how many were swapped.
    pub(super) fn memory() -> Option<vm_statistics64> {
        // SAFETY: the structure of this flavour, of this many integers.
        unsafe { ask(libc::HOST_VM_INFO64, libc::HOST_VM_INFO64_COUNT) }
    }

    /// # Safety
    /// `T` consists of integers, and has room for `room` of four bytes.
    unsafe fn ask<T>(flavour: i32, mut room: mach_msg_type_number_t) -> Option<T> {
        let mut answer = MaybeUninit::<T>::zeroed();
        let place = answer.as_mut_ptr().cast();
        // SAFETY: the kernel writes at most `room` integers, which `answer` has room for.
        let status = unsafe { libc::host_statistics64(host(), flavour, place, &raw mut room) };
        // SAFETY: all fields are integers, for which the zeroes of `zeroed` are valid values.
        (status == 0).then(|| unsafe { answer.assume_init() })
    }

    /// Asked for once: each call would hold one more reference to the port.
    #[expect(deprecated, reason = "libc would have it in a crate of its own")]
    fn host() -> libc::mach_port_t {
        static HOST: std::sync::OnceLock<libc::mach_port_t> = std::sync::OnceLock::new();
        // SAFETY: it takes nothing and returns a port's name.
        *HOST.get_or_init(|| unsafe { libc::mach_host_self() })
    }
}
