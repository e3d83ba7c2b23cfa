//! The reviewed file of accepted regressions.

use std::path::Path;

use chrono::NaiveDate;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::waiver::{Accepts, Waiver};
use crate::Metric;
use crate::toml_file::TomlFile;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waivers {
    #[serde(default, rename = "waiver")]
    waivers: Vec<Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    metric: Spanned<String>,
    cell: Spanned<String>,
    reason: Spanned<String>,
    expires: Spanned<Day>,
    allowed_change: Spanned<f64>,
    issue: Option<String>,
    #[serde(default)]
    missing: bool,
}

/// A date as TOML has it, or in quotes.
#[derive(Deserialize)]
#[serde(untagged, expecting = "wanted a date such as 2026-12-31")]
enum Day {
    Native(Datetime),
    Quoted(String),
}

/// Reads waivers.
///
/// # Errors
/// One line with file, line and field of what is wrong.
pub fn read(path: &Path) -> Result<Vec<Waiver>, String> {
    let file = TomlFile::read(path)?;
    let waivers: Waivers = file.parse()?;
    let waivers = waivers.waivers.iter();
    waivers.map(|entry| waiver(&file, entry)).collect()
}

fn waiver(file: &TomlFile, entry: &Spanned<Entry>) -> Result<Waiver, String> {
    let fields = entry.get_ref();
    let wrong = |at: usize, reason: String| format!("{}: {reason}", file.place(at));
    let text = |name: &str, field: &Spanned<String>| match field.get_ref().trim() {
        "" => Err(wrong(field.span().start, format!("{name}: is empty"))),
        text => Ok(text.to_owned()),
    };
    let metric = text("metric", &fields.metric)?;
    if metric != "*" {
        let known = metric.parse::<Metric>();
        known.map_err(|error| wrong(fields.metric.span().start, format!("metric: {error}")))?;
    }
    let allowed = *fields.allowed_change.get_ref();
    if !(0.0..=10.0).contains(&allowed) {
        let reason = format!("allowed_change: {allowed} is no share such as 0.10 for 10 %");
        return Err(wrong(fields.allowed_change.span().start, reason));
    }
    let day = match fields.expires.get_ref() {
        Day::Native(date) => date.to_string(),
        Day::Quoted(date) => date.clone(),
    };
    let expires = day.parse::<NaiveDate>().map_err(|_| {
        let reason = format!("expires: {day:?} is no date such as 2026-12-31");
        wrong(fields.expires.span().start, reason)
    })?;
    Ok(Waiver {
        metric,
        cell: text("cell", &fields.cell)?,
        reason: text("reason", &fields.reason)?,
        expires,
        allowed,
        accepts: match fields.missing {
            true => Accepts::Missing,
            false => Accepts::Worse,
        },
        issue: fields.issue.clone(),
        place: file.place(entry.span().start),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[waiver]]\nmetric = \"decode\"\ncell = \"m/*\"\nreason = \"why\"\n\
        expires = 2026-12-31\nallowed_change = 0.08\nissue = \"#7\"\n";

    fn parse(text: &str) -> Result<Vec<Waiver>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.toml");
        std::fs::write(&path, text).unwrap();
        let place = folder.path().display().to_string();
        read(&path).map_err(|error| error.replace(&place, ""))
    }

    #[test]
    fn waivers_are_read_with_their_place() {
        let read = parse(&format!("# accepted\n\n{GOOD}")).unwrap();
        assert_eq!((read.len(), read[0].allowed), (1, 0.08));
        assert_eq!(
            read[0].expires,
            NaiveDate::from_ymd_opt(2026, 12, 31).unwrap()
        );
        assert!(read[0].place.ends_with("w.toml:3"), "{}", read[0].place);
        assert!(parse(&GOOD.replace("2026-12-31", "\"2026-12-31\"")).is_ok());
        let missing = parse(&format!("{GOOD}missing = true\n")).unwrap();
        let accepts = [read[0].accepts, missing[0].accepts];
        assert_eq!(accepts, [Accepts::Worse, Accepts::Missing]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_named_by_file_line_and_field() {
        let check = |from: &str, to: &str, expected: &str| {
            let error = parse(&GOOD.replace(from, to)).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        };
        check(
            "\"decode\"",
            "\"speed\"",
            "/w.toml:2: metric: unknown metric \"speed\"",
        );
        check("\"why\"", "\" \"", "/w.toml:4: reason: is empty");
        check(
            "2026-12-31",
            "\"soon\"",
            "/w.toml:5: expires: \"soon\" is no date",
        );
        check(
            "2026-12-31",
            "07:00:00",
            "/w.toml:5: expires: \"07:00:00\" is no date",
        );
        check("2026-12-31", "3", "/w.toml:5: expires: wanted a date");
        check(
            "0.08",
            "8.0e9",
            "/w.toml:6: allowed_change: 8000000000 is no share",
        );
        check("0.08", "nan", "/w.toml:6: allowed_change: NaN is no share");
        check("issue", "ticket", "/w.toml:7: unknown field `ticket`");
        check(
            "reason = \"why\"\n",
            "",
            "/w.toml:1: missing field `reason`",
        );
    }
}
