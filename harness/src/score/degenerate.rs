//! Answers that are none: empty, or the same over and over.

/// How often a phrase must follow itself at the end of an answer to count as endless.
const REPEATS: usize = 4;

/// Fewest words such a run must have: "no no no no" may be said once in earnest.
const RUN_WORDS: usize = 8;

/// Whether a text is empty (no letter or digit in it) or ends in a phrase said over and over.
///
/// A run of one repeated character of 32 and more counts too: no language has such a word.
#[must_use]
pub fn is_degenerate(text: &str) -> bool {
    !text.chars().any(char::is_alphanumeric) || repeats_words(text) || repeats_character(text)
}

fn repeats_words(text: &str) -> bool {
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    let longest = words.len() / REPEATS;
    (1..=longest).any(|period| {
        let pairs = words.iter().rev().zip(words.iter().rev().skip(period));
        let same = pairs.take_while(|(a, b)| a == b).count();
        let run = same + period;
        run >= period * REPEATS && run >= RUN_WORDS
    })
}

fn repeats_character(text: &str) -> bool {
    let mut run = (None, 0);
    text.chars().any(|c| {
        run = if run.0 == Some(c) { (run.0, run.1 + 1) } else { (Some(c), 1) };
        run.1 >= 32 && !c.is_whitespace()
    })
}

#[cfg(test)]
mod tests {
    use super::is_degenerate;

    fn check(text: &str, expected: bool) {
        assert_eq!(is_degenerate(text), expected, "{text:?}");
    }

    #[test]
    fn empty_answers() {
        check("", true);
        check(" \n", true);
        check("...", true);
    }

    #[test]
    fn endless_answers() {
        check("the the the the the the the the", true);
        check("A dog sits. A dog sits. A dog sits. A dog sits.", true);
        check("well a b a b a b a b", true);
        check(&"!".repeat(40), true);
        check(&format!("a{}", "x".repeat(40)), true);
    }

    #[test]
    fn earnest_answers() {
        check("Red", false);
        check("No, no, no, no.", false);
        check("A red circle left of a blue square, a green star on top.", false);
        check("5", false);
    }
}
