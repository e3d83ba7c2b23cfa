//! What is open, as Markdown for the one issue that tells of it.

use serde::Serialize;
use store::trend::State;
use store::watch::{Finding, Incident, Watch};

use super::size;
use super::stored::{Found, dated};
use crate::error::Result;
use crate::pipe::PipeTable;
use crate::template::Templates;
use crate::text::comment;

/// Begins the line of ids, by which a document is recognised.
const MARKER: &str = "<!-- vlm-bench changes:";

/// Most changes in a document: GitHub takes issues of up to 65,536 characters.
const MOST: usize = 100;

/// Hex digits of an id.
const DIGITS: usize = 12;

const HEADERS: [&str; 8] = [
    "Id", "Metric", "Change", "From", "To", "State", "Cell", "Between",
];

#[derive(Serialize)]
struct View {
    marker: String,
    headline: String,
    incidents: Vec<Shown>,
    left_out: String,
}

#[derive(Serialize)]
struct Shown {
    title: String,
    hint: &'static str,
    table: PipeTable,
}

/// What somebody must look at: probable or confirmed, not accepted, not below the smallest change of interest.
pub(super) fn open(watch: &Watch) -> impl Iterator<Item = &Finding> {
    watch.findings.iter().filter(|finding| is_open(finding))
}

fn is_open(finding: &Finding) -> bool {
    finding.point.state > State::Suspect && finding.accepted.is_none() && !finding.is_small
}

/// The document, the newest incident first. Foreign text is escaped.
pub(super) fn markdown(found: &Found<'_>, templates: &Templates) -> Result<String> {
    let ids: Vec<&str> = open(found.watch)
        .map(|finding| finding.id.as_str())
        .collect();
    let mut left = MOST;
    let incidents = found.watch.incidents.iter();
    let incidents = incidents.filter_map(|incident| shown(found, incident, &mut left));
    let view = View {
        incidents: incidents.collect(),
        headline: match ids.len() {
            0 => "no open change".to_owned(),
            1 => "1 open change".to_owned(),
            n => format!("{n} open changes"),
        },
        left_out: match ids.len().saturating_sub(MOST) {
            0 => String::new(),
            n => format!("{n} more are not shown."),
        },
        marker: format!("{MARKER} {} -->", ids.join(" ")),
    };
    templates.render("changes.md", &view)
}

/// An incident with what is open of it; `left` is how many changes may still be shown.
fn shown(found: &Found<'_>, incident: &Incident, left: &mut usize) -> Option<Shown> {
    let findings = incident
        .findings
        .iter()
        .map(|&at| &found.watch.findings[at]);
    let findings: Vec<&Finding> = findings
        .filter(|finding| is_open(finding))
        .take(*left)
        .collect();
    *left -= findings.len();
    let first = findings.first()?;
    let night = found.night(first, first.point.index).at;
    let machine = found.machine(&found.group(first).0.machine);
    let title = format!(
        "{} {} on {machine}",
        night.format("%Y-%m-%d"),
        first.meaning.name()
    );
    let rows = findings.iter().map(|finding| row(found, finding));
    Some(Shown {
        title: comment(&title),
        hint: match incident.is_machine() {
            true => "Half of all series moved: look at the machine first.",
            false => "",
        },
        table: PipeTable::new(&HEADERS, rows),
    })
}

fn row(found: &Found<'_>, finding: &Finding) -> [String; 8] {
    let (group, metric) = found.group(finding);
    let (cell, point) = (&group.cell, &finding.point);
    let (before, after) = found.bounds(finding);
    let texts = [
        finding.id.clone(),
        metric.name().to_owned(),
        size(point),
        metric.format(point.before),
        metric.format(point.after),
        format!("{}, {} nights", point.state.name(), point.nights),
        format!(
            "{} {} {}/{}, {}/{} on {}",
            cell.model,
            cell.scenario,
            cell.backend,
            cell.device,
            group.suite,
            group.profile,
            group.branch
        ),
        format!("{} and {}", dated(before), dated(after)),
    ];
    texts.map(|text| comment(&text))
}

/// The ids in the first line of ids of a document; nothing else in it is believed.
pub(super) fn ids(text: &str) -> Vec<String> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(MARKER));
    let words = line.unwrap_or_default().split_whitespace();
    let is_id = |word: &&str| word.len() == DIGITS && word.bytes().all(|b| b.is_ascii_hexdigit());
    words.filter(is_id).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_from_their_line_alone() {
        let check = |text: &str, expected: &[&str]| assert_eq!(ids(text), expected, "{text}");
        check("", &[]);
        check("0123456789ab", &[]);
        check("<!-- vlm-bench changes:  -->\n", &[]);
        check(
            "<!-- vlm-bench changes: 0123456789ab x -->\r\n<!-- vlm-bench changes: ffffffffffff -->",
            &["0123456789ab"],
        );
        check(
            " <!-- vlm-bench changes: 0123456789abc 0123456789AB -->",
            &["0123456789AB"],
        );
    }
}
