//! `changes`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use chrono::{NaiveDate, Utc};
use clap::{Args, ValueEnum};
use report::changes::{self, Form};

use super::{Look, print};

/// Exit code where `--known` does not list every open change.
const NEWS: u8 = 1;

pub(super) const EXAMPLES: &str = "\
Examples:
  report changes
  report changes --json | jq '.incidents[] | select(.meaning == \"regression\")'
  report changes --series nightly.csv
  report changes --acknowledge 3f2a9c1b04de --reason 'float32 vision tower, accepted in #41'
  report changes --format markdown --known issue.md > new.md    what one issue should say

A series is one metric of one cell on one machine, of one branch, suite and profile. Other weights,
threads, power or kind of build end what is comparable. One night far off is a suspect, two that agree are
probable, or five off on one side of a restless series; three are confirmed. An id stays when nights
are appended. Changes of one machine, night and direction are one incident.

A series file is {\"mean\": [1.0, …]} (null is a gap, \"breaks\": [40] ends what is comparable), one
such object a line, or CSV with the values in column mean or value, else the last. It needs no
database.

Markdown lists what is open: probable or confirmed, not accepted, not below the smallest change of
interest. Its first line holds the ids; --known reads them from an earlier one.

Exit codes: 0 done; 1 with --known, where something open is not in that document; 2 cannot.";

#[derive(Debug, Args)]
pub(super) struct Changes {
    /// Read series from a file instead of the database
    #[arg(long, value_name = "FILE", conflicts_with_all = ["known", "templates"])]
    series: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Print::Text)]
    format: Print,
    /// The same as --format json; for a file one document a series
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The last document of --format markdown, such as the text of an issue; exit 1 where something new
    /// is open
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// Accept the change with this id, and remember it in the database
    #[arg(long, value_name = "ID", requires = "reason", conflicts_with_all = ["series", "json", "known"])]
    acknowledge: Option<String>,
    /// Why it is accepted, one line
    #[arg(long, value_name = "TEXT", requires = "acknowledge")]
    reason: Option<String>,
    /// On which day (UTC) it was accepted; changes that were known by then keep their ids [default: now]
    #[arg(long, value_name = "YYYY-MM-DD", requires = "acknowledge")]
    on: Option<NaiveDate>,
    #[command(flatten)]
    look: Look,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Print {
    /// Lines for people
    Text,
    /// What is open, for an issue
    Markdown,
    /// One object
    Json,
}

impl Changes {
    pub(super) fn run(&self, db: &Path) -> Result<ExitCode> {
        let form = match self.format {
            _ if self.json => Form::Json,
            Print::Text => Form::Text,
            Print::Markdown => Form::Markdown,
            Print::Json => Form::Json,
        };
        // Read first: what is printed may go to where it was.
        let known = self.known.as_deref().map(changes::known).transpose()?;
        let text = match (&self.acknowledge, &self.series) {
            (Some(id), _) => {
                let reason = self.reason.as_deref().unwrap_or_default();
                let end = self.on.and_then(|day| day.and_hms_opt(23, 59, 59));
                let at = end.map_or_else(Utc::now, |end| end.and_utc());
                changes::acknowledge(db, (id, reason), at)?
            }
            (None, Some(file)) => changes::of_file(file, form)?,
            (None, None) => {
                let found = changes::of_database(db, form, &self.look.read()?)?;
                print(&found.text)?;
                let news =
                    known.is_some_and(|known| found.open.iter().any(|id| !known.contains(id)));
                return Ok(if news { NEWS.into() } else { ExitCode::SUCCESS });
            }
        };
        print(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}
