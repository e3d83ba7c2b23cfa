//! What one process is asked, call by call.

use crate::message::Epoch;

use super::input::Input;

/// The same again and again.
pub(super) const SAME: &str = "same";
/// Two pictures in turn: finds engines whose second picture fails.
pub(super) const ALTERNATE: &str = "alternate";
/// Pictures of three sizes in turn.
pub(super) const ROTATING: &str = "rotating";
/// The same, with errors and broken-off work in between.
pub(super) const FAULTS: &str = "faults";

/// Inputs of one round of each long-lived arm. The last is the one that is timed.
const LONG: [(&str, &[Input]); 4] = [
    (SAME, &[Input::A]),
    (ALTERNATE, &[Input::A, Input::B]),
    (ROTATING, &[Input::Medium, Input::A, Input::Large]),
    (
        FAULTS,
        &[Input::A, Input::OverLong, Input::A, Input::CutOff, Input::A],
    ),
];

/// One kind of process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arm {
    /// Asked one input, for others to compare with.
    Fresh(Input),
    /// Asked these, round and round.
    Long(&'static [Input]),
    /// The same once more, where a process became slower: whether another one does too.
    Second(&'static [Input]),
    /// Asked these, to see whether the last of them fails.
    Replay(Vec<Input>),
    /// Asked one input, to see whether a fresh process is fast.
    Again(Input),
}

impl Arm {
    /// The arm by an epoch's name; none where there is no such arm.
    pub(super) fn of(name: &str) -> Option<Self> {
        let long = |name: &str| {
            LONG.iter()
                .find(|(long, _)| *long == name)
                .map(|long| long.1)
        };
        let mut words = name.split(' ');
        match (words.next()?, words) {
            ("fresh", mut rest) => Some(Self::Fresh(Input::named(rest.next()?)?)),
            ("again", mut rest) => Some(Self::Again(Input::named(rest.next()?)?)),
            ("replay", rest) => rest
                .map(Input::named)
                .collect::<Option<_>>()
                .map(Self::Replay),
            ("second", mut rest) => long(rest.next()?).map(Self::Second),
            (name, _) => long(name).map(Self::Long),
        }
    }

    /// One round.
    pub(super) fn round(&self) -> &[Input] {
        match self {
            Self::Fresh(input) | Self::Again(input) => std::slice::from_ref(input),
            Self::Long(round) | Self::Second(round) => round,
            Self::Replay(calls) => calls,
        }
    }

    /// What the call of that number, from 0, asks.
    pub(super) fn input(&self, at: usize) -> Input {
        let round = self.round();
        round
            .get(at % round.len().max(1))
            .copied()
            .unwrap_or(Input::A)
    }

    /// The input whose calls are timed and weighed.
    pub(super) fn timed(&self) -> Input {
        self.round().last().copied().unwrap_or(Input::A)
    }

    /// What it asks, for people.
    pub(super) fn words(&self) -> String {
        let names: Vec<_> = self.round().iter().map(|input| input.name()).collect();
        format!("inputs {}", names.join(", "))
    }
}

/// An epoch that makes these calls, by name.
pub(super) fn replay(calls: &[String]) -> Epoch {
    let trials = u32::try_from(calls.len()).unwrap_or(u32::MAX);
    Epoch::new(&format!("replay {}", calls.join(" ")), trials)
}

/// An epoch that does once more what a long-lived one did.
pub(super) fn second(long: &Epoch) -> Epoch {
    Epoch {
        arm: format!("second {}", long.arm),
        ..long.clone()
    }
}

/// The name of an epoch that asks one input in a fresh process.
pub(super) fn again(input: Input) -> String {
    format!("again {}", input.name())
}
