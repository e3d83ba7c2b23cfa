//! What a job of GitHub's prints of a judgement: annotations, then the text. Needs no secrets.

use super::row::{Judgement, Row, Verdict};
use super::text::text;
use crate::summary::one_line;

/// Annotations of one kind that GitHub shows of a step.
const SHOWN: usize = 10;

/// What a job's log is told: workflow commands, then the text. Names in it are data: none can begin a command
/// of its own, which a runner also takes in the middle of a line.
#[must_use]
pub fn github(judgement: &Judgement) -> String {
    let all = annotations(judgement) + &text(judgement);
    all.replace("##[", "## [")
}

/// Workflow commands, a line each: an error for each row that fails, a warning for each open one, a notice
/// for each waived one; of each as many as are shown.
fn annotations(judgement: &Judgement) -> String {
    let kinds: [(&str, &[Verdict]); 3] = [
        ("error", &[Verdict::Regressed, Verdict::Missing]),
        ("warning", &[Verdict::Inconclusive]),
        ("notice", &[Verdict::Waived]),
    ];
    kinds
        .iter()
        .map(|(command, verdicts)| of_kind(judgement, command, verdicts))
        .collect()
}

/// The rows of some verdicts, in the order of these; the last line counts those that have none.
fn of_kind(judgement: &Judgement, command: &str, verdicts: &[Verdict]) -> String {
    let of = |verdict| {
        let rows = judgement.rows.iter();
        rows.filter(move |row| row.verdict == verdict)
    };
    let rows: Vec<&Row> = verdicts.iter().flat_map(|&verdict| of(verdict)).collect();
    let shown = match rows.len() {
        all if all <= SHOWN => all,
        _ => SHOWN - 1,
    };
    let annotation = |row: &&Row| {
        let metric = row
            .metric
            .map_or_else(String::new, |metric| format!("{metric}: "));
        line(
            command,
            &format!("{}: {}", row.verdict, row.cell),
            &format!("{metric}{}", row.reason),
        )
    };
    let mut text: String = rows[..shown].iter().map(annotation).collect();
    if shown < rows.len() {
        let more = format!("{} more, see the step summary", rows.len() - shown);
        text += &line(command, "and more", &more);
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
    fn no_name_is_a_command_anywhere_in_a_line() {
        let judgement = Judgement {
            head: "on ##[error]branch".to_owned(),
            rows: vec![Row::missing(
                "m ##[set-output name=verdict]pass",
                "x ####[[warning]y".to_owned(),
            )],
            ..Judgement::default()
        };
        let said = github(&judgement);
        assert!(said.contains("## [set-output name=verdict]pass"), "{said}");
        assert!(!said.contains("##["), "{said}");
    }

    #[test]
    fn many_rows_are_counted() {
        let row = |verdict, n| Row {
            verdict,
            ..Row::missing(&format!("c{n}"), "gone".to_owned())
        };
        let rows = |verdict| (0..8).map(move |n| row(verdict, n));
        let judgement = Judgement {
            rows: rows(Verdict::Missing)
                .chain(rows(Verdict::Regressed))
                .collect(),
            ..Judgement::default()
        };
        let text = annotations(&judgement);
        assert_eq!(text.lines().count(), 10, "{text}");
        let ends = (text.lines().next(), text.lines().last());
        assert_eq!(
            ends,
            (
                Some("::error title=REGRESSED%3A c0::gone"),
                Some("::error title=and more::7 more, see the step summary")
            )
        );
    }
}
