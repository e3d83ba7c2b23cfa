//! `context`: does the model remember what it was shown and told?

use store::Metric;

use crate::message::Epoch;
use crate::probes::{Scene, Turn};
use crate::score::{is_right, normalise};
use crate::subject::{AskError, Message, Role, Subject, Turns, not_offered};

use super::probe::{Asked, Place, Question};
use super::{Needs, Probe, Profile, Scenario};

/// Most ids of an answer.
const MOST: usize = 32;

/// Most ids of a description.
const MOST_DESCRIBED: usize = 64;

/// The turn at which a fact is asked again, the first being turn 1.
const TURN: usize = 4;

/// Facts of a scene, asked four ways.
///
/// (i) first, with the picture; (ii) at turn 4 after neutral turns, with the picture and the whole
/// history, in which the earlier answers are the model's own; (iii) after the model's own
/// description of the picture, as text alone, where that description holds the answer; (iv) with
/// neither picture nor history, which is chance. A model that cannot be told earlier turns is asked
/// (i) and (iv) alone: no history is made up for it.
pub(super) struct Context;

impl Scenario for Context {
    fn name(&self) -> &'static str {
        "context"
    }

    fn about(&self) -> &'static str {
        "facts asked first, after other turns, from history alone, and by chance"
    }

    fn version(&self) -> u32 {
        1
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::ContextDirect,
            Metric::ContextRetained,
            Metric::ContextTextOnly,
            Metric::ContextChance,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::TrainedWeights
    }

    fn epochs(&self, _: Profile) -> Vec<Epoch> {
        vec![Epoch::new("", 1)]
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let set = probe.set;
        if subject.loaded().turns == Turns::One {
            return ask_stateless(subject, probe);
        }
        for (at, scene) in set.context.iter().enumerate() {
            Talk::begin(scene, subject, probe)?.compare(subject, probe)?;
            probe.progress(at + 1, set.context.len());
        }
        Ok(())
    }
}

/// What was said about one scene before its facts are asked.
struct Talk<'a> {
    scene: &'a Scene,
    /// Neutral turns, picture in the first, and the model's answers.
    history: Vec<Message>,
    /// The request for a description, and the model's.
    described: Vec<Message>,
}

impl<'a> Talk<'a> {
    fn begin(
        scene: &'a Scene,
        subject: &mut dyn Subject,
        probe: &mut Probe<'_>,
    ) -> Result<Self, AskError> {
        let set = probe.set;
        let picture = Some(set.picture(&scene.image));
        let mut history = Vec::new();
        for (at, filler) in scene.fillers.iter().take(TURN - 1).enumerate() {
            history.push(Message::user(&filler.ask));
            let asked = probe.ask(subject, &Question::new(picture, &history, MOST))?;
            keep(probe, scene, (filler, &format!("turn {}", at + 1)), &asked);
            history.push(said(&asked));
        }
        let mut described = vec![Message::user(&set.describe)];
        let asked = probe.ask(subject, &Question::new(picture, &described, MOST_DESCRIBED))?;
        described.push(said(&asked));
        Ok(Self {
            scene,
            history,
            described,
        })
    }

    fn compare(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        for fact in &self.scene.facts {
            self.ask_arms(subject, probe, fact)?;
            if told(&self.described, fact) {
                let messages = with(&self.described, fact);
                let asked = probe.ask(subject, &Question::new(None, &messages, MOST))?;
                keep(probe, self.scene, (fact, "text only"), &asked);
                let value = score(fact, &asked);
                probe.value_unless(asked.broken.as_deref(), Metric::ContextTextOnly, value);
            }
        }
        Ok(())
    }

    /// Asks one fact in the arms that are compared fact by fact, so that a broken one voids all.
    fn ask_arms(
        &self,
        subject: &mut dyn Subject,
        probe: &mut Probe<'_>,
        fact: &Turn,
    ) -> Result<(), AskError> {
        let picture = Some(probe.set.picture(&self.scene.image));
        let later = format!("turn {}", self.history.len() / 2 + 1);
        let arms = [
            (Metric::ContextDirect, "direct", picture, with(&[], fact)),
            (
                Metric::ContextRetained,
                &later,
                picture,
                with(&self.history, fact),
            ),
            (Metric::ContextChance, "chance", None, with(&[], fact)),
        ];
        let mut broken = None;
        let mut values = Vec::new();
        for (metric, arm, picture, messages) in arms {
            let asked = probe.ask(subject, &Question::new(picture, &messages, MOST))?;
            keep(probe, self.scene, (fact, arm), &asked);
            values.push((metric, score(fact, &asked)));
            broken = broken.or(asked.broken);
        }
        for (metric, value) in values {
            probe.value_unless(broken.as_deref(), metric, value);
        }
        Ok(())
    }
}

/// The arms without a history. A model that offers no answers without a picture has no chance arm.
fn ask_stateless(subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
    let set = probe.set;
    let mut chance = true;
    for (at, scene) in set.context.iter().enumerate() {
        for fact in &scene.facts {
            let messages = with(&[], fact);
            let picture = Some(set.picture(&scene.image));
            let asked = probe.ask(subject, &Question::new(picture, &messages, MOST))?;
            keep(probe, scene, (fact, "direct"), &asked);
            let fault = asked.broken.as_deref();
            probe.value_unless(fault, Metric::ContextDirect, score(fact, &asked));
            if chance {
                chance = ask_chance(subject, probe, (scene, fact))?;
            }
        }
        probe.progress(at + 1, set.context.len());
    }
    for metric in [Metric::ContextRetained, Metric::ContextTextOnly] {
        probe.not_offered(metric, "no form for earlier turns");
    }
    Ok(())
}

/// Asks a fact with neither picture nor history; whether the model answers that at all.
fn ask_chance(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    (scene, fact): (&Scene, &Turn),
) -> Result<bool, AskError> {
    let messages = with(&[], fact);
    match probe.ask(subject, &Question::new(None, &messages, MOST)) {
        Ok(asked) => {
            keep(probe, scene, (fact, "chance"), &asked);
            let fault = asked.broken.as_deref();
            probe.value_unless(fault, Metric::ContextChance, score(fact, &asked));
            Ok(true)
        }
        Err(error) => {
            let Some(what) = not_offered(&error) else {
                return Err(error);
            };
            probe.not_offered(Metric::ContextChance, what);
            Ok(false)
        }
    }
}

fn with(history: &[Message], fact: &Turn) -> Vec<Message> {
    history
        .iter()
        .cloned()
        .chain([Message::user(&fact.ask)])
        .collect()
}

/// What the model said, as its next turn is shown it: the white space that it begins with is its
/// template's own and would stand there twice.
fn said(asked: &Asked) -> Message {
    Message::assistant(asked.reply.text.trim())
}

/// Whether the model itself said the answer, as whole words.
fn told(history: &[Message], fact: &Turn) -> bool {
    let words = |text: &str| {
        let plain = normalise(text).replace(|c: char| !c.is_alphanumeric(), " ");
        format!(
            " {} ",
            plain.split_whitespace().collect::<Vec<_>>().join(" ")
        )
    };
    let said = history
        .iter()
        .filter(|message| message.role == Role::Assistant);
    let said: String = said.map(|message| words(&message.text)).collect();
    fact.answer
        .0
        .iter()
        .any(|answer| said.contains(&words(answer)))
}

fn keep(probe: &mut Probe<'_>, scene: &Scene, (turn, arm): (&Turn, &str), asked: &Asked) {
    let judged = turn
        .answer
        .shown()
        .map(|expected| (expected, score(turn, asked) > 0.0));
    let item = format!("{}: {}", scene.id, turn.ask);
    probe.answer(Place { item: &item, arm }, &asked.reply, judged);
}

/// 1 for a right answer.
fn score(turn: &Turn, asked: &Asked) -> f64 {
    f64::from(u8::from(is_right(&asked.reply.text, &turn.answer.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, reasons, run_cell, values};
    use store::summary::rows;

    fn verdict(fresh: impl Fn() -> Fake) -> (store::Run, String) {
        let run = run_cell(&Context, &[], |_| fresh());
        let label = rows(std::slice::from_ref(&run))[0].context.label.clone();
        (run, label)
    }

    #[test]
    fn a_remembering_model_retains() {
        let (run, label) = verdict(Fake::seeing);
        assert_eq!(label, "RETAINS");
        assert_eq!(values(&run, Metric::ContextDirect), [1.0; 12]);
        assert_eq!(values(&run, Metric::ContextRetained), [1.0; 12]);
        assert_eq!(values(&run, Metric::ContextTextOnly), [1.0; 12]);
        assert_eq!(values(&run, Metric::ContextChance), [0.0; 12]);
    }

    #[test]
    fn history_holds_the_models_own_answers() {
        let (run, _) = verdict(Fake::seeing);
        let later = run
            .answers
            .iter()
            .find(|answer| answer.arm == "turn 4")
            .unwrap();
        assert!(
            later.prompt.contains("Assistant: red\n"),
            "{}",
            later.prompt
        );
        let told = run
            .answers
            .iter()
            .find(|answer| answer.arm == "text only")
            .unwrap();
        assert!(
            told.prompt.contains("Assistant: It is red\n"),
            "{}",
            told.prompt
        );
        assert!(!told.prompt.contains("<image>"), "{}", told.prompt);
    }

    #[test]
    fn a_model_that_forgets_loses() {
        let forgetful = || {
            let mut seeing = Fake::seeing();
            Fake::new(move |request, _| match request.messages.len() {
                1 => Ok(seeing.ask(request)?.text),
                _ => Ok("what?".to_owned()),
            })
        };
        assert_eq!(verdict(forgetful).1, "LOSES");
    }

    #[test]
    fn a_template_that_drops_the_assistant_is_void() {
        let dropping = || {
            Fake::seeing().twisted(|reply, _| {
                let kept = reply
                    .prompt
                    .lines()
                    .filter(|line| !line.starts_with("Assistant"));
                reply.prompt = kept.collect::<Vec<_>>().join("\n");
            })
        };
        let (run, label) = verdict(dropping);
        assert_eq!(
            (values(&run, Metric::ContextRetained), label.as_str()),
            (Vec::new(), "void")
        );
        assert_eq!(reasons(&run)[0], "I2: turn 2 is not in the rendered prompt");
    }

    #[test]
    fn a_model_without_earlier_turns_is_stateless() {
        let (run, label) = verdict(|| Fake::seeing().stateless());
        assert_eq!(label, "n/a (stateless)");
        let arms = [
            (Metric::ContextDirect, vec![1.0; 12]),
            (Metric::ContextChance, vec![0.0; 12]),
            (Metric::ContextRetained, vec![]),
            (Metric::ContextTextOnly, vec![]),
        ];
        for (metric, wanted) in arms {
            assert_eq!(values(&run, metric), wanted, "{metric}");
        }
        assert!(run.voids().iter().all(store::Void::is_by_design));
        let row = &rows(std::slice::from_ref(&run))[0];
        let line = store::summary::verdict_line(row).unwrap();
        assert!(
            line.contains("context n/a (stateless) (direct 12/12, chance 0/12;"),
            "{line}"
        );
    }

    #[test]
    fn a_stateless_model_without_text_answers_has_no_chance() {
        let picture_only = || {
            let mut seeing = Fake::seeing();
            Fake::new(move |request, _| match request.images {
                [] => Err(crate::Error::NotOffered("no picture".to_owned()).into()),
                _ => Ok(seeing.ask(request)?.text),
            })
            .stateless()
        };
        let (run, label) = verdict(picture_only);
        assert_eq!(label, "n/a (stateless)");
        assert_eq!(values(&run, Metric::ContextDirect), [1.0; 12]);
        assert_eq!(reasons(&run)[0], "unsupported by design: no picture");
    }

    #[test]
    fn whole_words_tell() {
        let history = [
            Message::user("Is it red?"),
            Message::assistant("A bored, blue cat."),
        ];
        let turn = |text: &str| Turn {
            ask: String::new(),
            answer: crate::probes::Accepted(vec![text.to_owned()]),
        };
        assert!(told(&history, &turn("Blue")));
        assert!(!told(&history, &turn("red")));
    }
}
