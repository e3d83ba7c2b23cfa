//! `report changes`: the nights on which a stored series, or one from a file, took another level.

mod given;
mod stored;

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use store::Db;
use store::db::Acknowledgement;
use store::trend::{ChangePoint, trend};
use store::watch::{Finding, watch};

use crate::error::{Error, Result};

/// How changes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text,
    /// JSON; for a file one document a series.
    Json,
}

/// The changes of every series of a database, as a text that ends with a newline.
///
/// # Errors
/// [`Error::Store`] when the database cannot be read.
pub fn of_database(path: &Path, form: Form) -> Result<String> {
    let db = Db::open_existing(path)?;
    let set = db.series()?;
    let watch = watch(&set, &db.acknowledgements()?);
    let machines = db.sessions()?.into_iter().map(|session| session.machine);
    let machines = machines
        .map(|machine| (machine.key(), machine.describe()))
        .collect();
    let found = stored::Found {
        set: &set,
        watch: &watch,
        machines,
    };
    Ok(match form {
        Form::Text => found.text(),
        Form::Json => format!("{:#}\n", found.json()),
    })
}

/// The changes of each series of a file, as a text that ends with a newline.
///
/// # Errors
/// [`Error::ReadSeries`] where the file cannot be read, [`Error::Series`] where it holds no series.
pub fn of_file(path: &Path, form: Form) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|source| Error::ReadSeries {
        path: path.to_owned(),
        source,
    })?;
    let broken = |(line, reason)| Error::Series {
        path: path.to_owned(),
        line,
        reason,
    };
    let mut printed = String::new();
    for given in given::read(&text).map_err(broken)? {
        let found = trend(&given.values, &given.breaks);
        match form {
            Form::Text => printed.push_str(&given::text(&given, &found)),
            Form::Json => printed.push_str(&format!("{}\n", given::json(&given, &found))),
        }
    }
    Ok(printed)
}

/// Keeps in the database that somebody accepted a change; answers with a line that says so.
///
/// # Errors
/// [`Error::Change`] where no change has that id, [`Error::Store`] where the database refuses.
pub fn acknowledge(path: &Path, (id, reason): (&str, &str), at: DateTime<Utc>) -> Result<String> {
    let (set, finding) = {
        let db = Db::open_existing(path)?;
        let set = db.series()?;
        let findings = watch(&set, &db.acknowledgements()?).findings;
        let meant = |finding: &Finding| finding.id == id;
        let finding = findings.into_iter().find(meant);
        (
            set,
            finding.ok_or_else(|| Error::Change { id: id.to_owned() })?,
        )
    };
    let series = &set.series[finding.series];
    let accepted = Acknowledgement {
        series: set.groups[series.group].key(series.metric),
        run: set.nights[series.figures[finding.point.found].0].run,
        at,
        reason: reason.to_owned(),
    };
    Db::open(path)?.acknowledge(&accepted)?;
    Ok(format!("accepted {id}: it stays listed, with the reason\n"))
}

/// `+9.8 % [+8.1, +11.5]`; the levels tell more where the first is zero.
pub(crate) fn size(point: &ChangePoint) -> String {
    let percent = |share: f64| format!("{:+.1}", 100.0 * share);
    let Some(size) = point.size else {
        return "from zero".to_owned();
    };
    let Some((low, high)) = point.interval else {
        return format!("{} %", percent(size));
    };
    format!("{} % [{}, {}]", percent(size), percent(low), percent(high))
}

/// What every form of output says of a change point.
fn described(point: &ChangePoint) -> Value {
    json!({
        "index": point.index,
        "found": point.found,
        "range": [point.range.0, point.range.1],
        "state": point.state.name(),
        "direction": if point.after > point.before { "up" } else { "down" },
        "size": point.size,
        "interval": point.interval.map(|(low, high)| [low, high]),
        "before": point.before,
        "after": point.after,
        "nights": point.nights,
    })
}
