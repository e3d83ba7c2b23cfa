//! What is asked, by name.

use crate::probes::ProbeSet;
use crate::scenes::novel;
use crate::subject::{Message, Stop};

use super::super::probe::Question;

/// Ids of every answer: decoding on behind the natural end compares more steps.
const MOST: usize = 16;

/// Ids after which an answer is cut off.
const CUT_OFF: usize = 2;

/// Words that make a prompt too long: more than the positions of any model known (131,072).
const OVER_LONG: usize = 140_000;

/// One thing to ask. All want a description; they differ in the picture, but for the last two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The set's first picture.
    A,
    /// The set's second picture.
    B,
    /// A drawn picture of 448 x 448.
    Medium,
    /// A drawn picture of 1024 x 683.
    Large,
    /// Picture A with a prompt that no model has room for: to be refused, or survived.
    OverLong,
    /// Picture B, the answer cut off after two ids.
    CutOff,
}

impl Input {
    const ALL: [Self; 6] = [
        Self::A,
        Self::B,
        Self::Medium,
        Self::Large,
        Self::OverLong,
        Self::CutOff,
    ];

    /// As epochs, references and replays call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::OverLong => "over-long",
            Self::CutOff => "cut-off",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|input| input.name() == name)
    }

    /// Whether it only disturbs what comes next: how it ends is no matter.
    pub(super) const fn is_fault(self) -> bool {
        matches!(self, Self::OverLong | Self::CutOff)
    }

    /// The encoded picture. Drawn ones are the same in every process.
    pub(super) fn picture(self, set: &ProbeSet) -> Vec<u8> {
        match self {
            Self::A | Self::OverLong => set.rotated(0).1.to_vec(),
            Self::B | Self::CutOff => set.rotated(1).1.to_vec(),
            Self::Medium => novel((448, 448), 1),
            Self::Large => novel((1024, 683), 2),
        }
    }

    /// The conversation.
    pub(super) fn messages(self, set: &ProbeSet) -> [Message; 1] {
        let describe = set.describe.as_str();
        [Message::user(match self {
            Self::OverLong => format!("{describe}{}", " again".repeat(OVER_LONG)),
            _ => describe.to_owned(),
        })]
    }

    /// The question, without barriers.
    pub(super) const fn question<'a>(
        self,
        picture: &'a [u8],
        messages: &'a [Message],
    ) -> Question<'a> {
        let most = match self {
            Self::CutOff => CUT_OFF,
            _ => MOST,
        };
        Question {
            stop: Stop::AtLimit,
            ..Question::new(Some(picture), messages, most)
        }
    }
}

/// Inputs by name, as messages carry them.
pub(super) fn names(inputs: &[Input]) -> Vec<String> {
    let name = |input: &Input| input.name().to_owned();
    inputs.iter().map(name).collect()
}
