//! The verdict on long-lived processes, first that holds:
//!
//! | verdict | rule | |
//! |---|---|---|
//! | `ERROR@k` | call k raised, or ended the process | fault |
//! | `STATE-DRIFT@k` | fresh processes agree, call k differs from them, and their top-two margin there is above twice the library's own noise | fault |
//! | `LEAK` | footprint, or what the library's allocator has in use or keeps: the slope of the second half is above 0.25 MiB a round at its lower end, and it grew by more than 16 MiB in all | fault |
//! | `SLOWDOWN(state)` | a request's time rises by more than 1 % per 100 rounds at the lower end of its slope and by more than 3 % in all; a rest does not help, a fresh process is fast, and a second process asked the same becomes slower too | fault |
//! | `NONDETERMINISTIC` | the first answers of fresh processes differ among themselves | shown |
//! | `SLOWDOWN(thermal)`, `(machine)`, `SLOWDOWN` | the same process is fast after a rest; a fresh one is slow too, or a second one stays fast; not found out | shown |
//! | `NEAR-TIE` | calls differ, each within twice the noise | fine |
//! | `PLATEAU` | memory grew and then stayed | fine |
//! | `STABLE` | none of these | fine |
//!
//! Of a server there is text alone, and no fresh process: answers are compared with its first one to the
//! same request, `STABLE` says that all had its text, and any other text is `NONDETERMINISTIC`, for a near
//! tie cannot be told from a state.
//!
//! Faults come before what is only shown. A round is one call where a process is asked the same
//! again, else one of its arm's rounds: each series is of one input, so that equals are compared. The
//! first five rounds do not count; a time is judged by twenty others, memory by ten.
//!
//! The noise is the largest first-step logit difference among *fresh* processes. A repeated
//! call's own difference must not count as noise: where the first token flips it is at least half
//! the margin by definition, and every such drift would pass for a near tie.

use super::verdict::{outside, verdict, void};
use super::{Kind, Mark, Newest, Verdict};
use crate::metric::{Metric, Unit};
use crate::stats::{BURN_IN, Cause, Memory, Pace, Slope, cause, median, memory, near_tie, pace};

/// What a process holds after its calls.
const HELD: [Metric; 3] = [Metric::CallMemory, Metric::CallActive, Metric::CallCache];

/// The verdict on the newest run.
pub(super) fn drift(newest: &Newest<'_>) -> Verdict {
    if let Some((stage, message)) = newest.failure(Kind::Drift) {
        let detail = format!("{}: {message}", stage.name());
        let error = || error(message, detail);
        return outside(Kind::Drift, stage, message).unwrap_or_else(error);
    }
    if let Some(reason) = raised(newest) {
        return error(reason, reason.to_owned());
    }
    let fresh = nondeterministic(newest);
    let served = values(newest, Metric::SameText);
    let calls = Calls::of(newest);
    if fresh.is_none() && calls.of == 0 && served.is_empty() {
        return void(newest, Kind::Drift, "no call compared with a fresh process");
    }
    let held: Vec<Held> = HELD.into_iter().flat_map(|m| Held::of(newest, m)).collect();
    let paces = paces(newest);
    // What comes first among those of one mark stands first here.
    let mut found: Vec<Verdict> = Vec::new();
    found.extend(fresh.or_else(|| calls.differing(noise(newest))));
    found.extend(changing(&served));
    found.extend(memory_verdict(&held));
    found.extend(slowdown(newest, &paces));
    let first = |mark| found.iter().find(|verdict| verdict.mark == mark);
    let chosen = first(Mark::No).or_else(|| first(Mark::Partial));
    let equal = if served.is_empty() {
        calls.equal()
    } else {
        repeated(&served)
    };
    let stable = || verdict(Mark::Yes, "STABLE", equal + &settled(&held, &paces));
    chosen.or(found.first()).cloned().unwrap_or_else(stable)
}

fn error(message: &str, detail: String) -> Verdict {
    let call = call_number(message).map(|k| format!("@{k}"));
    verdict(
        Mark::No,
        format!("ERROR{}", call.unwrap_or_default()),
        detail,
    )
}

/// The `7` of `call 7: …`.
fn call_number(message: &str) -> Option<u32> {
    let rest = message.strip_prefix("call ")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// Why the first call that raised did.
fn raised<'a>(newest: &Newest<'a>) -> Option<&'a str> {
    let voids = newest.run(Kind::Drift)?.voids().iter();
    let of_calls = voids.filter(|void| void.metric.is_none_or(|m| m == Metric::ExactMatch));
    let mut reasons = of_calls.map(|void| void.reason.as_str());
    reasons.find(|reason| call_number(reason).is_some())
}

/// All values of a metric.
fn values(newest: &Newest<'_>, metric: Metric) -> Vec<f64> {
    let sample = newest.sample(Kind::Drift, metric);
    sample.iter().flat_map(|sample| sample.values()).collect()
}

/// The values of each process that has some.
fn processes<'a>(newest: &Newest<'a>, metric: Metric) -> &'a [Vec<f64>] {
    let sample = newest.sample(Kind::Drift, metric);
    sample.map_or(&[], |sample| &sample.epochs)
}

fn noise(newest: &Newest<'_>) -> f64 {
    let deltas = values(newest, Metric::FreshLogitDelta);
    deltas.into_iter().fold(0.0, f64::max)
}

fn nondeterministic(newest: &Newest<'_>) -> Option<Verdict> {
    let fresh = values(newest, Metric::FreshExactMatch);
    let differing = fresh.iter().filter(|&&same| same < 1.0).count();
    let detail = format!(
        "{differing}/{} fresh processes differ from the first",
        fresh.len()
    );
    (differing > 0).then(|| verdict(Mark::Partial, "NONDETERMINISTIC", detail))
}

/// A server's answers that repeat its first one.
fn repeated(served: &[f64]) -> String {
    let same = served.iter().filter(|&&same| same >= 1.0).count();
    format!(
        "{same}/{} answers have the text of the server's first",
        served.len()
    )
}

fn changing(served: &[f64]) -> Option<Verdict> {
    let differ = served.iter().any(|&same| same < 1.0);
    differ.then(|| verdict(Mark::Partial, "NONDETERMINISTIC", repeated(served)))
}

/// The calls that were compared with a fresh process.
struct Calls {
    /// Those that differed, in order: number (from 1 in its process) and margin; no margin where none
    /// was recorded for it.
    differing: Vec<(usize, Option<f64>)>,
    /// Calls compared.
    of: usize,
}

impl Calls {
    /// Numbers and margins come one per differing call, in the same order. Any other number of
    /// margins cannot be matched and excuses nothing; without numbers, as in runs before they were
    /// recorded, every call was compared and its place is its number.
    fn of(newest: &Newest<'_>) -> Self {
        let diverged = processes(newest, Metric::DivergedAt);
        let placed = diverged.iter().flat_map(|process| (1_usize..).zip(process));
        let placed: Vec<usize> = placed
            .filter(|(_, at)| **at >= 0.0)
            .map(|(call, _)| call)
            .collect();
        let numbers = values(newest, Metric::DivergedCall);
        let margins = values(newest, Metric::MarginAtDivergence);
        let matched = |values: &[f64], at: usize| {
            let whole = values.len() == placed.len();
            values.get(at).copied().filter(|_| whole)
        };
        let call = |(at, &place): (usize, &usize)| {
            let number = matched(&numbers, at).map_or(place, |number| number as usize);
            (number, matched(&margins, at))
        };
        Self {
            differing: placed.iter().enumerate().map(call).collect(),
            of: diverged.iter().map(Vec::len).sum(),
        }
    }

    fn equal(&self) -> String {
        let same = self.of - self.differing.len();
        format!("{same}/{} calls equal a fresh process", self.of)
    }

    /// What the differing calls mean, if there are any.
    fn differing(&self, noise: f64) -> Option<Verdict> {
        let detail = self.equal();
        let shown = Unit::Logit.format(noise);
        let state = |margin: Option<f64>| !margin.is_some_and(|margin| near_tie(margin, noise));
        let drifted = self.differing.iter().filter(|(_, margin)| state(*margin));
        if let Some((call, margin)) = drifted.min_by_key(|(call, _)| *call) {
            let margin = margin.map_or_else(|| "n/a".to_owned(), |m| Unit::Logit.format(m));
            let detail = format!("{detail}; margin {margin}, noise {shown}");
            return Some(verdict(Mark::No, format!("STATE-DRIFT@{call}"), detail));
        }
        let detail = format!("{detail}; every margin within twice the noise {shown}");
        (!self.differing.is_empty()).then(|| verdict(Mark::Yes, "NEAR-TIE", detail))
    }
}

/// What one process held after its calls, judged.
struct Held {
    metric: Metric,
    is: Memory,
    halves: [Slope; 2],
}

impl Held {
    /// The processes that made calls enough.
    fn of(newest: &Newest<'_>, metric: Metric) -> Vec<Self> {
        let judged = processes(newest, metric).iter();
        let judged = judged.filter_map(|bytes| memory(bytes, BURN_IN));
        let held = |(is, halves)| Self { metric, is, halves };
        judged.map(held).collect()
    }

    fn detail(&self) -> String {
        let mib = |bytes: f64| format!("{:+.2}", bytes / 1_048_576.0);
        let [first, second] = self.halves;
        format!(
            "{} {} MiB a round in the first half, {} [{}, {}] in the second",
            self.metric.name(),
            mib(first.per_call),
            mib(second.per_call),
            mib(second.low),
            mib(second.high),
        )
    }
}

fn memory_verdict(held: &[Held]) -> Option<Verdict> {
    let first = |is| held.iter().find(|held| held.is == is);
    let leak = first(Memory::Leak).map(|held| verdict(Mark::No, "LEAK", held.detail()));
    let plateau = || {
        Some(verdict(
            Mark::Yes,
            "PLATEAU",
            first(Memory::Plateau)?.detail(),
        ))
    };
    leak.or_else(plateau)
}

/// The pace of each process that made calls enough, with the times it is of.
fn paces<'a>(newest: &Newest<'a>) -> Vec<(&'a [f64], Pace)> {
    let times = processes(newest, Metric::Inference).iter();
    times
        .filter_map(|seconds| Some((seconds.as_slice(), pace(seconds, BURN_IN)?)))
        .collect()
}

/// The first process that became slower. The experiment is about that one.
fn slowdown(newest: &Newest<'_>, paces: &[(&[f64], Pace)]) -> Option<Verdict> {
    let (seconds, slow) = paces.iter().find(|(_, pace)| pace.is_slowdown())?;
    let first = |metric| processes(newest, metric).first();
    let told = [Metric::RestedInference, Metric::FreshInference]
        .map(|metric| first(metric).map_or(&[][..], Vec::as_slice));
    let second = first(Metric::SecondInference).and_then(|seconds| pace(seconds, BURN_IN));
    let (mark, label) = match cause(seconds, BURN_IN, told) {
        // A state makes every process slower; a machine of uneven speed shows such a course by chance.
        Some(Cause::State) => match second.map(|second| second.is_slowdown()) {
            Some(true) => (Mark::No, "SLOWDOWN(state)"),
            Some(false) => (Mark::Partial, "SLOWDOWN(machine)"),
            None => (Mark::Partial, "SLOWDOWN"),
        },
        Some(Cause::Thermal) => (Mark::Partial, "SLOWDOWN(thermal)"),
        Some(Cause::Machine) => (Mark::Partial, "SLOWDOWN(machine)"),
        None => (Mark::Partial, "SLOWDOWN"),
    };
    let shown = |values: &[f64]| median(values).map_or_else(|| "n/a".to_owned(), seconds_text);
    let second = second.map(|second| format!("; a second process: {}", per_100(&second)));
    let detail = format!(
        "{}; {} % in all; at last {}, after a rest {}, in a fresh process {}{}",
        per_100(slow),
        percent(slow.change),
        shown(&seconds[seconds.len().saturating_sub(BURN_IN)..]),
        shown(told[0]),
        shown(told[1]),
        second.unwrap_or_default(),
    );
    Some(verdict(mark, label, detail))
}

fn seconds_text(seconds: f64) -> String {
    Unit::Second.format(seconds)
}

fn percent(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

fn per_100(pace: &Pace) -> String {
    let [middle, low, high] = [pace.per_100, pace.low, pace.high].map(percent);
    format!("time {middle} % per 100 rounds [{low}, {high}]")
}

/// What of memory and time was judged and found in order.
fn settled(held: &[Held], paces: &[(&[f64], Pace)]) -> String {
    let memory = held.first().map(|held| format!("; {}", held.detail()));
    let time = paces
        .first()
        .map(|(_, pace)| format!("; {}", per_100(pace)));
    memory.into_iter().chain(time).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{measured, status, with};
    use crate::metric::Metric;

    const MIB: f64 = 1_048_576.0;

    fn series(at: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..100).map(|call| at(f64::from(call))).collect()
    }

    fn check(diverged: f64, values: &[(Metric, Vec<f64>)], expected: [&str; 2]) {
        let mut all = vec![
            (Metric::FreshExactMatch, vec![1.0]),
            (Metric::DivergedAt, vec![-1.0, diverged]),
        ];
        all.extend_from_slice(values);
        let epochs: Vec<_> = all
            .iter()
            .map(|(metric, values)| (*metric, [values.as_slice()]))
            .collect();
        let epochs: Vec<_> = epochs
            .iter()
            .map(|(metric, of)| (*metric, of.as_slice()))
            .collect();
        let row = with(&[measured("state-drift", &epochs)]);
        let found = [row.drift.label.as_str(), &status(&row)];
        assert_eq!(found, expected, "{}", row.drift.detail);
    }

    #[test]
    fn memory_and_time_are_judged_process_by_process() {
        let flat = || series(|_| 500.0 * MIB);
        let leak = || series(|call| (500.0 + call) * MIB);
        let late = series(|call| {
            if call < 60.0 {
                500.0 * MIB
            } else {
                600.0 * MIB
            }
        });
        check(
            -1.0,
            &[(Metric::CallMemory, flat())],
            ["STABLE", "R8 Reliable"],
        );
        check(
            -1.0,
            &[(Metric::CallMemory, leak())],
            ["LEAK", "R4 State Issues"],
        );
        check(
            -1.0,
            &[(Metric::CallCache, leak())],
            ["LEAK", "R4 State Issues"],
        );
        check(
            -1.0,
            &[(Metric::CallMemory, late)],
            ["PLATEAU", "R8 Reliable"],
        );
        check(
            3.0,
            &[(Metric::CallMemory, leak())],
            ["STATE-DRIFT@2", "R4 State Issues"],
        );
        check(
            -1.0,
            &[(Metric::CallMemory, leak()[..12].to_vec())],
            ["STABLE", "R8 Reliable"],
        );
    }

    #[test]
    fn a_slowdown_is_a_fault_where_the_process_is_its_cause() {
        let slower = (Metric::Inference, series(|call| 0.1 + 0.001 * call));
        let told = |rested, fresh| {
            [
                slower.clone(),
                (Metric::RestedInference, vec![rested; 5]),
                (Metric::FreshInference, vec![fresh; 5]),
            ]
        };
        let again = |second: Vec<f64>| {
            let second = (Metric::SecondInference, second);
            [&told(0.2, 0.1)[..], &[second]].concat()
        };
        check(
            -1.0,
            &again(slower.1.clone()),
            ["SLOWDOWN(state)", "R4 State Issues"],
        );
        check(
            -1.0,
            &again(series(|_| 0.1)),
            ["SLOWDOWN(machine)", "R8 Reliable"],
        );
        check(-1.0, &told(0.2, 0.1), ["SLOWDOWN", "R8 Reliable"]);
        check(-1.0, &told(0.1, 0.1), ["SLOWDOWN(thermal)", "R8 Reliable"]);
        check(-1.0, &told(0.2, 0.2), ["SLOWDOWN(machine)", "R8 Reliable"]);
        check(
            -1.0,
            std::slice::from_ref(&slower),
            ["SLOWDOWN", "R8 Reliable"],
        );
        let steady = (Metric::Inference, series(|_| 0.1));
        check(-1.0, &[steady], ["STABLE", "R8 Reliable"]);
    }

    #[test]
    fn a_call_is_numbered_as_it_was_made() {
        let margin = (Metric::MarginAtDivergence, vec![1.0]);
        let number = (Metric::DivergedCall, vec![5.0]);
        let drift = |call| [call, "R4 State Issues"];
        check(0.0, std::slice::from_ref(&margin), drift("STATE-DRIFT@2"));
        check(0.0, &[margin, number], drift("STATE-DRIFT@5"));
    }
}
