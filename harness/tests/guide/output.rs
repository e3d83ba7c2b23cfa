//! Whether a program still prints what a page shows. Numbers, ids, marks of samples and widths of columns are
//! those of one machine and one moment; words and order are not.

/// The first line of `shown` that is not in `printed`, after the lines before it.
///
/// `…` stands for anything within a line, and as a line for any lines.
pub(crate) fn missing<'a>(shown: &'a str, printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines().map(plain);
    let wanted = shown.lines().filter(|line| !is_rule(line));
    let mut wanted = wanted.filter(|line| line.trim() != "…");
    wanted.find(|line| {
        let line = plain(line);
        !printed.any(|printed| fits(&line, &printed))
    })
}

/// The line below a table's head, or an empty one.
fn is_rule(line: &str) -> bool {
    line.trim_matches([' ', '-', '|']).is_empty()
}

fn fits(wanted: &str, printed: &str) -> bool {
    let parts: Vec<_> = wanted.split('…').map(str::trim).collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return false;
    };
    if parts.len() == 1 {
        return wanted == printed;
    }
    if !printed.starts_with(first) || !printed.ends_with(last) {
        return false;
    }
    let mut rest = printed;
    parts.iter().all(|part| {
        let found = rest.find(part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

/// Words with one space between them, `#` for every number and id, without marks.
fn plain(line: &str) -> String {
    let unmarked: String = line.chars().filter(|c| !"†‡*>".contains(*c)).collect();
    let words: Vec<_> = unmarked.split_whitespace().map(word).collect();
    let text = words.join(" ");
    // A time may be a thousand times longer elsewhere.
    let units = [
        (" µs", " s"),
        (" ms", " s"),
        (" KiB", " MiB"),
        (" GiB", " MiB"),
    ];
    units.iter().fold(text, |text, (from, to)| {
        text.replace(&format!("#{from}"), &format!("#{to}"))
    })
}

fn word(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let is_id = |c: char| c.is_ascii_hexdigit() || c == '-' || c == ':';
    let digits = core.chars().filter(char::is_ascii_digit).count();
    if core.len() >= 8 && digits >= 2 && core.chars().all(is_id) {
        return word.replace(core, "#");
    }
    numbers(word)
}

fn numbers(word: &str) -> String {
    let mut text = String::new();
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        let signed = matches!(c, '+' | '-') && chars.peek().is_some_and(char::is_ascii_digit);
        if !signed && !c.is_ascii_digit() {
            text.push(c);
            continue;
        }
        let is_part = |c: &char| c.is_ascii_digit() || *c == '.';
        while chars.next_if(is_part).is_some() {}
        text.push('#');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shown: &str, printed: &str, expected: Option<&str>) {
        assert_eq!(missing(shown, printed), expected);
    }

    #[test]
    fn numbers_may_differ_and_words_may_not() {
        let printed =
            "head\nModel   TTFT\ntiny-500m  61.2 ms ± 3.1 % (n=20/4‡)\nid 01a21b6c-b14a  stored";
        check(
            "Model  TTFT\n-----  ----\ntiny-500m  0.9 s ± >999 % (n=6/2)",
            printed,
            None,
        );
        check(
            "Model  TTFT\ntiny-500m  61.2 MiB …",
            printed,
            Some("tiny-500m  61.2 MiB …"),
        );
        check(
            "tiny-500m … ± 1 % …\n…\nid 77a21b6c-b14b  stored",
            printed,
            None,
        );
        check("… TTFT", printed, None);
        check("… TTF", printed, Some("… TTF"));
        check("tiny-500m …\nModel …", printed, Some("Model …"));
        check("Model", printed, Some("Model"));
    }
}
