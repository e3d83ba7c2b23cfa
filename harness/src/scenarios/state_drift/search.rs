//! The shortest sequence of calls that fails, found by trying shorter ones in fresh processes. Pure.
//!
//! Delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE
//! Transactions on Software Engineering 28, 2002) with everything known asked first: what fresh
//! processes answered, what came before the failure, what was tried.

use crate::message::Replay;

use super::super::SoFar;
use super::arm::Arm;
use super::input::Input;

/// Sequences tried, at most.
const MOST: usize = 40;

/// Equal calls in a row from which they are counted, not listed.
const LISTED: usize = 3;

/// How far a search is.
pub(super) struct Search<'a> {
    known: Known<'a>,
    end: End,
}

/// What came of searching with what is known.
enum End {
    /// This sequence must be tried.
    Wanted(Vec<String>),
    /// The calls that failed do not fail again.
    Fleeting,
    /// The shortest sequence found; whether shorter ones were tried to the end.
    Shortest(Vec<String>, Tried),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    All,
    Some,
}

/// The search for the first failure; none where nothing failed.
pub(super) fn of<'a>(so_far: &SoFar<'a>) -> Option<Search<'a>> {
    let at = so_far.replays.iter().position(|replay| replay.fails)?;
    let arms = so_far.epochs.iter().filter_map(|epoch| Arm::of(&epoch.arm));
    let fresh = arms.filter_map(|arm| match arm {
        Arm::Fresh(input) => Some(input.name()),
        _ => None,
    });
    let known = Known {
        failed: &so_far.replays[at].calls,
        tried: &so_far.replays[at + 1..],
        fresh: fresh.collect(),
    };
    let end = known.search();
    Some(Search { known, end })
}

impl Search<'_> {
    /// The sequence to try next; none where the search is over.
    pub(super) fn wanted(&self) -> Option<Vec<String>> {
        match &self.end {
            End::Wanted(calls) => Some(calls.clone()),
            End::Fleeting | End::Shortest(..) => None,
        }
    }

    /// What was found, in one line.
    pub(super) fn finding(&self) -> String {
        let failed = shown(self.known.failed);
        match &self.end {
            End::Wanted(_) => format!("fails: {failed}; shorter sequences of calls were not tried"),
            End::Fleeting => {
                format!("failed once: {failed}; the same calls in a fresh process do not fail")
            }
            End::Shortest(calls, tried) => {
                let rest = match tried {
                    Tried::All => "",
                    Tried::Some => " (not searched to the end)",
                };
                let passing = self.known.passing_neighbours(calls);
                let passing: Vec<_> = passing.iter().map(|calls| shown(calls)).collect();
                let passes = match passing.as_slice() {
                    [] => String::new(),
                    some => format!(" · passes: {}", some.join(", ")),
                };
                format!("fails: {}{passes}: {}{rest}", shown(calls), reading(calls))
            }
        }
    }
}

/// What is known without trying.
struct Known<'a> {
    /// The calls that failed first.
    failed: &'a [String],
    /// What was tried since.
    tried: &'a [Replay],
    /// Inputs that a fresh process answers.
    fresh: Vec<&'static str>,
}

impl Known<'_> {
    /// The failing calls that a sequence begins with: all of it, or fewer; empty where it passes; none
    /// where that is not known.
    fn answer(&self, calls: &[String]) -> Option<Vec<String>> {
        let fails = |replay: &&Replay| replay.fails && calls.starts_with(&replay.calls);
        if let Some(replay) = self.tried.iter().find(fails) {
            return Some(replay.calls.clone());
        }
        let before = calls.len() < self.failed.len() && self.failed.starts_with(calls);
        let alone = matches!(calls, [one] if self.fresh.contains(&one.as_str()));
        let tried = self.tried.iter();
        let mut tried = tried.filter(|replay| !replay.fails && replay.calls.starts_with(calls));
        (before || alone || tried.next().is_some()).then(Vec::new)
    }

    fn search(&self) -> End {
        let mut fails = match self.answer(self.failed) {
            None => return End::Wanted(self.failed.to_vec()),
            Some(calls) if calls.is_empty() => return End::Fleeting,
            Some(calls) => calls,
        };
        // The last call stays: it is the one that fails. Ever smaller pieces before it are dropped.
        let mut size = fails.len() - 1;
        while size > 0 {
            let (mut from, mut dropped) = (0, false);
            while from < fails.len() - 1 {
                let to = (from + size).min(fails.len() - 1);
                let fewer = [&fails[..from], &fails[to..]].concat();
                match self.answer(&fewer) {
                    None if self.tried.len() >= MOST => return End::Shortest(fails, Tried::Some),
                    None => return End::Wanted(fewer),
                    Some(calls) if calls.is_empty() => from = to,
                    Some(calls) => (fails, dropped) = (calls, true),
                }
            }
            // What a piece was needed for may be gone with a later one.
            if size > 1 || !dropped {
                size /= 2;
            }
        }
        End::Shortest(fails, Tried::All)
    }

    /// The sequences with one call fewer that are known to pass.
    fn passing_neighbours(&self, calls: &[String]) -> Vec<Vec<String>> {
        let mut passing: Vec<Vec<String>> = Vec::new();
        for at in 0..calls.len() {
            let fewer = [&calls[..at], &calls[at + 1..]].concat();
            let passes = self.answer(&fewer).is_some_and(|fails| fails.is_empty());
            if passes && !fewer.is_empty() && !passing.contains(&fewer) {
                passing.push(fewer);
            }
        }
        passing
    }
}

/// `[A, B]`, and `[57 x A]` where one is asked often.
fn shown(calls: &[String]) -> String {
    let name = |name: &str| match name {
        "a" | "b" => name.to_uppercase(),
        other => other.to_owned(),
    };
    let runs = calls.chunk_by(|one, next| one == next);
    let runs = runs.flat_map(|run| match run.len() {
        many if many > LISTED => vec![format!("{many} x {}", name(&run[0]))],
        _ => run.iter().map(|call| name(call)).collect(),
    });
    format!("[{}]", runs.collect::<Vec<_>>().join(", "))
}

/// What a shortest failing sequence means, in plain words.
fn reading(calls: &[String]) -> String {
    let inputs: Vec<_> = calls.iter().map(|name| Input::named(name)).collect();
    let is = |input| move |found: &&Option<Input>| **found == Some(input);
    let Some((last, before)) = inputs.split_last() else {
        return "nothing was asked".to_owned();
    };
    let count = calls.len();
    match before {
        _ if is(Input::OverLong)(&last) => "an over-long prompt ends the process".to_owned(),
        _ if is(Input::CutOff)(&last) => "an answer cut off ends the process".to_owned(),
        [] => "it fails even first in its process".to_owned(),
        _ if before.iter().any(|input| is(Input::OverLong)(&input)) => {
            "a call after an over-long prompt fails".to_owned()
        }
        _ if before.iter().any(|input| is(Input::CutOff)(&input)) => {
            "a call after an answer that was cut off fails".to_owned()
        }
        [one] if one == last => "the second call about the same picture fails".to_owned(),
        [_] => "the second picture call fails".to_owned(),
        _ if before.iter().all(|input| input == last) => {
            format!("call {count} about the same picture fails")
        }
        _ => format!("call {count} fails, and needs each of those before it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Epoch;

    fn calls(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    /// Searches like a campaign does, with `fails` in place of processes: the finding, and how many
    /// sequences were tried.
    fn search(first: &str, fails: impl Fn(&[String]) -> bool) -> (String, usize) {
        let failed = |calls: Vec<String>| Replay { calls, fails: true };
        let epochs = ["fresh a", "fresh b"].map(|arm| Epoch::new(arm, 1));
        let mut replays = vec![failed(calls(first))];
        loop {
            let so_far = SoFar {
                epochs: &epochs,
                values: &[],
                voids: &[],
                replays: &replays,
            };
            let search = of(&so_far).unwrap();
            let Some(wanted) = search.wanted() else {
                return (search.finding(), replays.len() - 1);
            };
            let prefix = (1..=wanted.len()).map(|n| &wanted[..n]).find(|p| fails(p));
            let replay = match prefix {
                Some(prefix) => failed(prefix.to_vec()),
                None => Replay {
                    calls: wanted,
                    fails: false,
                },
            };
            assert!(!replays[1..].contains(&replay), "tried twice: {replay:?}");
            replays.push(replay);
        }
    }

    #[test]
    fn a_second_picture_needs_no_more_than_a_proof() {
        let (finding, tried) = search("a b", |calls| calls.len() > 1);
        let expected = "fails: [A, B] · passes: [B], [A]: the second picture call fails";
        assert_eq!((finding.as_str(), tried), (expected, 1));
    }

    #[test]
    fn what_does_not_matter_is_dropped() {
        let after = |calls: &[String]| {
            calls.last().unwrap() == "a" && calls.contains(&"over-long".to_owned())
        };
        let (finding, tried) = search("a over-long a", after);
        let expected =
            "fails: [over-long, A] · passes: [A]: a call after an over-long prompt fails";
        assert_eq!(finding, expected);
        assert_eq!(tried, 2);
        let two = |calls: &[String]| calls.iter().filter(|call| *call == "b").count() > 2;
        let (finding, tried) = search("a b a b a b", two);
        assert!(
            finding.starts_with("fails: [B, B, B] · passes: [B, B]: "),
            "{finding}"
        );
        assert!(tried < 12, "{tried}");
    }

    #[test]
    fn a_late_failure_of_one_input_is_proved_at_once() {
        let fifty = ["a"; 50].join(" ");
        let (finding, tried) = search(&fifty, |calls| calls.len() > 49);
        let expected = "fails: [50 x A] · passes: [49 x A]: call 50 about the same picture fails";
        assert_eq!((finding.as_str(), tried), (expected, 1));
    }

    #[test]
    fn what_does_not_fail_again_is_said_to_be_so() {
        let (finding, tried) = search("a b", |_| false);
        assert!(finding.starts_with("failed once: [A, B]; "), "{finding}");
        assert_eq!(tried, 1);
    }

    #[test]
    fn a_search_ends() {
        let long = ["a b medium large"; 20].join(" ");
        let all = calls(&long);
        let (finding, tried) = search(&long, |calls| calls.len() >= all.len());
        assert!(finding.ends_with("(not searched to the end)"), "{finding}");
        assert_eq!(tried, MOST);
    }

    #[test]
    fn a_fault_that_ends_the_process_is_named() {
        let (finding, _) = search("a over-long", |calls| calls.last().unwrap() == "over-long");
        let expected = "fails: [over-long]: an over-long prompt ends the process";
        assert_eq!(finding, expected);
    }
}
