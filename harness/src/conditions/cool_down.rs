//! Waits for a machine that is cool and idle.

use std::time::Duration;

use super::{BACKGROUND_LIMIT, Conditions, Sampler, Thermal, background};
use crate::measure::Clock;

/// How often to look: others' share of the cores needs about a second.
const LOOK: Duration = Duration::from_secs(1);

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoolDown {
    /// How long it took.
    pub waited: Duration,
    /// Whether the machine was cool and idle in the end, as far as it tells.
    pub reached: bool,
}

/// Waits until thermal pressure is nominal and others use less than 10 % of all cores, a second at
/// least and not much longer than `limit`. What the machine does not tell is not waited for.
#[must_use]
pub fn cool_down(limit: Duration) -> CoolDown {
    let (clock, mut sampler) = (Clock::start(), Sampler::new(None));
    let first = sampler.read();
    wait(limit, first, &mut || {
        std::thread::sleep(LOOK);
        (clock.elapsed(), sampler.read())
    })
}

fn wait(
    limit: Duration,
    mut last: Conditions,
    next: &mut dyn FnMut() -> (Duration, Conditions),
) -> CoolDown {
    loop {
        let (waited, now) = next();
        let cool = now
            .state
            .thermal
            .is_none_or(|level| level == Thermal::Nominal);
        let idle = background(&last, &now).is_none_or(|share| share < BACKGROUND_LIMIT);
        let reached = cool && idle;
        if reached || waited >= limit {
            return CoolDown { waited, reached };
        }
        last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CoreTime, State};
    use super::*;

    /// Seconds of one core, the busy ones of them, and the heat.
    fn at(all: u64, busy: u64, thermal: Thermal) -> Conditions {
        Conditions {
            cores: Some(CoreTime {
                all: Duration::from_secs(all),
                busy: Duration::from_secs(busy),
            }),
            ours: Some(Duration::ZERO),
            state: State {
                thermal: Some(thermal),
                ..State::default()
            },
            ..Conditions::default()
        }
    }

    fn check(readings: &[Conditions], expected: (u64, bool)) {
        let mut script = (1..).zip(readings);
        let mut next = || {
            let (second, reading) = script.next().unwrap();
            (Duration::from_secs(second), *reading)
        };
        let start = at(0, 0, Thermal::Nominal);
        let came = wait(Duration::from_secs(3), start, &mut next);
        let (waited, reached) = expected;
        let waited = Duration::from_secs(waited);
        assert_eq!(came, CoolDown { waited, reached });
    }

    #[test]
    fn it_waits_for_both_and_not_for_ever() {
        let (cool, hot) = (Thermal::Nominal, Thermal::Moderate);
        check(&[at(10, 0, cool)], (1, true));
        check(
            &[at(10, 0, hot), at(20, 5, cool), at(30, 5, cool)],
            (3, true),
        );
        check(
            &[at(10, 0, hot), at(20, 0, hot), at(30, 0, hot)],
            (3, false),
        );
        check(&[Conditions::default()], (1, true));
    }
}
