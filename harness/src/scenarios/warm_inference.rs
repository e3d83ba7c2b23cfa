//! `warm-inference`: how fast a loaded model answers, without and with barriers between phases.

use std::time::Duration;

use store::Metric;
use store::stats::median;

use crate::measure::Clock;
use crate::message::Epoch;
use crate::subject::{AskError, Message, Pass, Stages, Stop, Subject};

use super::invariants::above_roof;
use super::probe::{Asked, Place, Question};
use super::{Needs, Probe, Profile, Scenario};

/// Most ids of the answer that users wait for.
const MOST: usize = 100;

/// Ids decoded where the length is fixed.
const FIXED: usize = 64;

/// Fewest and most requests before the first that counts.
const WARM_UP: (usize, usize) = (2, 8);

/// How near two successive warm-up totals must be.
const SETTLED: f64 = 0.05;

/// Work of one epoch after which no warm-up beyond the fewest and no second trial starts: a
/// full-size model on a slow processor, half a minute a request, must fit into the cell's limit.
const ENOUGH: Duration = Duration::from_secs(60);

const FUSED: [Metric; 5] = [
    Metric::Inference,
    Metric::Ttft,
    Metric::PromptTokens,
    Metric::ImageTokens,
    Metric::OutputTokens,
];

/// Warm requests.
///
/// A trial asks three times about one picture, another picture each trial: once as a user would
/// (greedy, at most 100 ids, natural end, no barriers), once for exactly 64 ids, once with a
/// barrier after each phase.
pub(super) struct WarmInference;

impl Scenario for WarmInference {
    fn name(&self) -> &'static str {
        "warm-inference"
    }

    fn about(&self) -> &'static str {
        "a loaded model's answer: total, first token, decode rate, phases"
    }

    fn version(&self) -> u32 {
        1
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::Inference,
            Metric::Ttft,
            Metric::InterToken,
            Metric::Decode,
            Metric::ImagePrep,
            Metric::VisionEncode,
            Metric::Prefill,
            Metric::Unattributed,
            Metric::BarrierOverhead,
            Metric::PromptTokens,
            Metric::ImageTokens,
            Metric::OutputTokens,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::AnyWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        vec![Epoch::new("", profile.pick([5, 10, 20])); profile.epochs()]
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let (set, trials) = (probe.set, probe.epoch.trials as usize);
        let messages = [Message::user(&set.describe)];
        warm_up(
            subject,
            probe,
            &Question::new(Some(set.rotated(0).1), &messages, MOST),
        )?;
        let clock = Clock::start();
        let mut totals = (Vec::new(), Vec::new());
        for trial in 0..trials {
            if trial > 0 && clock.elapsed() > ENOUGH {
                break;
            }
            let (name, picture) = set.rotated(trial);
            let question = Question::new(Some(picture), &messages, MOST);
            let asked = fused(subject, probe, &question)?;
            if trial == 0 {
                probe.answer(
                    Place {
                        item: name,
                        arm: "describe",
                    },
                    &asked.reply,
                    None,
                );
            }
            decode(subject, probe, &question)?;
            let barred = phased(subject, probe, &question)?;
            if asked.untimed.is_none() && barred.untimed.is_none() {
                totals.0.push(asked.reply.stages.total.as_secs_f64());
                totals.1.push(barred.reply.stages.total.as_secs_f64());
            }
            probe.progress(trial + 1, trials);
        }
        if let (Some(without), Some(with)) = (median(&totals.0), median(&totals.1)) {
            probe.value(Metric::BarrierOverhead, with / without - 1.0);
        }
        Ok(())
    }
}

/// Asks until two successive totals are alike: kernels, caches and clocks settle first.
fn warm_up(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    question: &Question<'_>,
) -> Result<(), AskError> {
    let mut last = None;
    let clock = Clock::start();
    for request in 1..=WARM_UP.1 {
        let total = probe
            .ask(subject, question)?
            .reply
            .stages
            .total
            .as_secs_f64();
        let settled = last.is_some_and(|last: f64| (total - last).abs() <= SETTLED * last);
        if request >= WARM_UP.0 && (settled || clock.elapsed() > ENOUGH) {
            break;
        }
        last = Some(total);
    }
    Ok(())
}

/// As a user would ask.
fn fused(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    question: &Question<'_>,
) -> Result<Asked, AskError> {
    let asked = probe.ask(subject, question)?;
    let (reply, fault) = (&asked.reply, asked.untimed.as_deref());
    let first = reply
        .stages
        .tokens
        .first()
        .map_or(f64::NAN, Duration::as_secs_f64);
    let total = reply.stages.total.as_secs_f64();
    let counts = [reply.positions, reply.image_tokens, reply.output_ids.len()].map(|n| n as f64);
    for (metric, value) in FUSED
        .into_iter()
        .zip([total, first, counts[0], counts[1], counts[2]])
    {
        probe.value_unless(fault, metric, value);
    }
    Ok(asked)
}

/// A fixed number of ids.
fn decode(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    question: &Question<'_>,
) -> Result<(), AskError> {
    let fixed = Question {
        most: FIXED,
        stop: Stop::AtLimit,
        ..*question
    };
    let asked = probe.ask(subject, &fixed)?;
    let tokens = &asked.reply.stages.tokens;
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        probe.void(Metric::Decode, "no token was generated");
        return Ok(());
    };
    let steps = tokens.len().saturating_sub(1) as f64;
    let rate = steps / last.saturating_sub(*first).as_secs_f64();
    let roof = above_roof(rate, subject.loaded().weight_bytes);
    let fault = asked.untimed.as_deref().or(roof.as_deref());
    probe.value_unless(fault, Metric::Decode, rate);
    for pair in tokens.windows(2) {
        let gap = pair[1].saturating_sub(pair[0]).as_secs_f64();
        probe.value_unless(fault, Metric::InterToken, gap);
    }
    Ok(())
}

/// With a barrier after each phase.
fn phased(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    question: &Question<'_>,
) -> Result<Asked, AskError> {
    let asked = probe.ask(
        subject,
        &Question {
            pass: Pass::Phased,
            ..*question
        },
    )?;
    let positions = asked.reply.positions as f64;
    for (metric, value) in phases(&asked.reply.stages, positions) {
        probe.value_unless(asked.untimed.as_deref(), metric, value);
    }
    Ok(asked)
}

/// What each phase took. Not a number where a mark is missing, which no sample accepts.
fn phases(stages: &Stages, positions: f64) -> [(Metric, f64); 4] {
    let seconds = |mark: Option<Duration>| mark.map_or(f64::NAN, |mark| mark.as_secs_f64());
    let (image, vision) = (stages.image_prep.as_secs_f64(), seconds(stages.vision));
    let (prefill, last) = (
        seconds(stages.prefill),
        seconds(stages.tokens.last().copied()),
    );
    let total = stages.total.as_secs_f64();
    let sum = image + (vision - image) + (prefill - vision) + (last - prefill);
    [
        (Metric::ImagePrep, image),
        (Metric::VisionEncode, vision - image),
        (Metric::Prefill, positions / (prefill - vision)),
        (Metric::Unattributed, (total - sum) / total),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, reasons, run_cell, values};

    #[test]
    fn a_healthy_model_yields_every_metric_and_no_void() {
        let run = run_cell(&WarmInference, &[], |_| Fake::seeing());
        assert_eq!(reasons(&run), Vec::<&str>::new());
        for &metric in WarmInference.metrics() {
            assert_eq!(
                run.sample(metric).map(|s| s.epochs.len()),
                Some(2),
                "{metric}"
            );
        }
        assert_eq!(values(&run, Metric::Inference).len(), 10);
        assert_eq!(values(&run, Metric::InterToken).len(), 10 * (FIXED - 1));
        let decode = values(&run, Metric::Decode)[0];
        assert!((decode - 1e6).abs() < 1.0, "{decode}");
        let vision = values(&run, Metric::VisionEncode)[0];
        assert!((vision - 20e-6).abs() < 1e-9, "{vision}");
        assert_eq!(values(&run, Metric::ImageTokens)[0], 16.0);
    }

    #[test]
    fn an_empty_answer_has_no_time() {
        let run = run_cell(&WarmInference, &[], |_| Fake::constant(""));
        assert_eq!(values(&run, Metric::Inference), [0.0; 0]);
        assert!(
            reasons(&run).contains(&"I3: 1 ids of output"),
            "{:?}",
            reasons(&run)
        );
    }

    #[test]
    fn an_echo_has_no_time() {
        let echo = |request: &crate::subject::Request<'_>, _| {
            Ok(format!(
                "{:?}: {}",
                request.messages[0].role, "describe, describe, describe"
            ))
        };
        let run = run_cell(&WarmInference, &[], move |_| {
            Fake::new(echo).twisted(|reply, _| {
                let said = reply.text.clone();
                reply.prompt.push_str(&said);
            })
        });
        assert_eq!(values(&run, Metric::Inference), [0.0; 0]);
        assert!(
            reasons(&run).contains(&"I3: the answer repeats the prompt"),
            "{:?}",
            reasons(&run)
        );
    }

    #[test]
    fn a_model_that_got_no_picture_has_no_figures() {
        let run = run_cell(&WarmInference, &[], |_| {
            Fake::seeing().twisted(|reply, _| reply.image_tokens = 0)
        });
        assert_eq!(run.samples(), []);
        assert!(
            reasons(&run).iter().all(|reason| reason.starts_with("I1")),
            "{:?}",
            reasons(&run)
        );
    }

    #[test]
    fn simultaneous_tokens_have_no_rate() {
        let run = run_cell(&WarmInference, &[], |_| {
            Fake::seeing().twisted(|reply, _| {
                let first = reply.stages.tokens[0];
                reply.stages.tokens.fill(first);
            })
        });
        assert_eq!(values(&run, Metric::Decode), [0.0; 0]);
        assert_eq!(values(&run, Metric::InterToken), [0.0; 0]);
        assert_eq!(values(&run, Metric::Inference).len(), 10);
    }
}
