//! The command line: clap types stop here.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use store::manual::Manual;
use store::{Db, Error, Session, Uuid};

use crate::{audit, export, import, merge, prune};

const EXAMPLES: &str = "\
Examples:
  cargo store list
  cargo store verify
  cargo store merge night-of-mac.db night-of-linux.db
  cargo store import target/criterion --machine \"Apple M3\" --commit $(git rev-parse HEAD) --branch main
  cargo store prune --keep-days 90 --dry-run
  cargo store import datasets/legacy/guide-2025-07-22.md datasets/legacy/legacy-results.json
  cargo store export > sessions.json && cargo store --db copy.db import sessions.json
  cargo store export --format csv > values.csv

Exit status: 0 done and sound, 1 verify found problems or import left files out, 2 cannot.";

/// Looks after results.db: import, export, merge, verify, prune, list.
#[derive(Parser)]
#[command(name = "store", version, after_help = EXAMPLES)]
struct Cli {
    /// The database [default: results.db of the nearest folder upwards that has one]
    #[arg(long, global = true, value_name = "FILE")]
    db: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Add exported sessions, micro-benches of other tools, or the earlier tool's files; known ones stay
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportArgs),
    /// Add all that is in other databases; they are only read. The same id with another content is refused
    #[command(after_help = MERGE_EXAMPLES)]
    Merge {
        /// Databases, of this or an older schema
        #[arg(required = true, value_name = "FILE")]
        inputs: Vec<PathBuf>,
        /// Where the union goes, created if need be [default: the database of --db]
        #[arg(long, value_name = "FILE")]
        into: Option<PathBuf>,
    },
    /// Drop raw trials and answers of old runs; medians of epochs, scores and remarks stay for ever
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(PruneArgs),
    /// Print sessions with their runs and raw values
    #[command(after_help = "Examples:\n  cargo store export --session 0198…\n  \
        cargo store export --run 0198… --format csv\n  \
        cargo store export --into nights && cargo store --db other.db import nights/*.json")]
    Export(ExportArgs),
    /// Check the file and decode every row; restores a file whose writer was killed
    #[command(after_help = "Example:\n  cargo store verify && git add results.db")]
    Verify,
    /// Judge the earlier tool's imported history by the rules of our own runs
    #[command(after_help = "Example:\n  cargo store audit --json | jq .vision")]
    Audit {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Print the sessions, a line each, oldest first
    #[command(after_help = "Example:\n  cargo store list --json | jq .suite")]
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    #[command(flatten)]
    Manual(Manual),
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  cargo store import sessions.json
  cargo store import --keep-going nights/
  cargo store import target/criterion --machine \"Apple M3\" --commit 0123… --branch main
  hyperfine --export-json times.json 'sleep 1' && cargo store import times.json --machine laptop
  pytest --benchmark-json=times.json && cargo store import times.json

Without --machine, results of criterion and hyperfine belong to an unknown machine of their own, which is
never compared with another; pytest-benchmark names the processor. A name that is not a part of the
description of one stored machine (cargo store list) is taken as one.";

const MERGE_EXAMPLES: &str = "\
Examples:
  cargo store merge night-of-mac.db night-of-linux.db
  cargo store merge a.db b.db --into union.db

All or nothing. The order of the files does not matter, and merging again changes nothing.";

const PRUNE_EXAMPLES: &str = "\
Examples:
  cargo store prune --dry-run
  cargo store prune --keep-days 365 --keep-last 50 --protect 0198…

No run is deleted, and no median or interval changes. Runs that another table refers to stay whole.";

#[derive(Args)]
struct ImportArgs {
    /// What to add; its content tells what it is. A folder of exported sessions stands for its files. All are
    /// read before any is stored
    #[arg(required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// Where other tools' results were measured: start of a stored machine's key, part of its
    /// description, or a name of your own
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
    /// Measured commit of other tools' results, 40 hex digits, where the file does not say
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    commit: Option<String>,
    /// Its branch
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// When they were measured, where the file does not say [default: time of the file]
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// Leave out files that are broken, a line each, and store the others; exit status 1 where any is
    #[arg(long)]
    keep_going: bool,
}

fn commit(text: &str) -> Result<String, String> {
    let whole = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let message = || "wanted 40 hex digits, as `git rev-parse HEAD` prints them".to_owned();
    whole.then(|| text.to_lowercase()).ok_or_else(message)
}

#[derive(Args)]
struct PruneArgs {
    /// Younger runs stay whole
    #[arg(long, value_name = "N", default_value_t = 90)]
    keep_days: u32,
    /// The newest runs of a series (machine, branch, cell) stay whole, however old
    #[arg(long, value_name = "N", default_value_t = 30)]
    keep_last: u32,
    /// A run, or all runs of a session, that stay whole; repeatable
    #[arg(long, value_name = "ID")]
    protect: Vec<Uuid>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct ExportArgs {
    /// Only this session
    #[arg(long, value_name = "ID", conflicts_with = "run")]
    session: Option<Uuid>,
    /// Only this run, with its session
    #[arg(long, value_name = "ID")]
    run: Option<Uuid>,
    /// json: one document (= one line) a session; csv: one line a raw value
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// A file a session into this folder, in place of standard output
    #[arg(long, value_name = "FOLDER", conflicts_with = "format")]
    into: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Csv,
}

/// Runs the command of this process.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let path = cli.db.unwrap_or_else(Db::default_path);
    let mut out = io::stdout().lock();
    let done = match cli.command {
        Command::Import(args) => import::import(&path, &import_options(args), &mut out),
        Command::Merge { inputs, into } => merge::merge(&into.unwrap_or(path), &inputs, &mut out),
        Command::Prune(args) => prune::prune(&path, &prune_options(args), &mut out),
        Command::Export(args) => export(&path, &args, &mut out),
        Command::Verify => verify(&path, &mut out),
        Command::Audit { json: true } => audit::print(&path, &mut out, audit::as_json),
        Command::Audit { json: false } => audit::print(&path, &mut out, audit::as_text),
        Command::List { json: true } => list(&path, &mut out, as_json),
        Command::List { json: false } => list(&path, &mut out, as_line),
        Command::Manual(asked) => manual(&asked, &mut out),
    };
    let flushed = done.and_then(|code| Ok(out.flush().map(|()| code)?));
    match flushed {
        // The reader of a pipe had enough, as `head` does.
        Err(error) if broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        other => other,
    }
}

fn manual(asked: &Manual, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    asked.run(Cli::command(), out)?;
    Ok(ExitCode::SUCCESS)
}

fn import_options(args: ImportArgs) -> import::Options {
    import::Options {
        files: args.files,
        machine: args.machine,
        commit: args.commit,
        branch: args.branch,
        at: args.at,
        keep_going: args.keep_going,
    }
}

fn prune_options(args: PruneArgs) -> prune::Options {
    prune::Options {
        keep_days: args.keep_days,
        keep_last: args.keep_last,
        protect: args.protect,
        dry_run: args.dry_run,
    }
}

fn broken_pipe(error: &anyhow::Error) -> bool {
    let io = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    io.map(io::Error::kind)
        .any(|kind| kind == ErrorKind::BrokenPipe)
}

fn export(path: &Path, args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let db = Db::open_existing(path)?;
    if let Format::Csv = args.format {
        writeln!(out, "{}", export::COLUMNS)?;
    }
    export::each(&db, args.session, args.run, |document| {
        match (&args.into, args.format) {
            (Some(folder), _) => export::file(document, folder)?,
            (None, Format::Json) => export::json(document, out)?,
            (None, Format::Csv) => export::csv(document, out)?,
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn verify(path: &Path, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let db = match Db::open_existing(path) {
        // Opening for writing restores the one and upgrades the other.
        Err(Error::CutOff { .. } | Error::TooOld { .. }) => Db::open(path)?,
        opened => opened?,
    };
    let problems = db.verify()?;
    for problem in &problems {
        writeln!(out, "{}", problem.replace(char::is_control, " "))?;
    }
    if !problems.is_empty() {
        return Ok(ExitCode::from(1));
    }
    let runs = db.run_counts()?;
    let (sessions, runs) = (db.sessions()?.len(), runs.values().sum());
    let (guides, historic) = (db.guides()?.len(), db.history()?.len());
    let counts = [
        (sessions, "session"),
        (runs, "run"),
        (guides, "guide"),
        (historic, "historic row"),
    ];
    let counts = counts.map(|(n, thing)| counted(n, thing)).join(", ");
    writeln!(out, "{} is sound: {counts}", path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// `1 run`, `2 runs`.
pub(crate) fn counted(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

fn list(
    path: &Path,
    out: &mut dyn Write,
    print: fn(&Session, usize) -> serde_json::Result<String>,
) -> anyhow::Result<ExitCode> {
    let db = Db::open_existing(path)?;
    let runs = db.run_counts()?;
    for session in db.sessions()? {
        let runs = runs.get(&session.id).copied().unwrap_or_default();
        writeln!(out, "{}", print(&session, runs)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_line(session: &Session, runs: usize) -> serde_json::Result<String> {
    let at = session.at.format("%Y-%m-%d %H:%M:%S UTC");
    let state = if session.finished.is_some() {
        "finished"
    } else {
        "cut off"
    };
    let machine = session.machine.describe();
    let Session {
        id, suite, profile, ..
    } = session;
    let runs = counted(runs, "run");
    let line = format!("{id}  {at}  {suite}/{profile}  {runs}  {state}  {machine}");
    Ok(line.replace(char::is_control, " "))
}

fn as_json(session: &Session, runs: usize) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(session)?;
    value["machine_key"] = session.machine.key().into();
    value["runs"] = runs.into();
    serde_json::to_string(&value)
}
