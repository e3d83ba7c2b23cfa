//! `report changes`: the nights on which a stored series, or one from a file, took another level.

mod given;
mod issue;
mod stored;

use std::fs;
use std::io::Read as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use store::Db;
use store::db::Acknowledgement;
use store::trend::{ChangePoint, trend};
use store::watch::{Finding, watch};

use crate::error::{Error, Result};
use crate::template::Templates;

/// Most bytes read of an earlier document: more than an issue can hold.
const LARGEST: u64 = 1 << 20;

/// How changes are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text,
    /// What is open, as Markdown for an issue; of a file, the same as text.
    Markdown,
    /// JSON; for a file one document a series.
    Json,
}

/// What a database holds.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The document; it ends with a newline.
    pub text: String,
    /// Ids of what is open: probable or confirmed, not accepted, not below the smallest change of interest.
    pub open: Vec<String>,
}

/// The changes of every series of a database.
///
/// # Errors
/// [`Error::Store`] when the database cannot be read, [`Error::Template`] where a template does not fit.
pub fn of_database(path: &Path, form: Form, templates: &Templates) -> Result<Listing> {
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
    let text = match form {
        Form::Text => found.text(),
        Form::Markdown => issue::markdown(&found, templates)?,
        Form::Json => format!("{:#}\n", found.json()),
    };
    let open = issue::open(&watch).map(|finding| finding.id.clone());
    Ok(Listing {
        text,
        open: open.collect(),
    })
}

/// The ids that an earlier Markdown document lists; none of a text that is no such document.
///
/// # Errors
/// [`Error::Input`] where the file cannot be read.
pub fn known(path: &Path) -> Result<Vec<String>> {
    let wrong = |reason: String| Error::Input {
        place: path.display().to_string(),
        reason,
    };
    let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST).read_to_end(&mut bytes);
    read.map_err(|error| wrong(error.to_string()))?;
    Ok(issue::ids(&String::from_utf8_lossy(&bytes)))
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
            Form::Text | Form::Markdown => printed.push_str(&given::text(&given, &found)),
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
