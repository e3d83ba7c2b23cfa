//! Exact answers: the whole text must be one of the accepted ones.

/// Whether `answer` is one of `accepted`, up to case, white space and final punctuation.
///
/// Never a substring: the tool before this one marked "I don't know" as a right "no".
#[must_use]
pub fn is_right(answer: &str, accepted: &[String]) -> bool {
    let answer = normalise(answer);
    !answer.is_empty() && accepted.iter().any(|text| normalise(text) == answer)
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

    fn check(answer: &str, accepted: &[&str], expected: bool) {
        let accepted: Vec<_> = accepted.iter().map(|&text| text.to_owned()).collect();
        assert_eq!(is_right(answer, &accepted), expected, "{answer:?} for {accepted:?}");
    }

    #[test]
    fn form_does_not_matter() {
        check("Red", &["red"], true);
        check("  RED.\n", &["Red"], true);
        check("\"red\".", &["red"], true);
        check("dark  blue!", &["Dark blue"], true);
        check("4", &["four", "4"], true);
    }

    #[test]
    fn parts_do_not_count() {
        check("I don't know", &["no"], false);
        check("Red and blue", &["red"], false);
        check("r", &["red"], false);
    }

    #[test]
    fn nothing_is_never_right() {
        check("", &[""], false);
        check(" . ", &["."], false);
    }
}
