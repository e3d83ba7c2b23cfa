//! What the conditions at a trial's start and end mean for it. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Conditions, Power, Pressure, Thermal};

/// Others may use this share of all cores before a trial is marked.
pub const BACKGROUND_LIMIT: f64 = 0.10;

/// A measured process should spend this share of its time on performance cores.
const FAST_SHARE: f64 = 0.90;

/// Processor time is counted in steps of 10 ms, and several counts go into a share: over less core
/// time than this the steps would show.
const SHORTEST: Duration = Duration::from_millis(800);

/// What is to be said about a trial. The same cause has the same text, so that trials can be counted
/// by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// It counts, and this is told beside it.
    Advisory(String),
    /// It does not count, for this reason.
    Void(String),
}

/// What the conditions at a trial's `start` and `end` say about it; nothing where all was well, or
/// where the system does not tell. Sleep and the process's own page-ins are judged elsewhere.
#[must_use]
pub fn between(start: &Conditions, end: &Conditions) -> Vec<Mark> {
    let (before, after) = (&start.state, &end.state);
    let low_power = before.low_power_mode.max(after.low_power_mode) == Some(true);
    let swapped = grew(start.swapped_out, end.swapped_out);
    let crowded = background(start, end).is_some_and(|share| share > BACKGROUND_LIMIT);
    let slow = fast_share(start, end).is_some_and(|share| share < FAST_SHARE);
    let pressure = before.pressure.max(after.pressure);
    let pressure = pressure.filter(|&pressure| pressure >= Pressure::Warn);
    let advisories = [
        heat(start, end),
        low_power.then(|| "Low Power Mode".to_owned()),
        (after.power == Some(Power::Battery)).then(|| "on battery".to_owned()),
        crowded.then(|| "others used over 10 % of all cores".to_owned()),
        pressure.map(|pressure| format!("memory pressure {}", pressure.name())),
        swapped.then(|| "the machine swapped memory out".to_owned()),
        slow.then(|| "under 90 % of its time on performance cores".to_owned()),
    ];
    let voids = match (before.power, after.power) {
        (Some(was), Some(is)) if was != is => Some(format!(
            "the power source changed from {} to {}",
            was.name(),
            is.name()
        )),
        _ => None,
    };
    let advisories = advisories.into_iter().flatten().map(Mark::Advisory);
    voids
        .into_iter()
        .map(Mark::Void)
        .chain(advisories)
        .collect()
}

fn heat(start: &Conditions, end: &Conditions) -> Option<String> {
    let hottest = start.state.thermal.max(end.state.thermal);
    match hottest.filter(|&level| level > Thermal::Nominal) {
        Some(level) => Some(format!("thermal pressure {}", level.name())),
        None => grew(start.state.throttled, end.state.throttled)
            .then(|| "processors slowed down for heat".to_owned()),
    }
}

fn grew(start: Option<u64>, end: Option<u64>) -> bool {
    start.zip(end).is_some_and(|(start, end)| end > start)
}

/// The share of all cores' time that neither the measured process nor this one used. `None` over less
/// than 0.8 s of core time, and where a counter is missing or has started anew.
#[must_use]
pub fn background(start: &Conditions, end: &Conditions) -> Option<f64> {
    let (from, to) = (start.cores?, end.cores?);
    let all = to.all.checked_sub(from.all)?;
    let busy = to.busy.checked_sub(from.busy)?;
    let ours = end.ours?.checked_sub(start.ours?)?;
    // Ours may come out a step above all that was busy.
    (all >= SHORTEST).then(|| busy.saturating_sub(ours).div_duration_f64(all))
}

/// The share of the measured process's time on performance cores.
pub(crate) fn fast_share(start: &Conditions, end: &Conditions) -> Option<f64> {
    let (from, to) = (start.child?, end.child?);
    let all = to.all.checked_sub(from.all)?;
    let fast = to.fast.checked_sub(from.fast)?;
    (!all.is_zero()).then(|| fast.div_duration_f64(all))
}

#[cfg(test)]
mod tests {
    use super::super::{CoreTime, State};
    use super::*;
    use crate::measure::UserTime;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// After `all` of core time, of which `busy` was used, `ours` of it by us.
    fn at(all: u64, busy: u64, ours: u64) -> Conditions {
        Conditions {
            cores: Some(CoreTime {
                all: ms(all),
                busy: ms(busy),
            }),
            ours: Some(ms(ours)),
            ..Conditions::default()
        }
    }

    fn under(state: State) -> Conditions {
        Conditions {
            state,
            ..Conditions::default()
        }
    }

    fn texts(start: &Conditions, end: &Conditions) -> Vec<String> {
        let text = |mark| match mark {
            Mark::Advisory(text) => text,
            Mark::Void(text) => format!("void: {text}"),
        };
        between(start, end).into_iter().map(text).collect()
    }

    fn check(start: Conditions, end: Conditions, expected: &[&str]) {
        assert_eq!(texts(&start, &end), expected, "{start:?} {end:?}");
    }

    #[test]
    fn a_system_that_tells_nothing_marks_nothing() {
        check(Conditions::default(), Conditions::default(), &[]);
        let fine = State {
            thermal: Some(Thermal::Nominal),
            throttled: Some(7),
            pressure: Some(Pressure::Normal),
            power: Some(Power::Ac),
            low_power_mode: Some(false),
            ..State::default()
        };
        check(under(fine), under(fine), &[]);
        check(under(fine), Conditions::default(), &[]);
    }

    #[test]
    fn only_a_change_of_power_voids() {
        let power = |power| {
            under(State {
                power,
                ..State::default()
            })
        };
        let (ac, battery) = (power(Some(Power::Ac)), power(Some(Power::Battery)));
        check(
            ac,
            battery,
            &[
                "void: the power source changed from ac to battery",
                "on battery",
            ],
        );
        check(
            battery,
            ac,
            &["void: the power source changed from battery to ac"],
        );
        check(battery, battery, &["on battery"]);
        check(power(None), ac, &[]);
    }

    #[test]
    fn the_worse_end_counts() {
        let thermal = |thermal, throttled| {
            under(State {
                thermal: Some(thermal),
                throttled,
                ..State::default()
            })
        };
        let (cool, hot) = (
            thermal(Thermal::Nominal, None),
            thermal(Thermal::Heavy, None),
        );
        check(cool, hot, &["thermal pressure heavy"]);
        check(hot, cool, &["thermal pressure heavy"]);
        let throttled = |times| thermal(Thermal::Nominal, Some(times));
        check(
            throttled(3),
            throttled(5),
            &["processors slowed down for heat"],
        );
        let short = State {
            pressure: Some(Pressure::Warn),
            low_power_mode: Some(true),
            ..State::default()
        };
        let both = ["Low Power Mode", "memory pressure warn"];
        check(under(short), under(State::default()), &both);
    }

    #[test]
    fn others_are_what_we_are_not() {
        check(at(0, 0, 0), at(4000, 3000, 2700), &[]);
        check(
            at(0, 0, 0),
            at(4000, 3000, 2000),
            &["others used over 10 % of all cores"],
        );
        let share = |start: Conditions, end: Conditions| background(&start, &end);
        assert_eq!(share(at(0, 0, 0), at(4000, 2000, 2010)), Some(0.0));
        assert_eq!(share(at(0, 0, 0), at(790, 790, 0)), None);
        assert_eq!(share(at(4000, 0, 0), at(0, 0, 0)), None);
        let ended = Conditions {
            ours: None,
            ..at(4000, 3000, 0)
        };
        assert_eq!(share(at(0, 0, 0), ended), None);
    }

    #[test]
    fn swap_and_slow_cores_are_told() {
        let swapped = |pages| Conditions {
            swapped_out: pages,
            ..Conditions::default()
        };
        check(
            swapped(Some(5)),
            swapped(Some(9)),
            &["the machine swapped memory out"],
        );
        check(swapped(Some(9)), swapped(Some(9)), &[]);
        check(swapped(Some(9)), swapped(None), &[]);
        let ran = |all, fast| Conditions {
            child: Some(UserTime {
                all: ms(all),
                fast: ms(fast),
            }),
            ..Conditions::default()
        };
        check(
            ran(10, 10),
            ran(110, 60),
            &["under 90 % of its time on performance cores"],
        );
        check(ran(10, 0), ran(110, 95), &[]);
        check(ran(10, 0), ran(10, 0), &[]);
    }
}
