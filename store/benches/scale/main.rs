//! Three years of ten machines: 657,000 runs. What it takes to insert, merge, read and thin them.
//!
//! `cargo bench -p store --bench scale`, for a part of it `-- --nights 60`. Needs about 8 GB of disk in the
//! target folder meanwhile.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

mod nights;

use std::path::Path;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use nights::Nights;
use store::db::{Retention, merge};
use store::watch::watch;
use store::{Db, RunFilter};

const MACHINES: u64 = 10;
const NIGHTS: u32 = 3 * 365;

/// Newest sessions that a gate reads beside the candidate.
const BASELINE: usize = 30;

fn main() -> store::Result<()> {
    let nights = nights_asked_for();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let of = |machine: u64| folder.path().join(format!("machine-{machine}.db"));
    let runs = u64::from(nights) * MACHINES * 60;
    println!("{MACHINES} machines, {nights} nights, {runs} runs");

    let took = timed("insert, a transaction a session", || {
        (0..MACHINES).try_for_each(|number| fill(&of(number), number, nights))
    })?;
    println!("  {:.0} runs/s, the generator included", runs as f64 / took);
    singly(folder.path())?;

    let union = folder.path().join("union.db");
    let inputs: Vec<_> = (0..MACHINES).map(of).collect();
    let took = timed("merge of ten databases, each verified", || {
        merge(&union, &inputs).map(drop)
    })?;
    println!("  {:.0} runs/s", runs as f64 / took);
    inputs
        .iter()
        .for_each(|input| drop(std::fs::remove_file(input)));
    size(&union, runs);

    let mut db = Db::open(&union)?;
    let key = Nights::new(0).machine().key();
    timed("what a gate reads: 31 sessions of a machine", || {
        let sessions = db.sessions()?;
        let own = sessions
            .iter()
            .rev()
            .filter(|session| session.machine.key() == key);
        let mut found = 0;
        for session in own.take(1 + BASELINE) {
            let of = RunFilter {
                session: Some(session.id),
                ..RunFilter::default()
            };
            found += db.runs(&of)?.len();
        }
        println!("  {found} runs with all their values");
        Ok(())
    })?;
    timed("trends of every series with a direction", || trends(&db))?;

    let age = DateTime::UNIX_EPOCH + TimeDelta::days(19_000 + i64::from(nights) - 90);
    timed("prune: 90 days whole, 30 newest of a series", || {
        let pruned = db.prune(&retention(age))?;
        println!("  {pruned:?}");
        Ok(())
    })?;
    timed("vacuum", || db.vacuum())?;
    size(&union, runs);
    timed("trends of every series with a direction", || trends(&db))?;
    timed("verify", || {
        db.verify().map(|problems| assert!(problems.is_empty()))
    })?;
    Ok(())
}

/// The number after `--nights`.
fn nights_asked_for() -> u32 {
    let mut args = std::env::args().skip_while(|arg| arg != "--nights");
    let asked = args
        .nth(1)
        .map(|number| number.parse().expect("a number of nights"));
    asked.unwrap_or(NIGHTS)
}

/// Prints how long something takes; seconds.
fn timed(what: &str, work: impl FnOnce() -> store::Result<()>) -> store::Result<f64> {
    let start = Instant::now();
    work()?;
    let took = start.elapsed().as_secs_f64();
    println!("{what}: {took:.2} s");
    Ok(took)
}

fn fill(path: &Path, number: u64, nights: u32) -> store::Result<()> {
    let (mut db, mut machine) = (Db::open(path)?, Nights::new(number));
    (0..nights).try_for_each(|night| db.import_session(&machine.night(night)).map(drop))
}

/// As the harness inserts: every run its own transaction, synchronised to the disk.
fn singly(folder: &Path) -> store::Result<()> {
    let mut db = Db::open(&folder.join("singly.db"))?;
    let night = Nights::new(0).night(0);
    db.begin(&night.session)?;
    let took = timed("insert, a transaction a run", || {
        night.runs.iter().try_for_each(|run| db.insert(run))
    })?;
    println!("  {:.0} runs/s", night.runs.len() as f64 / took);
    Ok(())
}

/// The whole analysis, as `report changes` makes it.
fn trends(db: &Db) -> store::Result<()> {
    let set = db.series()?;
    let points: usize = set.series.iter().map(|series| series.figures.len()).sum();
    println!("  {} series, {points} points", set.series.len());
    let found = watch(&set, &db.acknowledgements()?);
    println!(
        "  {} findings, {} incidents",
        found.findings.len(),
        found.incidents.len()
    );
    Ok(())
}

fn retention(since: DateTime<Utc>) -> Retention {
    Retention {
        since,
        newest: 30,
        protected: [].into(),
    }
}

fn size(path: &Path, runs: u64) {
    let bytes = std::fs::metadata(path).map_or(0, |found| found.len());
    println!(
        "  {:.2} GB, {} bytes a run",
        bytes as f64 / 1e9,
        bytes / runs.max(1)
    );
}
