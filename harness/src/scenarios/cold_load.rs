//! `cold-load`: how long a fresh process takes to be ready, with proof of where the weights were.

use store::Metric;

use crate::message::{Cache, Epoch};
use crate::subject::{AskError, Message, Subject};

use super::probe::{Birth, Question};
use super::{Needs, Probe, Profile, Scenario};

/// Ids of the first answer, as many as in `warm-inference`, so that the two compare.
const MOST: usize = 100;

/// Residency below which files are absent, and read share from which they came from storage.
const COLD: (f64, f64) = (0.01, 0.90);

/// Residency above which files are present, and read share below which storage gave nothing.
const WARM: (f64, f64) = (0.99, 0.01);

/// Least share of the weight bytes that loading must add: fewer bytes cannot hold the model.
const HELD: f64 = 0.9;

/// Starting, loading and the first answer.
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
        1
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::Startup,
            Metric::LoadCold,
            Metric::LoadWarm,
            Metric::LoadUnknown,
            Metric::FirstInference,
            Metric::BaseMemory,
            Metric::LoadMemory,
            Metric::PeakMemory,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::AnyWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        let arms = [("cold", Cache::Cold), ("warm", Cache::Warm)];
        let pairs = (0..profile.epochs()).flat_map(|_| arms);
        pairs
            .map(|(arm, cache)| Epoch {
                cache,
                ..Epoch::new(arm, 1)
            })
            .collect()
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let birth = probe.birth;
        let weight_bytes = subject.loaded().weight_bytes;
        let slept = birth.slept.then_some("the machine slept");
        probe.value_unless(slept, Metric::Startup, birth.startup.as_secs_f64());
        probe.value_unless(
            slept,
            load_metric(&birth, weight_bytes),
            birth.load.as_secs_f64(),
        );
        memory(probe, &birth, weight_bytes);

        let messages = [Message::user(&probe.set.describe)];
        let set = probe.set;
        let question = Question::new(Some(set.rotated(0).1), &messages, MOST);
        let asked = probe.ask(subject, &question)?;
        // The first request may still read: nothing has touched the kernels' code before.
        let fault = asked
            .untimed
            .as_deref()
            .filter(|reason| !reason.contains("read from storage"));
        let total = asked.reply.stages.total.as_secs_f64();
        probe.value_unless(fault, Metric::FirstInference, total);
        probe.progress(1, 1);
        Ok(())
    }
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
fn memory(probe: &mut Probe<'_>, birth: &Birth, weight_bytes: u64) {
    if let Some(base) = birth.base {
        probe.value(Metric::BaseMemory, base as f64);
    }
    let (Some(base), Some(loaded)) = (birth.base, birth.loaded) else {
        probe.void(
            Metric::LoadMemory,
            "the system does not tell the process's memory",
        );
        return;
    };
    let added = loaded as f64 - base as f64;
    if added < HELD * weight_bytes as f64 {
        let reason = format!(
            "measurement suspect: loading added {added} bytes for {weight_bytes} bytes of weights"
        );
        probe.void(Metric::LoadMemory, &reason);
    } else {
        probe.value(Metric::LoadMemory, added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, birth, reasons, run_cell, values};

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
        assert_eq!(values(&run, Metric::LoadMemory), [2000.0; 4]);
        assert_eq!(values(&run, Metric::FirstInference).len(), 4);
        assert_eq!(reasons(&run), Vec::<&str>::new());
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
}
