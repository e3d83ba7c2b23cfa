//! `vision`: does the answer depend on the picture?

use std::collections::BTreeSet;

use store::Metric;

use crate::message::Epoch;
use crate::probes::{VisionItem, blank_like};
use crate::score::{is_right, normalise};
use crate::subject::{AskError, Message, Subject};

use super::probe::{Asked, Place, Question};
use super::{Needs, Probe, Profile, Scenario};

/// Most ids of a short answer.
const MOST: usize = 32;

/// Most ids of a description.
const MOST_DESCRIBED: usize = 64;

/// Each arm with the metric of its answers.
const ARMS: [(&str, Metric); 3] = [
    ("right", Metric::VisionRight),
    ("blank", Metric::VisionBlank),
    ("shuffled", Metric::VisionShuffled),
];

/// The same questions with the right picture, a blank one, and another item's.
///
/// Profile quick asks 16 of the items. Greedy answers repeat, so one process suffices; whether they
/// do repeat is `state-drift`'s question. Beside the questions, half as many pictures are described
/// in the same words: a model that says one thing of all pictures is blind, however good its
/// guesses are.
pub(super) struct Vision;

impl Scenario for Vision {
    fn name(&self) -> &'static str {
        "vision"
    }

    fn about(&self) -> &'static str {
        "questions with the right picture, a blank one and another item's"
    }

    fn version(&self) -> u32 {
        2
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::VisionRight,
            Metric::VisionBlank,
            Metric::VisionShuffled,
            Metric::VisionDistinct,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::TrainedWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        vec![Epoch::new("", profile.pick([16, 1000, 1000]))]
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let set = probe.set;
        let chosen = chosen(set.vision.len(), probe.epoch.trials as usize);
        for (done, &at) in chosen.iter().enumerate() {
            let item = &set.vision[at];
            let picture = set.picture(&item.image);
            let blank =
                blank_like(picture).map_err(|error| format!("{}: {error:#}", item.image))?;
            let other = set.picture(shuffled(&set.vision, at));
            ask_arms(subject, probe, item, [picture, &blank, other])?;
            probe.progress(done + 1, chosen.len() + 1);
        }
        let described = chosen.iter().take((probe.epoch.trials / 2) as usize);
        let pictures = described.map(|&at| set.vision[at].image.as_str());
        distinct(subject, probe, &pictures.collect())?;
        probe.progress(chosen.len() + 1, chosen.len() + 1);
        Ok(())
    }
}

/// At most so many of all items, evenly spread over the set, which lists them by kind.
fn chosen(all: usize, most: usize) -> Vec<usize> {
    let number = all.min(most);
    (0..number).map(|n| n * all / number).collect()
}

/// The next item's picture that is another one and, where there is such, has another answer.
fn shuffled(items: &[VisionItem], at: usize) -> &str {
    let item = &items[at];
    let others = || {
        items[at + 1..]
            .iter()
            .chain(&items[..at])
            .filter(|other| other.image != item.image)
    };
    let differs = |other: &&VisionItem| other.prompt == item.prompt && other.answer != item.answer;
    let found = others().find(differs).or_else(|| others().next());
    found.map_or(&item.image, |other| &other.image)
}

/// Asks one item in all arms. The arms are compared item by item, so a broken one voids all.
fn ask_arms(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    item: &VisionItem,
    pictures: [&[u8]; 3],
) -> Result<(), AskError> {
    let messages = [Message::user(&item.prompt)];
    let rivals = probe.set.vision_answers(&item.prompt);
    let mut broken = None;
    let mut values = Vec::new();
    for ((arm, metric), picture) in ARMS.into_iter().zip(pictures) {
        let asked = probe.ask(subject, &Question::new(Some(picture), &messages, MOST))?;
        let right = is_right(&asked.reply.text, &item.answer.0, &rivals);
        let judged = item.answer.shown().map(|expected| (expected, right));
        probe.answer(
            Place {
                item: &item.id,
                arm,
            },
            &asked.reply,
            judged,
        );
        broken = broken.or(asked.broken);
        values.push((metric, f64::from(u8::from(right))));
    }
    for (metric, value) in values {
        probe.value_unless(broken.as_deref(), metric, value);
    }
    Ok(())
}

/// Share of distinct descriptions among these pictures, asked in the same words.
fn distinct(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    pictures: &BTreeSet<&str>,
) -> Result<(), AskError> {
    let set = probe.set;
    let messages = [Message::user(&set.describe)];
    let mut seen = BTreeSet::new();
    let mut broken = None;
    for &name in pictures {
        let question = Question::new(Some(set.picture(name)), &messages, MOST_DESCRIBED);
        let Asked {
            reply,
            broken: fault,
            ..
        } = probe.ask(subject, &question)?;
        probe.answer(
            Place {
                item: name,
                arm: "describe",
            },
            &reply,
            None,
        );
        seen.insert(normalise(&reply.text));
        broken = broken.or(fault);
    }
    let share = seen.len() as f64 / pictures.len().max(1) as f64;
    probe.value_unless(broken.as_deref(), Metric::VisionDistinct, share);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, reasons, run_cell, set, values};
    use store::summary::rows;

    fn verdict(fresh: impl Fn() -> Fake) -> (store::Run, String) {
        let run = run_cell(&Vision, &[], |_| fresh());
        let label = rows(std::slice::from_ref(&run))[0].vision.label.clone();
        (run, label)
    }

    #[test]
    fn a_seeing_model_sees() {
        let (run, label) = verdict(Fake::seeing);
        assert_eq!(label, "SEES");
        assert_eq!(values(&run, Metric::VisionRight), [1.0; 12]);
        assert_eq!(values(&run, Metric::VisionBlank), [0.0; 12]);
        assert_eq!(values(&run, Metric::VisionShuffled), [0.0; 12]);
        assert_eq!(values(&run, Metric::VisionDistinct), [1.0]);
        assert_eq!(run.answers.len(), 3 * 12 + 8);
        assert!(
            run.answers
                .iter()
                .all(|answer| answer.prompt.contains("<image>"))
        );
    }

    #[test]
    fn a_constant_answer_is_blind() {
        let (run, label) = verdict(|| Fake::constant("red"));
        assert_eq!(label, "BLIND");
        assert_eq!(values(&run, Metric::VisionDistinct), [1.0 / 8.0]);
    }

    #[test]
    fn an_empty_answer_is_wrong_not_right() {
        let (run, label) = verdict(|| Fake::constant(""));
        assert_eq!(
            (label.as_str(), values(&run, Metric::VisionRight)),
            ("BLIND", vec![0.0; 12])
        );
    }

    #[test]
    fn an_engine_that_raises_on_pictures_is_broken() {
        let (run, label) = verdict(|| Fake::new(|_, _| Err("axis remapping".into())));
        assert_eq!(label, "ERROR");
        assert_eq!(rows(&[run])[0].status.rule, "R2");
    }

    #[test]
    fn a_prompt_without_the_picture_is_void() {
        let dropped = || {
            Fake::seeing().twisted(|reply, _| reply.prompt = reply.prompt.replace("<image>", ""))
        };
        let (run, label) = verdict(dropped);
        assert_eq!((run.samples(), label.as_str()), (&[][..], "void"));
        assert!(reasons(&run)[0].starts_with("I2"), "{:?}", reasons(&run));
    }

    #[test]
    fn a_short_session_asks_items_from_all_over_the_set() {
        assert_eq!(chosen(36, 4), [0, 9, 18, 27]);
        assert_eq!(chosen(3, 16), [0, 1, 2]);
        assert_eq!(chosen(0, 16), [0; 0]);
    }

    #[test]
    fn shuffled_pictures_are_never_the_right_ones() {
        let items = set().vision;
        for (at, item) in items.iter().enumerate() {
            assert_ne!(shuffled(&items, at), item.image);
        }
    }
}
