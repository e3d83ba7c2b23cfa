//! `context`: does the model remember what it was shown and told?

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use store::{Metric, NO_TURNS};

use crate::message::Epoch;
use crate::probes::{ProbeSet, Scene, Turn};
use crate::score::{holds_words, is_right};
use crate::subject::{AskError, Message, Role, Subject, Turns, not_offered};

use super::probe::{Asked, Place, Question};
use super::{Needs, Probe, Profile, Scenario};

/// Most ids of an answer.
const MOST: usize = 32;

/// Most ids of a description.
const MOST_DESCRIBED: usize = 64;

/// The turns at which a fact is asked again, the first being turn 1. Turn 4 is the headline.
const TURNS: [(usize, Metric); 3] = [
    (2, Metric::ContextAtTwo),
    (4, Metric::ContextRetained),
    (8, Metric::ContextAtEight),
];

/// The arm of a short epoch: turn 4 alone, about the first scenes.
const SHORT: &str = "turn 4";

/// The scenes of a short epoch.
const FEW: usize = 4;

/// Facts of scenes, each asked in several arms.
///
/// First, with the picture; at turns 2, 4 and 8 after neutral turns, with the picture and the whole
/// history, in which the earlier answers are the model's own; after the model's own description of
/// the picture, as text alone, where that description holds the answer; with neither picture nor
/// history, which is chance. A model that cannot be told earlier turns is asked first and by chance
/// alone: no history is made up for it. A turn whose history is longer than the model was made for
/// is not asked, from the first scene on where that shows, and said to be not offered.
pub(super) struct Context;

impl Scenario for Context {
    fn name(&self) -> &'static str {
        "context"
    }

    fn about(&self) -> &'static str {
        "facts asked first, after other turns, from history alone, and by chance"
    }

    fn version(&self) -> u32 {
        3
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::ContextDirect,
            Metric::ContextAtTwo,
            Metric::ContextRetained,
            Metric::ContextAtEight,
            Metric::ContextTextOnly,
            Metric::ContextChance,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::TrainedWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        let all = "turns 2, 4 and 8";
        vec![Epoch::new(profile.pick([SHORT, all, all]), 1)]
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let (set, short) = (probe.set, probe.epoch.arm == SHORT);
        let scenes = set.context.iter();
        let scenes: Vec<&Scene> = scenes.take(if short { FEW } else { usize::MAX }).collect();
        let mut exam = Exam {
            turns: if short { &TURNS[1..2] } else { &TURNS },
            refused: BTreeSet::new(),
            subject,
            probe,
        };
        let stateless = exam.subject.loaded().turns == Turns::One;
        if stateless {
            exam.refuse_turns();
        }
        for (at, scene) in scenes.iter().enumerate() {
            let talk = if stateless {
                Talk::of(scene)
            } else {
                exam.talk(scene)?
            };
            for fact in &scene.facts {
                exam.compare(&talk, fact)?;
                exam.ask_from_text(&talk, fact)?;
            }
            exam.probe.progress(at + 1, scenes.len());
        }
        Ok(())
    }
}

/// What was said about one scene before its facts are asked.
struct Talk<'a> {
    scene: &'a Scene,
    /// Neutral turns and the model's answers to them.
    history: Vec<Message>,
    /// The request for a description, and the model's.
    described: Vec<Message>,
}

impl<'a> Talk<'a> {
    const fn of(scene: &'a Scene) -> Self {
        Self {
            scene,
            history: Vec::new(),
            described: Vec::new(),
        }
    }
}

/// One way to ask a fact.
struct Arm<'a> {
    metric: Metric,
    name: String,
    picture: Option<&'a [u8]>,
    /// What was said before.
    before: &'a [Message],
}

/// The questions of one epoch under way.
struct Exam<'a, 'p> {
    subject: &'a mut dyn Subject,
    probe: &'a mut Probe<'p>,
    /// When facts are asked again.
    turns: &'static [(usize, Metric)],
    /// What the model turned out not to offer.
    refused: BTreeSet<Metric>,
}

impl<'p> Exam<'_, 'p> {
    /// Nothing that needs earlier turns is asked.
    fn refuse_turns(&mut self) {
        let turns = self.turns.iter().map(|(_, metric)| *metric);
        for metric in turns.chain([Metric::ContextTextOnly]) {
            self.refuse(metric, NO_TURNS);
        }
    }

    fn refuse(&mut self, metric: Metric, what: &str) {
        if self.refused.insert(metric) {
            self.probe.not_offered(metric, what);
        }
    }

    /// Asks; what the model does not offer, instead of an answer, where that is why there is none.
    fn ask(&mut self, question: &Question<'_>) -> Result<Result<Asked, String>, AskError> {
        match self.probe.ask(self.subject, question) {
            Ok(asked) => Ok(Ok(asked)),
            Err(error) => match not_offered(&error) {
                Some(what) => Ok(Err(what.to_owned())),
                None => Err(error),
            },
        }
    }

    /// Talks about a scene, up to the last turn that is asked for.
    fn talk<'s>(&mut self, scene: &'s Scene) -> Result<Talk<'s>, AskError> {
        let set = self.probe.set;
        let (mut talk, picture) = (Talk::of(scene), Some(set.picture(&scene.image)));
        let turns = self.turns.iter();
        let turns = turns.filter(|(_, metric)| !self.refused.contains(metric));
        let last = turns.map(|(turn, _)| *turn).max().unwrap_or(1);
        for (turn, filler) in (1..last).zip(&scene.fillers) {
            talk.history.push(Message::user(&filler.ask));
            match self.ask(&Question::new(picture, &talk.history, MOST))? {
                Ok(asked) => {
                    talk.history.push(said(&asked));
                    self.keep(scene, (filler, "between"), &asked);
                }
                Err(what) => {
                    let later = self.turns.iter().filter(|(at, _)| *at > turn);
                    later.for_each(|(_, metric)| self.refuse(*metric, &what));
                    break;
                }
            }
        }
        talk.described.push(Message::user(&set.describe));
        let question = Question::new(picture, &talk.described, MOST_DESCRIBED);
        match self.ask(&question)? {
            Ok(asked) => talk.described.push(said(&asked)),
            Err(what) => self.refuse(Metric::ContextTextOnly, &what),
        }
        Ok(talk)
    }

    /// Asks one fact in the arms that are compared fact by fact, so that a broken one voids all.
    fn compare(&mut self, talk: &Talk<'_>, fact: &Turn) -> Result<(), AskError> {
        let picture = Some(self.probe.set.picture(&talk.scene.image));
        let arm = |metric, name: &str, picture, before| Arm {
            metric,
            name: name.to_owned(),
            picture,
            before,
        };
        let mut arms = vec![arm(Metric::ContextDirect, "direct", picture, &[][..])];
        for &(turn, metric) in self.turns {
            if let Some(before) = talk.history.get(..2 * (turn - 1)) {
                arms.push(arm(metric, &format!("turn {turn}"), picture, before));
            }
        }
        arms.push(arm(Metric::ContextChance, "chance", None, &[]));
        let mut answers = Vec::new();
        for arm in arms {
            if self.refused.contains(&arm.metric) {
                continue;
            }
            let messages = with(arm.before, fact);
            match self.ask(&Question::new(arm.picture, &messages, MOST))? {
                Ok(asked) => answers.push((arm, asked)),
                Err(what) => self.refuse(arm.metric, &what),
            }
        }
        let broken = answers.iter().find_map(|(_, asked)| asked.broken.clone());
        for (arm, mut asked) in answers {
            asked.broken.clone_from(&broken);
            self.score(arm.metric, (talk.scene, fact, &arm.name), &asked);
        }
        Ok(())
    }

    /// Asks one fact from the model's own description, where that holds it.
    fn ask_from_text(&mut self, talk: &Talk<'_>, fact: &Turn) -> Result<(), AskError> {
        let metric = Metric::ContextTextOnly;
        if self.refused.contains(&metric) || !told(&talk.described, fact) {
            return Ok(());
        }
        let messages = with(&talk.described, fact);
        match self.ask(&Question::new(None, &messages, MOST))? {
            Ok(asked) => self.score(metric, (talk.scene, fact, "text only"), &asked),
            Err(what) => self.refuse(metric, &what),
        }
        Ok(())
    }

    fn score(&mut self, metric: Metric, place: (&Scene, &Turn, &str), asked: &Asked) {
        let (scene, fact, arm) = place;
        let value = f64::from(u8::from(right(self.probe.set, fact, asked)));
        self.keep(scene, (fact, arm), asked);
        self.probe
            .value_unless(asked.broken.as_deref(), metric, value);
    }

    /// Keeps an answer; a broken one unjudged, so that those judged are as many as the values.
    fn keep(&mut self, scene: &Scene, (turn, arm): (&Turn, &str), asked: &Asked) {
        let expected = turn.answer.shown().filter(|_| asked.broken.is_none());
        let judged = expected.map(|expected| (expected, right(self.probe.set, turn, asked)));
        let item = format!("{}: {}", scene.id, turn.ask);
        self.probe
            .answer(Place { item: &item, arm }, &asked.reply, judged);
    }
}

fn with(history: &[Message], fact: &Turn) -> Vec<Message> {
    let history = history.iter().cloned();
    history.chain([Message::user(&fact.ask)]).collect()
}

/// What the model said, as its next turn is shown it: the white space that it begins with is its
/// template's own and would stand there twice.
fn said(asked: &Asked) -> Message {
    Message::assistant(asked.reply.text.trim())
}

/// Whether the model itself said the answer, as whole words.
fn told(history: &[Message], fact: &Turn) -> bool {
    let mut said = history
        .iter()
        .filter(|message| message.role == Role::Assistant);
    said.any(|message| {
        let mut answers = fact.answer.0.iter();
        answers.any(|answer| holds_words(&message.text, answer))
    })
}

fn right(set: &ProbeSet, turn: &Turn, asked: &Asked) -> bool {
    let rivals = set.context_answers(&turn.ask);
    is_right(&asked.reply.text, &turn.answer.0, &rivals)
}
