//! What the machine was like while something was measured: heat, power, memory, others' work.
//!
//! Reading and judging are apart: a [`Sampler`] takes [`Conditions`], [`between`] says what two of
//! them mean for a trial. What a system does not tell is `None`, never zero.

mod busiest;
mod cool_down;
mod judge;
mod sampler;
#[cfg(not(target_os = "macos"))]
#[path = "linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod system;

use std::time::Duration;

pub use busiest::{User, busiest};
pub use cool_down::{CoolDown, cool_down};
pub(crate) use judge::fast_share;
pub use judge::{BACKGROUND_LIMIT, Mark, background, between};
pub use sampler::Sampler;

use crate::measure::UserTime;

/// One reading of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Time of all cores since the machine started.
    pub cores: Option<CoreTime>,
    /// Time that cores worked for this process and the measured one. `None` also where the measured
    /// one has ended.
    pub ours: Option<Duration>,
    /// What kind of cores the measured process ran on. `None` but on Apple silicon.
    pub child: Option<UserTime>,
    /// Pages read back from swap since the machine started, for any process.
    pub swapped_in: Option<u64>,
    /// Pages written to swap since the machine started, for any process.
    pub swapped_out: Option<u64>,
    /// What changes slowly.
    pub state: State,
}

/// Time of all cores together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreTime {
    /// Busy and idle.
    pub all: Duration,
    /// Neither idle nor waiting for storage. In a virtual machine, time that other guests took counts.
    pub busy: Duration,
}

/// What changes slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct State {
    /// How hot the machine finds itself.
    pub thermal: Option<Thermal>,
    /// How often processors slowed down for heat since the machine started (Linux on Intel).
    pub throttled: Option<u64>,
    /// How short memory is.
    pub pressure: Option<Pressure>,
    /// Bytes that programs can still have without swapping.
    pub available: Option<u64>,
    /// Bytes in swap.
    pub swap_used: Option<u64>,
    /// What feeds the machine.
    pub power: Option<Power>,
    /// Whether the user asked for less speed and more battery life. `None` but on macOS.
    pub low_power_mode: Option<bool>,
}

/// How hot a machine finds itself, in the words of macOS.
///
/// Linux: the worst of the thermal zones, by the trip points that its firmware sets: *moderate* from a
/// passive one on, where the kernel begins to slow processors down, *heavy* from a hot one on,
/// *critical* from a critical one on. A change of [`State::throttled`] says more, where it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thermal {
    /// Nothing is held back.
    Nominal,
    /// Some work may be slowed down.
    Moderate,
    /// Work is slowed down.
    Heavy,
    /// The machine protects itself.
    Critical,
}

impl Thermal {
    /// In lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nominal => "nominal",
            Self::Moderate => "moderate",
            Self::Heavy => "heavy",
            Self::Critical => "critical",
        }
    }
}

/// How short memory is, in the words of macOS.
///
/// Linux has no such level. Ours is *warn* where less than 10 % of memory is available or some process
/// waited for memory in 10 % of the last ten seconds, and *critical* from 5 % or where all processes
/// waited in 10 %. Source of the shares of memory: the defaults of earlyoom(1); of the waiting: ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// There is enough.
    Normal,
    /// The system asks programs to give some back.
    Warn,
    /// The system may end programs.
    Critical,
}

impl Pressure {
    /// In lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Warn => "warn",
            Self::Critical => "critical",
        }
    }
}

/// What feeds a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// The mains.
    Ac,
    /// Its battery, or one that stands by for the mains.
    Battery,
}

impl Power {
    /// As [`store::Environment`] keeps it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ac => "ac",
            Self::Battery => "battery",
        }
    }
}

/// What feeds the machine now. A machine that knows of no supply says nothing.
#[must_use]
pub fn power() -> Option<Power> {
    system::power()
}

/// The hardware that the monotonic clock counts, where the system names it, e.g. `tsc`.
#[must_use]
pub fn clock_source() -> Option<String> {
    system::clock_source()
}

/// How many threads wanted to run or waited for storage, averaged over a minute.
#[must_use]
#[expect(unsafe_code, reason = "one interface for both systems")]
pub fn load() -> Option<f64> {
    let mut load = [0.0];
    // SAFETY: it writes at most the one number that there is room for.
    let count = unsafe { libc::getloadavg(load.as_mut_ptr(), 1) };
    (count == 1).then_some(load[0])
}
