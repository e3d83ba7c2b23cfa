//! Foreign text made safe to print: model answers, names, branches, paths and failure messages.

pub(crate) use store::summary::one_line;

/// Text to place in a Markdown paragraph or table cell: printed as it is, never as markup.
pub(crate) fn markdown(text: &str) -> String {
    let line = one_line(text);
    let mut escaped = String::with_capacity(line.len());
    let mut before = ' ';
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let inside_word =
            before.is_alphanumeric() && chars.peek().is_some_and(|c| c.is_alphanumeric());
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '_' if inside_word => escaped.push(c),
            // Brackets alone print as they are; these pairs would make a link or its definition.
            ']' if chars.peek().is_some_and(|c| "([:".contains(*c)) => escaped.push_str(r"\]"),
            '\\' | '`' | '|' | '*' | '_' | '~' | '#' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
        before = c;
    }
    escaped
}

/// Text for a comment or an issue. A name must not call anybody: GitHub mentions are broken by a blank of no
/// width.
pub(crate) fn comment(text: &str) -> String {
    markdown(text).replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_prints_markup_as_text() {
        let check = |text, expected: &str| assert_eq!(markdown(text), expected);
        check("SmolVLM2-500M (bf16)", "SmolVLM2-500M (bf16)");
        check("snake_case and _emphasis_", r"snake_case and \_emphasis\_");
        check("a | b\nc", r"a \| b c");
        check(
            "<img onerror=x> & `code`",
            r"&lt;img onerror=x&gt; &amp; \`code\`",
        );
        check("[link](javascript:x)", r"[link\](javascript:x)");
        check("[0.1, 0.2] n=6/3", "[0.1, 0.2] n=6/3");
        check("C:\\|", r"C:\\\|");
    }

    #[test]
    fn no_control_reaches_a_terminal() {
        assert_eq!(
            one_line("a\u{1b}[31mb\u{202e}c\r\nd"),
            "a\u{fffd}[31mb\u{fffd}c  d"
        );
    }
}
