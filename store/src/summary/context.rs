//! The verdict on context: what of a picture's facts is still right some turns later. The rule
//! stands with the others in `verdict.rs`.

use std::collections::BTreeMap;

use super::verdict::{count, outside, percent, verdict, void};
use super::{Kind, Mark, Newest, Verdict};
use crate::metric::Metric;
use crate::run::{NO_TURNS, Run};
use crate::stats::{Retention, item_values, scene_retention};

/// Lower end of retention above which a model retains.
const RETAINS_ABOVE: f64 = 0.20;

/// The verdict for a model that cannot be told earlier turns.
pub(super) const STATELESS: &str = "n/a (stateless)";

/// The verdict for a model that has no room for four turns, or offers no answer without a picture.
pub(super) const NOT_OFFERED: &str = "n/a (not offered)";

pub(super) fn context(newest: &Newest<'_>) -> Verdict {
    if let Some((stage, message)) = newest.failure(Kind::Context) {
        let error = || verdict(Mark::No, "ERROR", format!("{}: {message}", stage.name()));
        return outside(Kind::Context, stage, message).unwrap_or_else(error);
    }
    if let Some(verdict) = not_offered(newest) {
        return verdict;
    }
    let of = |metric| newest.sample(Kind::Context, metric);
    let needed = [
        Metric::ContextDirect,
        Metric::ContextRetained,
        Metric::ContextChance,
    ];
    if needed.iter().any(|&metric| of(metric).is_none()) {
        return void(newest, Kind::Context, "an arm was not asked");
    }
    let facts = Facts::of(newest);
    if !facts.alike(Metric::ContextRetained) {
        return void(newest, Kind::Context, "the arms asked other facts");
    }
    let counts = counts(newest);
    let Some(kept) = facts.retention(Metric::ContextRetained) else {
        let detail = format!("no fact that needs the picture was right at first; {counts}");
        return verdict(Mark::Unknown, "n/a", detail);
    };
    let mut detail = format!("retention {} at turn 4 (n={})", range(&kept), kept.eligible);
    for (turn, metric) in [(2, Metric::ContextAtTwo), (8, Metric::ContextAtEight)] {
        if let Some(kept) = facts.retention(metric) {
            detail += &format!(", {} at turn {turn}", range(&kept));
        }
    }
    if let Some(kept) = text_memory(newest) {
        detail += &format!("; text memory {} (n={})", range(&kept), kept.eligible);
    }
    let detail = format!("{detail}; {counts}");
    match kept.low {
        low if low > RETAINS_ABOVE => verdict(Mark::Yes, "RETAINS", detail),
        low if low <= 0.0 => verdict(Mark::No, "LOSES", detail),
        _ => verdict(Mark::Partial, "PARTIAL", detail),
    }
}

/// `81 % [60, 100]`.
fn range(kept: &Retention) -> String {
    let [share, low, high] = [kept.share, kept.low, kept.high].map(percent);
    format!("{share} % [{low}, {high}]")
}

fn counts(newest: &Newest<'_>) -> String {
    let of = |metric| count(newest.sample(Kind::Context, metric));
    format!(
        "direct {}, later {}, text only {}, chance {}",
        of(Metric::ContextDirect),
        of(Metric::ContextRetained),
        of(Metric::ContextTextOnly),
        of(Metric::ContextChance),
    )
}

/// What a model that offers no turn 4 knew, and by whose word it does not.
fn not_offered(newest: &Newest<'_>) -> Option<Verdict> {
    let retained = Some(Metric::ContextRetained);
    let voids = newest.run(Kind::Context)?.voids().iter();
    let mut missing = voids.filter(|void| void.is_by_design() && void.metric == retained);
    let void = missing.next()?;
    let of = |metric| count(newest.sample(Kind::Context, metric));
    let (direct, chance) = (of(Metric::ContextDirect), of(Metric::ContextChance));
    let label = if void.reason.ends_with(NO_TURNS) {
        STATELESS
    } else {
        NOT_OFFERED
    };
    let detail = format!("direct {direct}, chance {chance}; {}", void.reason);
    Some(verdict(Mark::Unknown, label, detail))
}

/// The scores of a run's facts, in one order, and which of them belong together.
#[derive(Debug, Default)]
pub(super) struct Facts {
    arms: BTreeMap<Metric, Vec<f64>>,
    scenes: Vec<usize>,
}

impl Facts {
    pub(super) fn of(newest: &Newest<'_>) -> Self {
        let arm = |metric: Metric| {
            let sample = newest.sample(Kind::Context, metric)?;
            Some((metric, item_values(sample)))
        };
        let arms = [
            Metric::ContextDirect,
            Metric::ContextAtTwo,
            Metric::ContextRetained,
            Metric::ContextAtEight,
            Metric::ContextChance,
        ];
        let arms: BTreeMap<_, _> = arms.into_iter().filter_map(arm).collect();
        let facts = arms.get(&Metric::ContextDirect).map_or(0, Vec::len);
        let items: Vec<&str> = judged(newest.run(Kind::Context), "direct")
            .map(|(item, _)| item)
            .collect();
        let scenes = match items.len() {
            // Nothing was kept that could tell: each fact is taken for a scene.
            0 => (0..facts).collect(),
            asked if asked == facts => scenes(&items),
            // Some cannot be told apart: none is.
            _ => vec![0; facts],
        };
        Self { arms, scenes }
    }

    /// Whether an arm asked the facts that were asked first and by chance.
    fn alike(&self, metric: Metric) -> bool {
        let facts = |metric| self.arms.get(&metric).map(Vec::len);
        let same = |metric| facts(metric) == Some(self.scenes.len());
        same(metric) && same(Metric::ContextChance)
    }

    /// What is kept at the turn of an arm; none where it asked other facts.
    pub(super) fn retention(&self, metric: Metric) -> Option<Retention> {
        let arms = [Metric::ContextDirect, metric, Metric::ContextChance];
        let [direct, later, chance] = arms.map(|metric| self.arms.get(&metric));
        scene_retention([direct?, later?, chance?], &self.scenes)
    }

    /// Of each scene, over the facts that were right when asked first: their number, how many were
    /// at turn 4, and how many by chance. Empty where nothing can be said of retention.
    pub(super) fn totals(&self) -> Vec<[f64; 3]> {
        let arms = [
            Metric::ContextDirect,
            Metric::ContextRetained,
            Metric::ContextChance,
        ];
        let [Some(direct), Some(later), Some(chance)] = arms.map(|metric| self.arms.get(&metric))
        else {
            return Vec::new();
        };
        let kept = self.retention(Metric::ContextRetained).is_some();
        let mut totals = BTreeMap::<usize, [f64; 3]>::new();
        for fact in (0..direct.len()).filter(|&fact| kept && direct[fact] > 0.5) {
            let total = totals.entry(self.scenes[fact]).or_default();
            let one = [1.0, later[fact], chance[fact]];
            *total = [0, 1, 2].map(|arm| total[arm] + one[arm]);
        }
        totals.into_values().collect()
    }
}

/// Retention of what the model itself said of a picture, asked from that text alone. None where the
/// answers that tell which facts these are were not kept.
fn text_memory(newest: &Newest<'_>) -> Option<Retention> {
    let run = newest.run(Kind::Context);
    let chance: BTreeMap<&str, f64> = judged(run, "chance").collect();
    let told: Vec<(&str, f64)> = judged(run, "text only").collect();
    let sample = newest.sample(Kind::Context, Metric::ContextTextOnly)?;
    if told.len() != item_values(sample).len() {
        return None;
    }
    let by_chance = told.iter().map(|(item, _)| chance.get(item).copied());
    let by_chance: Vec<f64> = by_chance.collect::<Option<_>>()?;
    let (items, later): (Vec<&str>, Vec<f64>) = told.into_iter().unzip();
    let said = vec![1.0; later.len()];
    scene_retention([&said, &later, &by_chance], &scenes(&items))
}

/// Items and scores of the answers of one arm, those that were refused left out.
fn judged<'a>(run: Option<&'a Run>, arm: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
    let answers = run.into_iter().flat_map(|run| &run.answers);
    answers
        .filter(move |answer| answer.arm == arm)
        .filter_map(|answer| Some((answer.item.as_str(), f64::from(u8::from(answer.right?)))))
}

/// The scene of each fact, by number: items name them as `scene: question`.
fn scenes(items: &[&str]) -> Vec<usize> {
    let scene = |item: &&str| item.split_once(": ").map_or(0, |(scene, _)| scene.len());
    let names: Vec<&str> = items.iter().map(|item| &item[..scene(item)]).collect();
    let first = |name: &&str| names.iter().position(|other| other == name);
    names.iter().filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use crate::metric::Metric;
    use crate::run::Answer;
    use crate::summary::tests::{RIGHT, WRONG, measured, with};

    /// Answers of one arm to two facts of each of five scenes, right where it says so.
    fn asked(arm: &str, right: [Option<bool>; 10]) -> Vec<Answer> {
        let answer = |(fact, right): (usize, Option<bool>)| Answer {
            item: format!("talk_{}: fact {}", fact / 2, fact % 2),
            arm: arm.to_owned(),
            prompt: String::new(),
            text: String::new(),
            expected: right.map(|_| "red".to_owned()),
            right,
        };
        right.into_iter().enumerate().map(answer).collect()
    }

    #[test]
    fn facts_of_one_scene_stand_together_and_later_turns_beside() {
        // Kept or lost by scene: 4 of 5.
        let later: &[f64] = &[1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        let mut run = measured(
            "context",
            &[
                (Metric::ContextDirect, &[RIGHT]),
                (Metric::ContextAtTwo, &[RIGHT]),
                (Metric::ContextRetained, &[later]),
                (Metric::ContextAtEight, &[&WRONG[..4]]),
                (Metric::ContextTextOnly, &[&[1.0, 0.0]]),
                (Metric::ContextChance, &[WRONG]),
            ],
        );
        let apart = with(&[run.clone()]).context.detail;
        assert!(!apart.contains("text memory"), "{apart}");
        run.answers = asked("direct", [Some(true); 10]);
        let mut told = [None; 10];
        (told[0], told[9]) = (Some(true), Some(false));
        run.answers.extend(asked("text only", told));
        run.answers.extend(asked("chance", [Some(false); 10]));
        let together = with(&[run.clone()]).context.detail;
        let low = |detail: &str| -> f64 {
            let (_, rest) = detail.split_once('[').expect("an interval");
            let (low, _) = rest.split_once(',').expect("two ends");
            low.parse().expect("a number")
        };
        assert!(low(&together) < low(&apart), "{together} {apart}");
        assert!(
            together.starts_with("retention 80 % [")
                && together.contains("100 % [100, 100] at turn 2; text memory 50 % ["),
            "{together}"
        );
        assert!(
            !together.contains("turn 8"),
            "asked of four facts: {together}"
        );
        // An answer that tells no fact apart: none is known to be independent of another.
        run.answers.remove(0);
        let unknown = with(&[run]).context.detail;
        assert!(unknown.starts_with("retention 80 % [0, 100]"), "{unknown}");
    }
}
