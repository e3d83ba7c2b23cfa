//! What GitHub shows of a judgement: annotations of the job, and its step summary. Needs no secrets.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use store::gate::{Judgement, Row, Verdict};

use crate::error::{Error, Result};
use crate::text::one_line;

/// Annotations of one kind that GitHub shows of a step.
const SHOWN: usize = 10;

/// Workflow commands, a line each: an error for each row that fails, a warning for each open one, a notice
/// for each waived one. Names in them are data and cannot begin a command of their own.
#[must_use]
pub fn annotations(judgement: &Judgement) -> String {
    let mut text = String::new();
    let kinds = [
        (Verdict::Regressed, "error"),
        (Verdict::Missing, "error"),
        (Verdict::Inconclusive, "warning"),
        (Verdict::Waived, "notice"),
    ];
    for (verdict, command) in kinds {
        let rows: Vec<&Row> = judgement
            .rows
            .iter()
            .filter(|row| row.verdict == verdict)
            .collect();
        for row in rows.iter().take(SHOWN) {
            let metric = row
                .metric
                .map_or_else(String::new, |metric| format!("{metric}: "));
            text += &line(
                command,
                &format!("{verdict}: {}", row.cell),
                &format!("{metric}{}", row.reason),
            );
        }
        if rows.len() > SHOWN {
            let more = format!("{} more, see the step summary", rows.len() - SHOWN);
            text += &line(command, &verdict.to_string(), &more);
        }
    }
    text
}

fn line(command: &str, title: &str, message: &str) -> String {
    let data = |text: &str| {
        one_line(text)
            .replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{command} title={property}::{}\n", data(message))
}

/// Appends a document to the step summary, if this is a step of GitHub's.
///
/// # Errors
/// [`Error::Summary`] when the file that GitHub names cannot be written.
pub fn summary_file(document: &str) -> Result<()> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    let written = opened.and_then(|mut file| writeln!(file, "{document}"));
    written.map_err(|source| Error::Summary { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_command() {
        let judgement = Judgement {
            rows: vec![Row::missing(
                "m,\n::set-env name=a::b/x:y 100%",
                "no\r\n::error::fake".to_owned(),
            )],
            ..Judgement::default()
        };
        assert_eq!(
            annotations(&judgement),
            "::error title=missing%3A m%2C %3A%3Aset-env name=a%3A%3Ab/x%3Ay 100%25::no  ::error::fake\n"
        );
    }

    #[test]
    fn many_rows_are_counted() {
        let rows = (0..12).map(|n| Row::missing(&format!("c{n}"), "gone".to_owned()));
        let judgement = Judgement {
            rows: rows.collect(),
            ..Judgement::default()
        };
        let text = annotations(&judgement);
        assert_eq!(text.lines().count(), 11);
        assert!(
            text.ends_with("::error title=missing::2 more, see the step summary\n"),
            "{text}"
        );
    }
}
