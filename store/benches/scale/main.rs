//! Three years of ten machines: 657,000 runs. What it takes to insert, merge, read and thin them.
//!
//! `cargo bench -p store --bench scale`, for a part of it `-- --nights 60`. With `--keep FOLDER` the databases
//! stay there, `union-1095.db` among them, and are used again the next time. Needs about 8 GB of disk, in the
//! target folder where no other is named.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

mod nights;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
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

/// Databases made at once.
const WRITERS: usize = 2;

fn main() -> store::Result<()> {
    let nights = asked_for("--nights").map_or(NIGHTS, |n| n.parse().expect("a number of nights"));
    let own = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let folder = asked_for("--keep").map_or_else(|| own.path().to_owned(), PathBuf::from);
    fs::create_dir_all(&folder).expect("a folder");
    let runs = u64::from(nights) * MACHINES * 60;
    println!("{MACHINES} machines, {nights} nights, {runs} runs");

    let of = |number| folder.join(format!("machine-{number}-{nights}.db"));
    let inputs: Vec<PathBuf> = (0..MACHINES).map(of).collect();
    if inputs.iter().any(|input| !input.exists()) {
        let took = timed(
            "insert, a transaction a session, two databases at once",
            || fill(&inputs, nights),
        )?;
        println!("  {:.0} runs/s, the generator included", runs as f64 / took);
    }
    singly(own.path())?;

    let union = folder.join(format!("union-{nights}.db"));
    if !union.exists() {
        let took = timed("merge of ten databases, each verified", || {
            whole(&union, |part| merge(part, &inputs).map(drop))
        })?;
        println!("  {:.0} runs/s", runs as f64 / took);
    }
    size(&union, runs);
    read(&Db::open_existing(&union)?)?;
    let copy = own.path().join("thinned.db");
    fs::copy(&union, &copy).expect("a copy");
    thin(&mut Db::open(&copy)?, nights)?;
    size(&copy, runs);
    Ok(())
}

/// What follows an option on the command line.
fn asked_for(option: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != option).nth(1)
}

/// Prints how long something takes; seconds.
fn timed(what: &str, work: impl FnOnce() -> store::Result<()>) -> store::Result<f64> {
    let start = Instant::now();
    work()?;
    let took = start.elapsed().as_secs_f64();
    println!("{what}: {took:.2} s");
    Ok(took)
}

/// Makes a file that gets its name once it is whole.
fn whole(path: &Path, make: impl FnOnce(&Path) -> store::Result<()>) -> store::Result<()> {
    let part = path.with_extension("part");
    // Left by one that was killed.
    drop(fs::remove_file(&part));
    make(&part)?;
    fs::rename(&part, path).expect("a name");
    Ok(())
}

/// Makes the databases that are not there.
fn fill(paths: &[PathBuf], nights: u32) -> store::Result<()> {
    let one = |number: usize| {
        whole(&paths[number], |part| {
            let (mut db, mut machine) = (Db::open(part)?, Nights::new(number as u64));
            (0..nights).try_for_each(|night| db.import_session(&machine.night(night)).map(drop))
        })
    };
    let missing: Vec<usize> = (0..paths.len()).filter(|&n| !paths[n].exists()).collect();
    let one = &one;
    thread::scope(|scope| {
        let share = missing.len().div_ceil(WRITERS);
        let shares = missing.chunks(share);
        let writers: Vec<_> = shares
            .map(|numbers| scope.spawn(move || numbers.iter().try_for_each(|&number| one(number))))
            .collect();
        let mut done = writers.into_iter().map(|writer| writer.join());
        done.try_for_each(|done| done.expect("a writer that did not panic"))
    })
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

/// What people and pages wait for.
fn read(db: &Db) -> store::Result<()> {
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
    timed("trends of every series with a direction", || trends(db))?;
    timed("verify", || {
        db.verify().map(|problems| assert!(problems.is_empty()))
    })?;
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

/// What `store prune` does, and what is left.
fn thin(db: &mut Db, nights: u32) -> store::Result<()> {
    let retention = Retention {
        since: DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(19_000 + i64::from(nights) - 90),
        newest: 30,
        protected: [].into(),
    };
    timed("prune, only told", || db.prunable(&retention).map(drop))?;
    timed("prune: 90 days whole, 30 newest of a series", || {
        let pruned = db.prune(&retention)?;
        println!("  {pruned:?}");
        Ok(())
    })?;
    timed("vacuum", || db.vacuum())?;
    timed("trends of what is left", || trends(db))?;
    Ok(())
}

fn size(path: &Path, runs: u64) {
    let bytes = fs::metadata(path).map_or(0, |found| found.len());
    println!(
        "  {:.2} GB, {} bytes a run",
        bytes as f64 / 1e9,
        bytes / runs.max(1)
    );
}
