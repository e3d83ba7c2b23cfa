//! `endurance`: does a model stay as fast when it is asked without a pause?

use std::time::Duration;

use store::Metric;
use store::stats::median;

use crate::conditions::Thermal;
use crate::measure::Clock;
use crate::message::Epoch;
use crate::subject::{AskError, Stop, Subject};

use super::pace::decode_rate;
use super::probe::Question;
use super::warm_inference::{DESCRIBE, Pictures};
use super::{Needs, Probe, Profile, Scenario, energy};

/// Seconds of asking: with loading they fit into the time that a cell has by default.
const SECONDS: u32 = 540;

/// Ids of every answer.
const FIXED: usize = 64;

/// Parts of the time whose decode rates are compared: the first and the last.
const EARLY: f64 = 0.1;
const LATE: f64 = 0.8;

/// New pictures asked about without a pause for nine minutes, 64 ids each.
///
/// How fast it still decodes in the end is told as a share of how fast it did in the first minute,
/// and when the machine first said that it was hot, where it says so at all. Only the longest
/// profile has it. The energy of a token is measured in the end, on the machine that is warm by then.
pub(super) struct Endurance;

impl Scenario for Endurance {
    fn name(&self) -> &'static str {
        "endurance"
    }

    fn about(&self) -> &'static str {
        "nine minutes without a pause: decode rate at the end, time until hot"
    }

    fn version(&self) -> u32 {
        3
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::Decode,
            Metric::SustainedDecode,
            Metric::ThrottledAfter,
            Metric::BackgroundCpu,
            Metric::ThermalLevel,
            Metric::Trial,
            Metric::TrialBackgroundCpu,
            Metric::TrialSwappedIn,
            Metric::TrialSwappedOut,
            Metric::TrialThermalLevel,
            Metric::EnergyPerImage,
            Metric::EnergyPerToken,
            Metric::IdlePower,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::AnyWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        let epoch = Epoch {
            most_s: SECONDS,
            metered: true,
            ..Epoch::new("", SECONDS)
        };
        vec![epoch; profile.pick([0, 0, 1])]
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let pictures = Pictures::new(DESCRIBE, probe.seed)?;
        let limit = Duration::from_secs(u64::from(probe.epoch.most_s));
        let (mut course, clock) = (Course::default(), Clock::start());
        for n in 0.. {
            let began = clock.elapsed();
            if n > 0 && began >= limit {
                break;
            }
            if let Some(rate) = decode(subject, probe, &pictures.nth(n))? {
                course.rates.push((share(began, limit), rate));
            }
            course.look(probe, clock.elapsed());
            let of = (n + 1) as f64 / share(clock.elapsed(), limit);
            probe.progress(n + 1, of.round() as usize);
        }
        course.end(probe);
        match probe.epoch.metered {
            true => energy::measure(subject, probe, DESCRIBE, energy::SPANS),
            false => Ok(()),
        }
    }
}

/// One request; its decode rate, where it counts.
fn decode(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    picture: &[u8],
) -> Result<Option<f64>, AskError> {
    let messages = DESCRIBE.messages(probe.set);
    let question = Question {
        stop: Stop::AtLimit,
        ..Question::new(Some(picture), &messages, FIXED)
    };
    let asked = probe.ask(subject, &question)?;
    let rate = match decode_rate(&asked.reply) {
        Ok(rate) => rate,
        Err(why) => {
            probe.not_offered(Metric::Decode, why);
            return Ok(None);
        }
    };
    probe.value_unless(asked.untimed.as_deref(), Metric::Decode, rate);
    Ok(asked.untimed.is_none().then_some(rate))
}

/// The part of the limit that has passed, 1 at most.
fn share(time: Duration, limit: Duration) -> f64 {
    if time >= limit {
        return 1.0;
    }
    time.div_duration_f64(limit)
}

/// The decode rate at the end over that at the beginning, of requests that began after such a share
/// of the time; none without any in one of the two.
fn sustained(rates: &[(f64, f64)]) -> Option<f64> {
    let part = |within: &dyn Fn(f64) -> bool| {
        let rates = rates.iter().filter(|(began, _)| within(*began));
        median(&rates.map(|(_, rate)| *rate).collect::<Vec<_>>())
    };
    let early = part(&|began| began < EARLY)?;
    Some(part(&|began| began >= LATE)? / early)
}

/// What was seen on the way.
#[derive(Default)]
struct Course {
    /// When a request began, as a share of the time, and its decode rate.
    rates: Vec<(f64, f64)>,
    /// When the machine was first hot.
    hot: Option<Duration>,
    /// Whether the machine says how hot it is.
    told: bool,
}

impl Course {
    fn look(&mut self, probe: &Probe<'_>, now: Duration) {
        let thermal = probe.gauge.thermal();
        self.told |= thermal.is_some();
        if thermal.is_some_and(|level| level > Thermal::Nominal) {
            self.hot.get_or_insert(now);
        }
    }

    fn end(self, probe: &mut Probe<'_>) {
        match sustained(&self.rates) {
            Some(ratio) => probe.value(Metric::SustainedDecode, ratio),
            None => probe.void(
                Metric::SustainedDecode,
                "no request began both early and late enough to compare",
            ),
        }
        match self.hot {
            Some(hot) => probe.value(Metric::ThrottledAfter, hot.as_secs_f64()),
            None if self.told => probe.finding("the machine never said that it was hot"),
            None => probe.finding("the machine does not say how hot it is"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, reasons, run_epochs, values};

    #[test]
    fn the_end_is_compared_with_the_beginning() {
        let check = |rates: &[(f64, f64)], expected| assert_eq!(sustained(rates), expected);
        let tiring = [
            (0.0, 40.0),
            (0.05, 42.0),
            (0.09, 38.0),
            (0.5, 9.0),
            (0.8, 30.0),
            (0.99, 30.0),
        ];
        check(&tiring, Some(0.75));
        check(&tiring[..4], None);
        check(&tiring[3..], None);
        check(&[], None);
    }

    #[test]
    fn one_request_at_least_is_made_and_nothing_is_made_up() {
        let epoch = Epoch {
            most_s: 0,
            ..Epoch::new("", 1)
        };
        let run = run_epochs((&Endurance, &[epoch]), &[], |_| Fake::seeing());
        assert_eq!(values(&run, Metric::Decode).len(), 1);
        assert_eq!(values(&run, Metric::ThrottledAfter), [0.0; 0]);
        assert!(
            reasons(&run)[0].starts_with("no request began"),
            "{:?}",
            reasons(&run)
        );
        let found = &run.remarks[0].text;
        assert_eq!(found, "the machine does not say how hot it is");
    }

    #[test]
    fn only_the_longest_profile_has_it() {
        let epochs = |profile| Endurance.epochs(profile).len();
        assert_eq!(Profile::ALL.map(epochs), [0, 0, 1]);
    }
}
