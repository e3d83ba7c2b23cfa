//! Foreign text in Markdown, and tables of it.

use serde::Serialize;

use crate::summary::one_line;

/// Text to place in a Markdown paragraph or table cell: printed as it is, never as markup.
#[must_use]
pub fn escape(text: &str) -> String {
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
#[must_use]
pub fn comment(text: &str) -> String {
    escape(text).replace('@', "@\u{200b}")
}

/// A Markdown table, as `pipe_table.md` takes it.
#[derive(Debug, Serialize)]
pub struct PipeTable {
    header: String,
    rule: String,
    rows: Vec<String>,
}

impl PipeTable {
    /// A row of headers, then these; cells must be escaped already.
    #[must_use]
    pub fn new<R>(headers: &[&str], rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator<Item: AsRef<str>>,
    {
        Self {
            header: row(headers),
            rule: rule(headers),
            rows: rows.into_iter().map(row).collect(),
        }
    }
}

fn row<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> String {
    let cells = cells
        .into_iter()
        .map(|cell| format!(" {} |", cell.as_ref()));
    format!("|{}", cells.collect::<String>())
}

/// The row of dashes under a header, each as wide as its header with its two blanks.
fn rule(headers: &[&str]) -> String {
    let dashes = headers
        .iter()
        .map(|header| format!("{}|", "-".repeat(header.chars().count() + 2)));
    format!("|{}", dashes.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_prints_markup_as_text() {
        let check = |text, expected: &str| assert_eq!(escape(text), expected);
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
}
