//! `state-drift`: does a long-lived process answer what a fresh one answers, and stay as fast and as
//! small?

mod arm;
mod change;
mod input;
mod search;
mod sitting;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use store::stats::{BURN_IN, Cause, cause};
use store::{Metric, Void};

use crate::message::{Epoch, Message, Replay};
use crate::subject::{AskError, Subject};

use super::{Needs, Probe, Profile, Scenario, SoFar};
use arm::{ALTERNATE, Arm, FAULTS, ROTATING, SAME};
use input::{Input, names};
use sitting::Sitting;

/// Fresh processes that A is asked in first; their differences are the library's own noise.
const FRESH: usize = 3;

/// Calls of each of them: the first (R0), two of warm-up, and the one after that (R1). A fixed
/// number, so that all have the same history.
const WARMED: u32 = 4;

/// Calls that tell what made others slow.
const EXTRA: u32 = 5;

/// Repeated requests in one process, compared with the first request of fresh processes.
///
/// Fresh processes ask one input each and hand the answer on; those that ask A go on until they are
/// warm. Differences among processes of equal history are the library's noise. Long-lived ones ask the
/// inputs of their arm in turn, see [`arm`]: the same; A and B; pictures of three sizes; A with errors
/// in between. A call that raises, or ends its process, is recorded as `call k: …` and ends its arm;
/// where the very first raises, the cell fails.
///
/// Each arm's times and memory are those of one input, the last of its round, so that a series
/// compares equals.
///
/// What follows up: a process that became slower rests and is asked again, and so is a fresh one; where
/// only that one is fast, a second process is asked all that the slow one was, for a machine of uneven
/// speed shows such a course by chance. Of calls that end in an error or in drift, shorter and shorter sequences are tried in fresh processes.
pub(super) struct StateDrift;

impl Scenario for StateDrift {
    fn name(&self) -> &'static str {
        "state-drift"
    }

    fn about(&self) -> &'static str {
        "repeated requests in one process against fresh processes"
    }

    fn version(&self) -> u32 {
        4
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            Metric::ExactMatch,
            Metric::SameText,
            Metric::DivergedAt,
            Metric::DivergedCall,
            Metric::LogitDelta,
            Metric::FreshLogitDelta,
            Metric::FreshExactMatch,
            Metric::MarginAtDivergence,
            Metric::Inference,
            Metric::RestedInference,
            Metric::FreshInference,
            Metric::SecondInference,
            Metric::CallMemory,
            Metric::CallActive,
            Metric::CallCache,
        ]
    }

    fn needs(&self) -> Needs {
        Needs::AnyWeights
    }

    fn epochs(&self, profile: Profile) -> Vec<Epoch> {
        let first = Epoch::new("fresh a", WARMED);
        // The others only serve to change the input: one reference of each is enough.
        let others = [Input::B, Input::Medium, Input::Large];
        let others = others.map(|input| Epoch::new(&format!("fresh {}", input.name()), 1));
        let long = |arm: &str, trials| Epoch {
            least: 4,
            most_s: profile.pick([60, 60, 300]),
            ..Epoch::new(arm, profile.pick(trials))
        };
        let long = [
            long(SAME, [6, 100, 100]),
            long(ALTERNATE, [4, 50, 50]),
            long(ROTATING, [4, 50, 50]),
            long(FAULTS, [5, 50, 50]),
        ];
        let fresh = std::iter::repeat_n(first, FRESH).chain(others);
        fresh.chain(long).collect()
    }

    fn follow_up(&self, _: Profile, so_far: &SoFar<'_>) -> Option<Epoch> {
        let wanted = || search::of(so_far)?.wanted();
        let replay = || wanted().map(|calls| arm::replay(&calls));
        let second = || second(so_far);
        recovery(so_far).or_else(second).or_else(replay)
    }

    fn findings(&self, so_far: &SoFar<'_>) -> Vec<String> {
        search::of(so_far)
            .map(|search| search.finding())
            .into_iter()
            .collect()
    }

    fn crashed(&self, epoch: &Epoch, call: u32, why: &str) -> Option<Vec<Message>> {
        let arm = Arm::of(&epoch.arm)?;
        let history: Vec<Input> = (0..call as usize).map(|at| arm.input(at)).collect();
        let (calls, fails) = (names(&history), true);
        let void = |metric| {
            Message::Void(Void {
                metric: Some(metric),
                count: 1,
                reason: format!("{why} ({})", arm.words()),
            })
        };
        let replay = Message::Replay(Replay { calls, fails });
        match arm {
            Arm::Replay(_) => Some(vec![replay]),
            Arm::Again(_) => Some(vec![void(Metric::FreshInference)]),
            // A fresh process that cannot answer once fails the cell.
            Arm::Fresh(_) | Arm::Long(_) | Arm::Second(_) if call < 2 => None,
            Arm::Fresh(_) | Arm::Long(_) | Arm::Second(_) => {
                Some(vec![void(Metric::ExactMatch), replay])
            }
        }
    }

    fn run(&self, subject: &mut dyn Subject, probe: &mut Probe<'_>) -> Result<(), AskError> {
        let name = &probe.epoch.arm;
        let arm = Arm::of(name).ok_or_else(|| format!("unknown arm {name:?}"))?;
        let mut sitting = Sitting::begin(subject, probe, &arm);
        match &arm {
            Arm::Fresh(input) => sitting.fresh(*input)?,
            Arm::Long(_) | Arm::Second(_) => sitting.long_lived(&arm)?,
            // Whatever comes of these is an answer.
            Arm::Replay(calls) => sitting.replay(calls),
            Arm::Again(input) => sitting.again(*input),
        }
        Ok(())
    }
}

/// The fresh process that is asked what a slow one was asked, unless that was done.
fn recovery(so_far: &SoFar<'_>) -> Option<Epoch> {
    if arms(so_far).any(|arm| matches!(arm, Some(Arm::Again(_)))) {
        return None;
    }
    let input = arms(so_far).nth(slow(so_far)?)??.timed();
    let calls = EXTRA.saturating_add(u32::try_from(BURN_IN).unwrap_or(0));
    Some(Epoch::new(&arm::again(input), calls))
}

/// The second process that is asked all that a slow one was, where its state seems to be the cause,
/// unless that was done.
fn second(so_far: &SoFar<'_>) -> Option<Epoch> {
    if arms(so_far).any(|arm| matches!(arm, Some(Arm::Second(_)))) {
        return None;
    }
    let slow = slow(so_far)?;
    let of = |at: usize, metric| {
        so_far.values[at]
            .get(&metric)
            .map_or(&[][..], Vec::as_slice)
    };
    let fresh = arms(so_far).position(|arm| matches!(arm, Some(Arm::Again(_))))?;
    let told = [
        of(slow, Metric::RestedInference),
        of(fresh, Metric::FreshInference),
    ];
    let found = cause(of(slow, Metric::Inference), BURN_IN, told);
    (found == Some(Cause::State)).then(|| arm::second(&so_far.epochs[slow]))
}

fn arms<'a>(so_far: &SoFar<'a>) -> impl Iterator<Item = Option<Arm>> + use<'a> {
    so_far.epochs.iter().map(|epoch| Arm::of(&epoch.arm))
}

/// The process that became slower and rested, by its position.
fn slow(so_far: &SoFar<'_>) -> Option<usize> {
    let rested =
        |values: &BTreeMap<Metric, Vec<f64>>| values.contains_key(&Metric::RestedInference);
    so_far.values.iter().position(rested)
}
