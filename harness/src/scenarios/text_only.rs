//! `text-only`: does the model answer without a picture? No picture, no placeholder, no stand-in.

use store::Metric;

use crate::message::Epoch;
use crate::score::{is_degenerate, is_right};
use crate::subject::{AskError, Subject, Turns, not_offered};

use super::probe::{Place, Question};
use super::{Needs, Probe, Profile, Scenario};

/// Most ids of an answer.
const MOST: usize = 32;

/// Questions with checkable answers, and free ones judged by their form alone.
///
/// A model that cannot be told earlier turns is not asked what needs them; one that offers no
/// answers without a picture is asked once, and that is its verdict.
pub(super) struct TextOnly;

impl Scenario for TextOnly {
    fn name(&self) -> &'static str {
        "text-only"
    }

    fn about(&self) -> &'static str {
        "questions without any picture"
    }

    fn version(&self) -> u32 {
        2
    }

    fn metrics(&self) -> &'static [Metric] {
        &[Metric::TextRight, Metric::TextDegenerate]
    }

    fn needs(&self) -> Needs {
        Needs::TrainedWeights
    }

    fn epochs(&self, _: Profile) -> Vec<Epoch> {
        vec![Epoch::new("", 1)]
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let set = probe.set;
        for (at, item) in set.text.iter().enumerate() {
            let messages = item.conversation();
            if messages.len() > 1 && subject.loaded().turns == Turns::One {
                continue;
            }
            let asked = match probe.ask(subject, &Question::new(None, &messages, MOST)) {
                Ok(asked) => asked,
                Err(error) => match not_offered(&error) {
                    Some(what) => {
                        probe.not_offered(Metric::TextRight, what);
                        return Ok(());
                    }
                    None => return Err(error),
                },
            };
            let (text, fault) = (&asked.reply.text, asked.broken.as_deref());
            let right = is_right(text, &item.answer.0, &set.text_answers(&messages));
            let judged = item.answer.shown().map(|expected| (expected, right));
            if judged.is_some() {
                probe.value_unless(fault, Metric::TextRight, f64::from(u8::from(right)));
            }
            // A right answer is one, whatever its form: "..." may be asked for.
            let degenerate = !right && is_degenerate(text);
            probe.value_unless(
                fault,
                Metric::TextDegenerate,
                f64::from(u8::from(degenerate)),
            );
            probe.answer(
                Place {
                    item: &item.id,
                    arm: "text",
                },
                &asked.reply,
                judged,
            );
            probe.progress(at + 1, set.text.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, reasons, run_cell, values};
    use store::summary::rows;

    fn verdict(fresh: impl Fn() -> Fake) -> (store::Run, String) {
        let run = run_cell(&TextOnly, &[], |_| fresh());
        let label = rows(std::slice::from_ref(&run))[0].text.label.clone();
        (run, label)
    }

    #[test]
    fn right_answers_are_support() {
        let (run, label) = verdict(Fake::seeing);
        assert_eq!(
            (label.as_str(), values(&run, Metric::TextRight)),
            ("SUPPORTED", vec![1.0; 20])
        );
    }

    #[test]
    fn empty_answers_are_degenerate() {
        assert_eq!(verdict(|| Fake::constant("")).1, "DEGENERATE");
        assert_eq!(
            verdict(|| Fake::constant("so it so it so it so it")).1,
            "DEGENERATE"
        );
    }

    #[test]
    fn wrong_answers_are_no_support() {
        assert_eq!(verdict(|| Fake::constant("I cannot say")).1, "DEGRADED");
    }

    #[test]
    fn a_call_that_raises_is_an_error_not_a_lack() {
        assert_eq!(
            verdict(|| Fake::new(|_, _| Err("missing argument".into()))).1,
            "API-ERROR"
        );
    }

    #[test]
    fn a_model_that_offers_none_is_asked_once() {
        let calls = std::rc::Rc::new(std::cell::Cell::new(0));
        let seen = calls.clone();
        let (run, label) = verdict(move || {
            let seen = seen.clone();
            Fake::new(move |_, call| {
                seen.set(call);
                let what = "it answers questions about a picture only".to_owned();
                Err(crate::Error::NotOffered(what).into())
            })
        });
        assert_eq!((label.as_str(), calls.get()), ("UNSUPPORTED-BY-DESIGN", 1));
        assert_eq!((run.samples(), run.voids().len()), (&[][..], 1));
        assert!(run.voids()[0].is_by_design() && run.voids()[0].count == 0);
    }

    #[test]
    fn a_smuggled_picture_is_void() {
        let (run, label) = verdict(|| Fake::seeing().twisted(|reply, _| reply.image_tokens = 3));
        assert_eq!((run.samples(), label.as_str()), (&[][..], "void"));
        assert!(reasons(&run)[0].starts_with("I1"), "{:?}", reasons(&run));
    }
}
