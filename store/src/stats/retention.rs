//! How much of what was known first is still known later, over scenes of several facts.

use super::bootstrap::{self, DRAWS, expanded};

/// How much of what was known first is still known later, corrected for chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retention {
    /// `(later - chance) / (1 - chance)` over eligible facts, clamped to 0 to 1.
    pub share: f64,
    /// Lower end, 95 %.
    pub low: f64,
    /// Upper end, 95 %.
    pub high: f64,
    /// Facts right when asked first: only those can be kept or lost.
    pub eligible: usize,
}

/// Retention over facts of scenes. `arms`: scores asked first, later, and without picture or
/// history; `scenes`: which scene a fact is about. All four run in the same order of facts.
///
/// The interval draws scenes, not facts: facts about one picture are known or lost together, and
/// an interval over them would be too narrow (the cluster bootstrap; Cameron, Gelbach and Miller,
/// "Bootstrap-based improvements for inference with clustered errors", Review of Economics and
/// Statistics 90, 2008), with percentiles expanded for few scenes. Scenes without an eligible fact
/// say nothing and are not drawn; a single scene cannot vary, its interval is all of 0 to 1.
///
/// None where the slices differ in length, where no fact was right at first, or where every
/// eligible one is right by chance.
#[must_use]
pub fn scene_retention(arms: [&[f64]; 3], scenes: &[usize]) -> Option<Retention> {
    let [direct, later, chance] = arms;
    if arms.iter().any(|arm| arm.len() != scenes.len()) {
        return None;
    }
    let mut totals = std::collections::BTreeMap::<usize, Total>::new();
    for fact in (0..scenes.len()).filter(|&fact| direct[fact] > 0.5) {
        let total = totals.entry(scenes[fact]).or_default();
        total.facts += 1.0;
        total.later += later[fact];
        total.chance += chance[fact];
    }
    let totals: Vec<Total> = totals.into_values().collect();
    let of = |drawn: &[usize]| kept(drawn.iter().map(|&scene| &totals[scene]));
    let share = kept(totals.iter())?;
    let units = totals.len();
    let interval = bootstrap::interval(units, DRAWS, expanded(units), |drawn| of(drawn));
    let (low, high) = interval.unwrap_or((0.0, 1.0));
    Some(Retention {
        share,
        low,
        high,
        eligible: totals.iter().map(|total| total.facts as usize).sum(),
    })
}

/// Sums over the eligible facts of a scene.
#[derive(Default)]
struct Total {
    facts: f64,
    later: f64,
    chance: f64,
}

/// The share kept over some scenes; none without a fact and where chance leaves no room.
fn kept<'a>(scenes: impl Iterator<Item = &'a Total>) -> Option<f64> {
    let all = scenes.fold(Total::default(), |sum, scene| Total {
        facts: sum.facts + scene.facts,
        later: sum.later + scene.later,
        chance: sum.chance + scene.chance,
    });
    let room = all.facts - all.chance;
    (room > 1e-9).then(|| ((all.later - all.chance) / room).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_facts_known_first_count_and_chance_is_taken_off() {
        let check = |arms: [&[f64]; 3], expected: Option<(f64, usize)>| {
            let scenes: Vec<usize> = (0..arms[0].len()).collect();
            let kept = scene_retention(arms, &scenes);
            assert_eq!(kept.is_some(), expected.is_some(), "{arms:?}");
            if let (Some(kept), Some((share, eligible))) = (kept, expected) {
                assert_eq!(kept.eligible, eligible);
                assert!((kept.share - share).abs() < 1e-12, "{kept:?}");
                assert!(kept.low <= kept.share && kept.share <= kept.high);
            }
        };
        let direct = [1.0, 1.0, 1.0, 0.0];
        let later = [1.0, 1.0, 0.0, 1.0];
        check(
            [&direct, &later, &[0.0, 0.0, 0.0, 1.0]],
            Some((2.0 / 3.0, 3)),
        );
        check([&direct, &later, &[1.0, 0.0, 0.0, 0.0]], Some((0.5, 3)));
        check([&[0.0], &[1.0], &[0.0]], None);
        check([&[1.0], &[1.0], &[1.0]], None);
        check([&[1.0], &[1.0, 1.0], &[0.0]], None);
        check([&[], &[], &[]], None);
    }

    #[test]
    fn facts_of_one_scene_are_no_independent_evidence() {
        // Four scenes of six facts, each kept or lost as a whole.
        let later: Vec<f64> = (0..24).map(|fact| f64::from(u8::from(fact < 18))).collect();
        let (direct, chance) = ([1.0; 24], [0.0; 24]);
        let scenes: Vec<usize> = (0..24).map(|fact| fact / 6).collect();
        let arms: [&[f64]; 3] = [&direct, &later, &chance];
        let apart: Vec<usize> = (0..24).collect();
        let facts = scene_retention(arms, &apart).expect("facts");
        let by_scene = scene_retention(arms, &scenes).expect("scenes");
        assert_eq!((facts.share, by_scene.share), (0.75, 0.75));
        assert_eq!((by_scene.eligible, by_scene.high), (24, 1.0));
        assert!(by_scene.low < facts.low - 0.2, "{by_scene:?} {facts:?}");
    }

    #[test]
    fn one_scene_proves_nothing() {
        let kept = scene_retention([&[1.0; 6], &[1.0; 6], &[0.0; 6]], &[3; 6]).expect("facts");
        assert_eq!((kept.share, kept.low, kept.high), (1.0, 0.0, 1.0));
    }
}
