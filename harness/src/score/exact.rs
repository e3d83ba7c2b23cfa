//! Right answers: one of the accepted texts, alone or in a sentence that holds no other answer.

use super::is_degenerate;

/// Words of an answer that tells that it is none.
const HEDGES: [&str; 8] = [
    "cannot", "know", "maybe", "might", "perhaps", "sorry", "sure", "unsure",
];

/// Numbers that are written either way; the place is the number.
const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];

/// Whether `answer` is one of `accepted`, up to case, white space, final punctuation and the way in
/// which numbers are written; or a sentence that holds one of them, and none of the `rivals`: what
/// else might have been answered.
///
/// Whole words alone count: the tool before this one marked "I don't know" as a right "no". A sentence
/// that hedges, or that repeats itself endlessly, is not right.
#[must_use]
pub fn is_right(answer: &str, accepted: &[String], rivals: &[&str]) -> bool {
    let said = words(answer);
    let accepted: Vec<Vec<String>> = accepted.iter().map(|text| words(text)).collect();
    let accepted = || accepted.iter().filter(|text| !text.is_empty());
    if accepted().any(|text| *text == said) {
        return true;
    }
    let holds = |text: &[String]| said.windows(text.len()).any(|part| part == text);
    let other = |text: &&str| {
        let text = words(text);
        !text.is_empty() && accepted().all(|accepted| *accepted != text) && holds(&text)
    };
    accepted().any(|text| holds(text))
        && !rivals.iter().any(other)
        && !said.iter().any(|word| HEDGES.contains(&word.as_str()))
        && !is_degenerate(answer)
}

/// Lower-case words without punctuation, numbers in digits.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric() && !['\'', '’'].contains(&c));
    let words = words
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty());
    words
        .map(
            |word| match NUMBERS.iter().position(|number| *number == word) {
                Some(number) => number.to_string(),
                None => word.to_owned(),
            },
        )
        .collect()
}

/// Whether every word of `part` stands in `text`, in order and together.
#[must_use]
pub fn holds_words(text: &str, part: &str) -> bool {
    let (text, part) = (words(text), words(part));
    !part.is_empty() && text.windows(part.len()).any(|words| *words == part)
}

/// Lower case, single spaces, no quotes around it and no punctuation at its end.
#[must_use]
pub fn normalise(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let quotes = ['"', '\'', '“', '”', '‘', '’', '`'];
    let ends = ['.', '!', '?', ',', ';', ':', '。'];
    let joined = words.join(" ").to_lowercase();
    let trimmed = joined.trim_matches(quotes).trim_end_matches(ends);
    trimmed.trim_end().trim_end_matches(quotes).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str, (accepted, rivals): (&[&str], &[&str]), expected: bool) {
        let accepted: Vec<_> = accepted.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(
            is_right(answer, &accepted, rivals),
            expected,
            "{answer:?} for {accepted:?} and not {rivals:?}"
        );
    }

    #[test]
    fn form_does_not_matter() {
        check("Red", (&["red"], &[]), true);
        check("  RED.\n", (&["Red"], &[]), true);
        check("\"red\".", (&["red"], &[]), true);
        check("dark  blue!", (&["Dark blue"], &[]), true);
        check("4", (&["four"], &["three"]), true);
        check("Twelve", (&["12"], &[]), true);
    }

    #[test]
    fn a_sentence_is_right_where_it_holds_one_answer() {
        let colors: &[&str] = &["Red", "Blue", "Green"];
        check("The circle is red.", (&["Red"], colors), true);
        check("The circle is blue.", (&["Red"], colors), false);
        check("Red and blue", (&["Red"], colors), false);
        check("It is either red or blue.", (&["Blue"], colors), false);
        check(
            "There are 2 shapes.",
            (&["Two"], &["One", "Two", "Three"]),
            true,
        );
        check(
            "Yes, there is a green circle.",
            (&["Yes"], &["Yes", "No"]),
            true,
        );
        check(
            "The triangle is large.",
            (&["Large"], &["Small", "Large"]),
            true,
        );
        check(
            "Made of hydrogen and oxygen.",
            (&["Hydrogen and oxygen"], &[]),
            true,
        );
    }

    #[test]
    fn parts_of_words_hedges_and_loops_do_not_count() {
        check("I don't know", (&["no"], &["yes"]), false);
        check("r", (&["red"], &[]), false);
        check("I am not sure, perhaps red.", (&["red"], &[]), false);
        check(&"red circle ".repeat(40), (&["red"], &["blue"]), false);
    }

    #[test]
    fn nothing_is_never_right() {
        check("", (&[""], &[]), false);
        check(" . ", (&["."], &[]), false);
        assert!(!holds_words("anything", " . "));
    }
}
