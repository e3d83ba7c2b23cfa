//! `cold-load`: how long a fresh process takes to be ready, with proof of where the weights were.

use store::Metric;

use crate::message::{Cache, Epoch};
use crate::subject::{AskError, Subject};

use super::invariants::second_copy;
use super::probe::{Birth, Question};
use super::warm_inference::{DESCRIBE, Pictures};
use super::{Needs, Probe, Profile, Scenario};

/// The arm whose loads are to come from storage.
const FROM_STORAGE: &str = "cold";

/// Residency below which files are absent, and read share from which they came from storage.
const COLD: (f64, f64) = (0.01, 0.90);

/// Residency above which files are present, and read share below which storage gave nothing.
const WARM: (f64, f64) = (0.99, 0.01);

/// Least share of one copy of the weights that loading must add: fewer bytes cannot hold the model.
const HELD: f64 = 0.9;

/// Starting, loading and the first answer, which is to the question of `warm-inference`, so that the
/// two compare.
///
/// The weights' pages are dropped from (or read into) the page cache before each start. A load
/// counts as cold only where less than 1 % was resident before and storage then delivered 90 % of
/// the weight bytes; as warm only where more than 99 % was resident and storage delivered less
/// than 1 %. Everything else is `load_unknown`.
pub(super) struct ColdLoad;

impl Scenario for ColdLoad {
    fn name(&self) -> &'static str {
        "cold-load"
    }

    fn about(&self) -> &'static str {
        "start, load with a cold and a warm page cache, first answer, memory"
    }

    fn version(&self) -> u32 {
        4
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::Startup,
            Metric::LoadCold,
            Metric::LoadWarm,
            Metric::LoadUnknown,
            Metric::LoadRate,
            Metric::LoadRead,
            Metric::FirstInference,
            Metric::BaseMemory,
            Metric::LoadMemory,
            Metric::LoadPeak,
            Metric::MemoryLimit,
            Metric::DeviceMemory,
            Metric::PeakMemory,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::Loading
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        let arms = [(FROM_STORAGE, Cache::Cold), ("warm", Cache::Warm)];
        let pairs = (0..profile.pick([2, 3, 5])).flat_map(|_| arms);
        pairs
            .map(|(arm, cache)| Epoch {
                cache,
                ..Epoch::new(arm, 1)
            })
            .collect()
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let birth = probe.birth;
        load(probe, &birth, subject.loaded().weight_bytes);
        memory(probe, &birth, subject);

        let messages = DESCRIBE.messages(probe.set);
        let picture = Pictures::new(DESCRIBE, probe.seed)?.nth(0);
        let question = Question::new(Some(&picture), &messages, DESCRIBE.most());
        let asked = probe.ask(subject, &question)?;
        let fault = asked.untimed_first.as_deref();
        let total = asked.reply.stages.total.as_secs_f64();
        probe.value_unless(fault, Metric::FirstInference, total);
        probe.progress(1, 1);
        Ok(())
    }
}

/// Times of starting and loading. What storage delivered, and how fast, is told of loads that were to
/// come from there: a warm one beside it would halve both.
fn load(probe: &mut Probe<'_>, birth: &Birth, weight_bytes: u64) {
    let slept = birth.slept.then_some("the machine slept");
    let (metric, seconds) = (load_metric(birth, weight_bytes), birth.load.as_secs_f64());
    probe.value_unless(slept, Metric::Startup, birth.startup.as_secs_f64());
    probe.value_unless(slept, metric, seconds);
    if let Some(text) = missed(&probe.epoch.arm, metric, birth) {
        probe.finding(&text);
    }
    if metric == Metric::LoadCold {
        probe.value_unless(slept, Metric::LoadRate, weight_bytes as f64 / seconds);
    }
    if let (FROM_STORAGE, Some(read)) = (probe.epoch.arm.as_str(), birth.disk_read) {
        probe.value(Metric::LoadRead, read as f64);
    }
}

/// What is said of a load that was not the one that this arm is for. The same for every process, so that it is
/// said once.
fn missed(arm: &str, metric: Metric, birth: &Birth) -> Option<String> {
    let (wanted, why) = match arm {
        FROM_STORAGE => (
            Metric::LoadCold,
            "the system kept weights in memory, or storage delivered less of them",
        ),
        _ => (
            Metric::LoadWarm,
            "the system did not keep all weights in memory, or read some again",
        ),
    };
    let told = birth.residency.is_some() && birth.disk_read.is_some();
    let why = if told {
        why
    } else {
        "the system does not tell what was in memory, or what storage delivered"
    };
    (metric != wanted).then(|| format!("a load that is proved {arm} was not achievable: {why}"))
}

/// What the load may be called, by proof.
fn load_metric(birth: &Birth, weight_bytes: u64) -> Metric {
    let (Some(resident), Some(read)) = (birth.residency, birth.disk_read) else {
        return Metric::LoadUnknown;
    };
    let share = read as f64 / weight_bytes.max(1) as f64;
    match () {
        () if resident < COLD.0 && share >= COLD.1 => Metric::LoadCold,
        () if resident > WARM.0 && share < WARM.1 => Metric::LoadWarm,
        () => Metric::LoadUnknown,
    }
}

/// Base memory, and what loading added to it; a sum that cannot be is refused, never printed.
fn memory(probe: &mut Probe<'_>, birth: &Birth, subject: &dyn Subject) {
    if let Some(base) = birth.base {
        probe.value(Metric::BaseMemory, base as f64);
    }
    let limit = subject.memory().limit.or_else(|| probe.gauge.installed());
    if let Some(limit) = limit {
        probe.value(Metric::MemoryLimit, limit as f64);
    }
    let (Some(base), Some(loaded)) = (birth.base, birth.loaded) else {
        let reason = "the system does not tell the process's memory";
        return probe.void(Metric::LoadMemory, reason);
    };
    let (added, held) = (loaded as f64 - base as f64, subject.loaded().held_bytes);
    let suspect = (added < HELD * held as f64).then(|| {
        format!("measurement suspect: loading added {added} bytes for {held} bytes of weights")
    });
    // A GPU's memory may not be the process's own.
    let active = subject.memory().active.unwrap_or(0);
    let taken = added.max(active.saturating_sub(birth.in_use.unwrap_or(0)) as f64);
    let fault = suspect.or_else(|| second_copy(taken, held));
    probe.value_unless(fault.as_deref(), Metric::LoadMemory, added);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, birth, reasons, run_cell, values};
    use crate::subject::Allocator;

    #[test]
    fn a_load_is_called_what_was_proved() {
        let check = |residency, disk_read, expected| {
            let birth = Birth {
                residency,
                disk_read,
                ..birth()
            };
            assert_eq!(load_metric(&birth, 1000), expected, "{birth:?}");
        };
        check(Some(0.0), Some(1000), Metric::LoadCold);
        check(Some(0.0), Some(899), Metric::LoadUnknown);
        check(Some(0.02), Some(1000), Metric::LoadUnknown);
        check(Some(1.0), Some(0), Metric::LoadWarm);
        check(Some(1.0), Some(10), Metric::LoadUnknown);
        check(Some(0.5), Some(500), Metric::LoadUnknown);
        check(None, Some(1000), Metric::LoadUnknown);
        check(Some(0.0), None, Metric::LoadUnknown);
    }

    #[test]
    fn cold_and_warm_epochs_fill_their_own_metrics() {
        let cold = Birth {
            residency: Some(0.0),
            disk_read: Some(1000),
            ..birth()
        };
        let run = run_cell(&ColdLoad, &[cold, birth(), cold, birth()], |_| {
            Fake::seeing()
        });
        assert_eq!(values(&run, Metric::LoadCold), [0.05, 0.05]);
        assert_eq!(values(&run, Metric::LoadWarm), [0.05, 0.05]);
        assert_eq!(values(&run, Metric::LoadUnknown), [0.0; 0]);
        assert_eq!(values(&run, Metric::LoadRate), [20_000.0; 2]);
        assert_eq!(values(&run, Metric::LoadRead), [1000.0; 2]);
        assert_eq!(values(&run, Metric::LoadMemory), [2000.0; 4]);
        assert_eq!(values(&run, Metric::FirstInference).len(), 4);
        assert_eq!(reasons(&run), Vec::<&str>::new());
    }

    #[test]
    fn a_load_that_could_not_be_had_is_told_once() {
        let half = Birth {
            residency: Some(0.5),
            disk_read: Some(500),
            ..birth()
        };
        let untold = Birth {
            residency: None,
            ..birth()
        };
        let said = |births: [Birth; 4]| {
            let run = run_cell(&ColdLoad, &births, |_| Fake::seeing());
            let texts = run.remarks.into_iter().map(|remark| remark.text);
            texts.collect::<Vec<_>>()
        };
        let cold = Birth {
            residency: Some(0.0),
            disk_read: Some(1000),
            ..birth()
        };
        assert_eq!(said([cold, birth(), cold, birth()]), [""; 0]);
        assert_eq!(
            said([cold, half, cold, half]),
            [
                "a load that is proved warm was not achievable: the system did not keep all weights in memory, or read some again"
            ]
        );
        assert_eq!(
            said([half, birth(), half, birth()]),
            [
                "a load that is proved cold was not achievable: the system kept weights in memory, or storage delivered less of them"
            ]
        );
        let untold = said([untold, birth(), untold, birth()]);
        assert!(
            untold.len() == 1 && untold[0].ends_with("what storage delivered"),
            "{untold:?}"
        );
    }

    #[test]
    fn impossible_memory_is_void_and_never_printed() {
        for loaded in [900, 1500] {
            let suspect = Birth {
                loaded: Some(loaded),
                ..birth()
            };
            let run = run_cell(&ColdLoad, &[suspect; 4], |_| Fake::seeing());
            assert_eq!(values(&run, Metric::LoadMemory), [0.0; 0]);
            assert!(
                reasons(&run)[0].starts_with("measurement suspect"),
                "{:?}",
                reasons(&run)
            );
            assert_eq!(run.voids()[0].count, 4);
        }
    }

    #[test]
    fn two_copies_of_the_weights_are_refused() {
        let (one, gib) = (1_u64 << 30, f64::from(1 << 30));
        let check = |copies: u64, (in_use, active), expected: Option<&str>| {
            let birth = Birth {
                loaded: Some(1000 + copies * one),
                in_use,
                ..birth()
            };
            let run = run_cell(&ColdLoad, &[birth; 4], |_| {
                let counters = Allocator {
                    active,
                    ..Allocator::default()
                };
                let fake = Fake::seeing().counting(counters);
                fake.with(|loaded| loaded.held_bytes = one)
            });
            let found = reasons(&run).first().map(|reason| &reason[..2]);
            assert_eq!(found, expected, "{:?}", reasons(&run));
            let expected = if expected.is_some() {
                &[][..]
            } else {
                &[gib; 4]
            };
            assert_eq!(values(&run, Metric::LoadMemory), expected);
        };
        check(1, (None, None), None);
        check(1, (None, Some(one)), None);
        check(2, (None, None), Some("I8"));
        check(1, (None, Some(2 * one)), Some("I8"));
        // What was there before the weights is no copy of them.
        check(1, (Some(2 * one), Some(3 * one)), None);
        check(1, (Some(2 * one), Some(4 * one)), Some("I8"));
    }
}
