//! How answers differ from what fresh processes answered, and what of that is noise.

use store::stats::near_tie;

use crate::message::Reference;
use crate::subject::Reply;

use super::input::Input;

/// What a process answered, to be compared with.
pub(super) fn reference(name: &str, reply: &Reply) -> Reference {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    // A server's answer is known by its text alone, character by character.
    let ids = match reply.counts {
        Some(_) => reply.text.chars().map(u32::from).collect(),
        None => reply.output_ids.clone(),
    };
    Reference {
        input: name.to_owned(),
        ids,
        logits: bits(&reply.first_logits),
        margins: bits(&reply.margins),
    }
}

/// How an answer differs from another.
pub(super) struct Change {
    /// First position whose ids differ, or that only one of them has.
    pub(super) at: Option<usize>,
    /// Largest difference of the first-step logits; not a number where they cannot be compared.
    pub(super) logits: f64,
}

impl Change {
    pub(super) fn between(first: &Reference, other: &Reference) -> Self {
        let pairs = first.ids.iter().zip(&other.ids);
        let shorter = first.ids.len().min(other.ids.len());
        let uneven = first.ids.len() != other.ids.len();
        let at = pairs
            .into_iter()
            .position(|(a, b)| a != b)
            .or(uneven.then_some(shorter));
        let of = |&bits: &u32| f32::from_bits(bits);
        let pairs = first.logits.iter().map(of).zip(other.logits.iter().map(of));
        let deltas = pairs.map(|(a, b)| f64::from((a - b).abs()));
        // `f64::max` forgets what is not a number; a broken logit must not pass for none.
        let worst = |worst: f64, delta: f64| match worst.is_nan() || delta.is_nan() {
            true => f64::NAN,
            false => worst.max(delta),
        };
        let logits = if first.logits.len() == other.logits.len() {
            deltas.fold(0.0, worst)
        } else {
            f64::NAN
        };
        Self { at, logits }
    }
}

/// The fresh process's top-two margin at a position; not a number where it is not known.
pub(super) fn margin(first: &Reference, at: usize) -> f64 {
    let bits = first.margins.get(at);
    bits.map_or(f64::NAN, |&bits| f64::from(f32::from_bits(bits)))
}

/// The largest first-step difference among processes with the same history, whose ids agree; none
/// where first answers disagree, for then nothing can be told from an answer that differs.
///
/// Answers after a warm-up count only where they agree: one that differs may be drift, and drift must
/// not excuse itself.
pub(super) fn noise(references: &[Reference]) -> Option<f64> {
    let mut noise: f64 = 0.0;
    for (at, other) in references.iter().enumerate() {
        let earlier = references[..at].iter();
        for first in earlier.filter(|first| first.input == other.input) {
            let change = Change::between(first, other);
            match change.at {
                None => noise = noise.max(change.logits),
                Some(_) if Input::named(&first.input).is_some() => return None,
                Some(_) => {}
            }
        }
    }
    Some(noise)
}

/// Whether an answer differs from a fresh process's by more than noise.
pub(super) fn drifted(first: &Reference, answer: &Reference, noise: Option<f64>) -> bool {
    let at = Change::between(first, answer).at;
    let state = |(at, noise)| !near_tie(margin(first, at), noise);
    at.zip(noise).is_some_and(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(input: &str, ids: &[u32], logits: &[f32]) -> Reference {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
        Reference {
            input: input.to_owned(),
            ids: ids.to_vec(),
            logits: bits(logits),
            margins: bits(&vec![0.5; ids.len()]),
        }
    }

    #[test]
    fn logits_compare_by_value_and_refuse_what_cannot_be() {
        let check = |ids: &[u32], logits: &[f32], at, delta: f64| {
            let first = reference("a", &[1, 2], &[0.0, 1.0]);
            let change = Change::between(&first, &reference("a", ids, logits));
            assert_eq!(change.at, at, "{ids:?}");
            assert_eq!(change.logits.to_bits(), delta.to_bits(), "{logits:?}");
        };
        check(&[1, 2], &[-0.0, 1.0], None, 0.0);
        check(&[1, 3], &[0.5, 1.0], Some(1), 0.5);
        check(&[1], &[0.0], Some(1), f64::NAN);
        check(&[1, 2], &[f32::NAN, 9.0], None, f64::NAN);
    }

    #[test]
    fn the_noise_is_that_of_equal_histories_whose_ids_agree() {
        let check = |references: &[Reference], expected| assert_eq!(noise(references), expected);
        let first = reference("a", &[1], &[0.0]);
        check(&[], Some(0.0));
        let near = [first.clone(), reference("a", &[1], &[0.25])];
        check(&near, Some(0.25));
        check(&[first.clone(), reference("b", &[2], &[9.0])], Some(0.0));
        check(&[first.clone(), reference("a", &[2], &[0.0])], None);
        let warm = |id, logit| reference("a warm", &[id], &[logit]);
        check(&[first.clone(), warm(1, 1.0), warm(1, 1.5)], Some(0.5));
        check(&[first.clone(), warm(1, 1.0), warm(2, 9.0)], Some(0.0));
        let other = reference("a", &[2], &[0.0]);
        assert!(drifted(&first, &other, Some(0.2)));
        assert!(!drifted(&first, &other, Some(0.25)));
        assert!(!drifted(&first, &other, None));
        assert!(!drifted(&first, &first, Some(0.0)));
    }
}
