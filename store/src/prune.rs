//! `store prune`: drops the raw trials of old runs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use chrono::{TimeDelta, Utc};
use store::db::{Pruned, Retention};
use store::{Db, Uuid};

use crate::cli::counted;

/// What stays whole, and whether anything is to be written.
pub(crate) struct Options {
    /// Days that raw trials are kept.
    pub(crate) keep_days: u32,
    /// Newest runs of a series that keep theirs.
    pub(crate) keep_last: u32,
    /// Sessions and runs that keep theirs.
    pub(crate) protect: Vec<Uuid>,
    /// Whether only to tell.
    pub(crate) dry_run: bool,
}

/// Prunes a database and gives the space back.
pub(crate) fn prune(
    path: &Path,
    options: &Options,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let retention = Retention {
        since: Utc::now() - TimeDelta::days(i64::from(options.keep_days)),
        newest: options.keep_last,
        protected: options.protect.iter().copied().collect::<BTreeSet<_>>(),
    };
    if options.dry_run {
        let pruned = Db::open_existing(path)?.prunable(&retention)?;
        writeln!(out, "{}: would thin {}", path.display(), as_text(&pruned))?;
        return Ok(ExitCode::SUCCESS);
    }
    // Asked first: opening for writing would create a file that is not there.
    drop(Db::open_existing(path)?);
    let mut db = Db::open(path)?;
    let pruned = db.prune(&retention)?;
    if pruned.runs > 0 {
        db.vacuum()?;
    }
    writeln!(out, "{}: thinned {}", path.display(), as_text(&pruned))?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(pruned: &Pruned) -> String {
    let Pruned {
        runs,
        trials,
        answers,
    } = *pruned;
    let [runs, trials, answers] = [(runs, "run"), (trials, "raw trial"), (answers, "answer")]
        .map(|(n, what)| counted(n, what));
    format!("{runs}: {trials}, {answers}")
}
