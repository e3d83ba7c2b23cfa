//! `state-drift`: does a long-lived process answer what a fresh one answers?

use std::time::Duration;

use store::Metric;

use crate::message::{Epoch, Reference};
use crate::subject::{AskError, Message, Pass, Reply, Stop, Subject};

use super::probe::{Asked, Place, Question};
use super::{Needs, Probe, Profile, Scenario};

/// Ids of every answer: decoding on behind the natural end compares more steps.
const MOST: usize = 16;

/// Fresh processes that A is asked in first; their differences are the library's own noise.
const FRESH: usize = 3;

/// Timed work of an arm after which no new call starts, once [`FEWEST`] are done.
const ENOUGH: Duration = Duration::from_secs(60);

/// Calls that are always made: A, B, A, B.
const FEWEST: usize = 4;

/// Repeated requests in one process, compared with the first request of fresh processes.
///
/// Arms: `fresh a` and `fresh b` ask once and hand their answer on; `same` repeats A; `alternate`
/// asks A, B, A, B, which finds engines whose second picture fails. A call that raises is
/// recorded as `call k: …` and ends its arm; raising in a fresh process fails the cell.
pub(super) struct StateDrift;

impl Scenario for StateDrift {
    fn name(&self) -> &'static str {
        "state-drift"
    }

    fn about(&self) -> &'static str {
        "repeated requests in one process against fresh processes"
    }

    fn version(&self) -> u32 {
        1
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::ExactMatch,
            Metric::DivergedAt,
            Metric::LogitDelta,
            Metric::FreshLogitDelta,
            Metric::FreshExactMatch,
            Metric::MarginAtDivergence,
            Metric::Inference,
            Metric::CallMemory,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::AnyWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        // B only serves to change the input: one reference of it is enough.
        let fresh = ["fresh a"; FRESH].into_iter().chain(["fresh b"]);
        let fresh = fresh.map(|arm| Epoch::new(arm, 1));
        let long = [
            Epoch::new("same", profile.pick([12, 50, 100])),
            Epoch::new("alternate", profile.pick([12, 50, 50])),
        ];
        fresh.chain(long).collect()
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let arm = probe.epoch.arm.as_str();
        match arm.strip_prefix("fresh ") {
            Some(input) => fresh(subject, probe, input),
            None => long_lived(
                subject,
                probe,
                if arm == "same" { &["a"] } else { &["a", "b"] },
            ),
        }
    }
}

/// Asks input `a` or `b`, which differ in the picture alone.
fn ask(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    input: &str,
    pass: Pass,
) -> Result<Asked, AskError> {
    let set = probe.set;
    let (_, picture) = set.rotated(usize::from(input == "b"));
    let messages = [Message::user(&set.describe)];
    let question = Question::new(Some(picture), &messages, MOST);
    probe.ask(
        subject,
        &Question {
            stop: Stop::AtLimit,
            pass,
            ..question
        },
    )
}

/// The first request of a fresh process. Phased, because only that pass reads the margins.
fn fresh(subject: &mut dyn Subject, probe: &mut Probe<'_>, input: &str) -> Result<(), AskError> {
    let asked = ask(subject, probe, input, Pass::Phased)?;
    if let Some(reason) = &asked.broken {
        probe.void(Metric::FreshExactMatch, reason);
        return Ok(());
    }
    probe.answer(
        Place {
            item: input,
            arm: "fresh",
        },
        &asked.reply,
        None,
    );
    match probe
        .references
        .iter()
        .find(|reference| reference.input == input)
    {
        Some(first) => {
            let change = Change::between(first, &asked.reply);
            probe.value(
                Metric::FreshExactMatch,
                f64::from(u8::from(change.at.is_none())),
            );
            probe.value(Metric::FreshLogitDelta, change.logits);
        }
        None => {
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
            let (logits, margins) = (bits(&asked.reply.first_logits), bits(&asked.reply.margins));
            let ids = asked.reply.output_ids.clone();
            probe.reference(Reference {
                input: input.to_owned(),
                ids,
                logits,
                margins,
            });
        }
    }
    probe.progress(1, 1);
    Ok(())
}

/// Many requests in one process, the inputs in turn.
fn long_lived(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    inputs: &[&str],
) -> Result<(), AskError> {
    let calls = probe.epoch.trials as usize;
    let clock = crate::measure::Clock::start();
    for (call, input) in (1..=calls).zip(inputs.iter().cycle()) {
        if call > FEWEST && clock.elapsed() > ENOUGH {
            break;
        }
        let Some(first) = probe
            .references
            .iter()
            .find(|reference| reference.input == *input)
        else {
            probe.void(
                Metric::ExactMatch,
                "no fresh process's answer to compare with",
            );
            return Ok(());
        };
        match ask(subject, probe, input, Pass::Fused) {
            Ok(asked) => compare(probe, first, &asked, call),
            Err(error) if call > 1 => {
                probe.void(
                    Metric::ExactMatch,
                    &format!("call {call}: {error} (inputs {})", inputs.join(", ")),
                );
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        probe.progress(call, calls);
    }
    Ok(())
}

/// Records one call against the fresh process's answer.
fn compare(probe: &mut Probe<'_>, first: &Reference, asked: &Asked, call: usize) {
    let change = Change::between(first, &asked.reply);
    let fault = asked.broken.as_deref();
    let same = f64::from(u8::from(change.at.is_none()));
    probe.value_unless(fault, Metric::ExactMatch, same);
    probe.value_unless(
        fault,
        Metric::DivergedAt,
        change.at.map_or(-1.0, |at| at as f64),
    );
    probe.value_unless(fault, Metric::LogitDelta, change.logits);
    if let (None, Some(at)) = (fault, change.at) {
        // One margin a diverged call, in order: the verdict matches them up.
        let margin = first
            .margins
            .get(at)
            .map_or(f64::NAN, |&bits| f64::from(f32::from_bits(bits)));
        probe.value(Metric::MarginAtDivergence, margin);
        let arm = format!("call {call}");
        probe.answer(
            Place {
                item: &first.input,
                arm: &arm,
            },
            &asked.reply,
            None,
        );
    }
    let total = asked.reply.stages.total.as_secs_f64();
    probe.value_unless(asked.untimed.as_deref(), Metric::Inference, total);
    if let Some(bytes) = probe.gauge.footprint() {
        probe.value(Metric::CallMemory, bytes as f64);
    }
}

/// How a reply differs from a reference.
struct Change {
    /// First position whose ids differ, or that only one of them has.
    at: Option<usize>,
    /// Largest difference of the first-step logits; not a number where they cannot be compared.
    logits: f64,
}

impl Change {
    fn between(first: &Reference, reply: &Reply) -> Self {
        let pairs = first.ids.iter().zip(&reply.output_ids);
        let shorter = first.ids.len().min(reply.output_ids.len());
        let uneven = first.ids.len() != reply.output_ids.len();
        let at = pairs
            .into_iter()
            .position(|(a, b)| a != b)
            .or(uneven.then_some(shorter));
        let known = first.logits.iter().map(|&bits| f32::from_bits(bits));
        let deltas = known
            .zip(&reply.first_logits)
            .map(|(a, b)| f64::from((a - b).abs()));
        let comparable = first.logits.len() == reply.first_logits.len();
        // `f64::max` forgets what is not a number; a broken logit must not pass for none.
        let worst = |worst: f64, delta: f64| match worst.is_nan() || delta.is_nan() {
            true => f64::NAN,
            false => worst.max(delta),
        };
        let logits = if comparable {
            deltas.fold(0.0, worst)
        } else {
            f64::NAN
        };
        Self { at, logits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, reasons, run_cell, values};
    use store::summary::rows;

    fn verdict(fresh: impl FnMut(&Epoch) -> Fake) -> (store::Run, String) {
        let run = run_cell(&StateDrift, &[], fresh);
        let label = rows(std::slice::from_ref(&run))[0].drift.label.clone();
        (run, label)
    }

    #[test]
    fn a_healthy_model_is_stable() {
        let (run, label) = verdict(|_| Fake::seeing());
        assert_eq!(label, "STABLE");
        assert_eq!(values(&run, Metric::ExactMatch), [1.0; 24]);
        assert_eq!(values(&run, Metric::DivergedAt), [-1.0; 24]);
        assert_eq!(values(&run, Metric::FreshExactMatch), [1.0; 2]);
        assert_eq!(values(&run, Metric::FreshLogitDelta), [0.0; 2]);
        assert_eq!(values(&run, Metric::CallMemory), [5000.0; 24]);
        assert_eq!(reasons(&run), Vec::<&str>::new());
    }

    #[test]
    fn the_call_that_drifts_is_named() {
        let (run, label) = verdict(|_| {
            Fake::seeing().twisted(|reply, call| {
                if call >= 5 {
                    reply.output_ids[3] = 99
                }
            })
        });
        assert_eq!(label, "STATE-DRIFT@5");
        assert_eq!(
            values(&run, Metric::DivergedAt)[..6],
            [-1.0, -1.0, -1.0, -1.0, 3.0, 3.0]
        );
        assert_eq!(values(&run, Metric::MarginAtDivergence), [1.0; 16]);
    }

    #[test]
    fn a_second_picture_that_raises_is_an_error_at_its_call() {
        let (run, label) = verdict(|_| {
            let mut pictures = std::collections::BTreeSet::new();
            let mut seeing = Fake::seeing();
            Fake::new(move |request, _| {
                pictures.insert(request.images[0].to_vec());
                match pictures.len() {
                    1 => Ok(seeing.ask(request)?.text),
                    _ => Err("input operand has more dimensions than allowed".into()),
                }
            })
        });
        assert_eq!(label, "ERROR@2");
        assert_eq!(values(&run, Metric::ExactMatch).len(), 13);
        assert!(
            reasons(&run)[0].starts_with("call 2: input operand"),
            "{:?}",
            reasons(&run)
        );
    }

    #[test]
    fn fresh_processes_that_differ_are_not_drift() {
        let mut process = 0;
        let (_, label) = verdict(|_| {
            process += 1;
            let shift = process;
            Fake::seeing().twisted(move |reply, _| reply.output_ids[2] = shift)
        });
        assert_eq!(label, "NONDETERMINISTIC");
    }

    #[test]
    fn a_flip_within_the_noise_is_a_near_tie() {
        let mut process = 0;
        let (_, label) = verdict(|_| {
            process += 1;
            let shift = 0.01 * process as f32;
            Fake::seeing().twisted(move |reply, call| {
                reply.first_logits[0] += shift;
                reply.margins.fill(0.001);
                if call == 3 {
                    reply.output_ids[9] = 98;
                }
            })
        });
        assert_eq!(label, "NEAR-TIE");
    }

    #[test]
    fn a_model_that_never_answers_fails_the_cell() {
        let (run, label) = verdict(|_| Fake::new(|_, _| Err("out of memory".into())));
        assert_eq!(label, "ERROR");
        assert!(matches!(run.outcome, store::Outcome::Failed { .. }));
    }

    #[test]
    fn logits_compare_by_value_and_refuse_what_cannot_be() {
        let reference = |logits: &[f32]| Reference {
            input: "a".to_owned(),
            ids: vec![1],
            logits: logits.iter().map(|value| value.to_bits()).collect(),
            margins: Vec::new(),
        };
        let (run, _) = verdict(|_| {
            Fake::seeing().twisted(|reply, call| {
                reply.first_logits[0] = if call > 1 { f32::NAN } else { 0.5 }
            })
        });
        assert!(
            reasons(&run).contains(&"not a finite number"),
            "{:?}",
            reasons(&run)
        );
        let messages = [Message::user("describe")];
        let reply = Fake::seeing()
            .ask(&crate::scenarios::fake::request(&[], &messages))
            .unwrap();
        assert!(Change::between(&reference(&[0.0]), &reply).logits.is_nan());
    }
}
