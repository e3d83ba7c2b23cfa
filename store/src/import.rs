//! `store import`: tells what a file is by its content, reads all, then stores all; or one after the other,
//! without what is broken.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use store::bench::{self, Origin, Results};
use store::db::Imported;
use store::legacy::{parse_guide, parse_history};
use store::{Db, Document, Error, Guide, HistoricRow, Machine};

use crate::cli::counted;

/// Bytes of a file, at most: memory is a multiple of it.
const LARGEST: u64 = 1 << 30;

/// What is to be imported, and what is said of it besides.
pub(crate) struct Options {
    /// Files and folders.
    pub(crate) files: Vec<PathBuf>,
    /// Where other tools' results were measured: see [`machine`].
    pub(crate) machine: Option<String>,
    /// Measured commit of such results.
    pub(crate) commit: Option<String>,
    /// Its branch.
    pub(crate) branch: Option<String>,
    /// When they were measured, in place of the time of the file.
    pub(crate) at: Option<DateTime<Utc>>,
    /// Whether a file that is broken is left out, in place of all.
    pub(crate) keep_going: bool,
}

/// What a file held.
enum Content {
    Guide(Guide),
    History(Vec<HistoricRow>),
    Sessions(Vec<Document>),
    Benches(Box<Results>, DateTime<Utc>),
}

/// Imports files: all of them, or with `keep_going` those that are whole, which is exit code 1 where
/// others are left out.
pub(crate) fn import(
    path: &Path,
    options: &Options,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for named in &options.files {
        files.extend(below(named).with_context(|| named.display().to_string())?);
    }
    match options.keep_going {
        true => import_whole(path, &files, options, out),
        false => import_all(path, &files, options, out),
    }
}

/// The files of a folder that holds exported sessions, by name; anything else is read as it is.
fn below(named: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if named.is_dir() {
        for entry in std::fs::read_dir(named)? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|name| name == "json"));
    files.sort();
    match files.as_slice() {
        [] => Ok(vec![named.to_owned()]),
        _ => Ok(files),
    }
}

/// All must decode before the first is stored.
fn import_all(
    path: &Path,
    files: &[PathBuf],
    options: &Options,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let read = |file: &PathBuf| read(file).with_context(|| file.display().to_string());
    let contents: Vec<Content> = files.iter().map(read).collect::<Result<_, _>>()?;
    let mut db = Db::open(path)?;
    for (file, content) in files.iter().zip(&contents) {
        let stored = store(&mut db, content, options);
        let stored = stored.with_context(|| file.display().to_string())?;
        tell(file, &stored, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One after the other, so that memory holds one. A database that cannot be written ends it.
fn import_whole(
    path: &Path,
    files: &[PathBuf],
    options: &Options,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let mut db = Db::open(path)?;
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let stored = match read(file) {
            Ok(content) => match store(&mut db, &content, options) {
                Err(error) if !is_refusal(&error) => return Err(error),
                stored => stored,
            },
            Err(error) => Err(error),
        };
        match stored {
            Ok(stored) => tell(file, &stored, out)?,
            Err(error) => {
                let line = format!("{} is left out: {error:#}", file.display());
                eprintln!("store: {}", line.replace(char::is_control, " "));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Whether the file is at fault.
fn is_refusal(error: &anyhow::Error) -> bool {
    let known = error.downcast_ref::<Error>();
    known.is_none_or(|error| matches!(error, Error::Refused { .. } | Error::Bench { .. }))
}

fn tell(
    file: &Path,
    (what, Imported { added, known }): &(String, Imported),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let file = file.display();
    Ok(writeln!(
        out,
        "{file}: {what}, {added} added, {known} known"
    )?)
}

fn read(file: &Path) -> anyhow::Result<Content> {
    let found = std::fs::metadata(file)?;
    let time = found.modified().unwrap_or_else(|_| SystemTime::now());
    if found.is_dir() {
        let results = bench::criterion_folder(file)?;
        return Ok(Content::Benches(Box::new(results), time.into()));
    }
    let mut bytes = Vec::new();
    let limited = std::fs::File::open(file)?.take(LARGEST + 1);
    if { limited }.read_to_end(&mut bytes)? as u64 > LARGEST {
        bail!("larger than {} MiB", LARGEST >> 20);
    }
    let text = String::from_utf8(bytes).context("not a text file")?;
    Ok(match text.trim_start().as_bytes().first() {
        Some(b'#') => Content::Guide(parse_guide(&text)?),
        Some(b'[') => Content::History(parse_history(&text)?),
        Some(b'{') => match serde_json::from_str(&text)
            .ok()
            .as_ref()
            .and_then(bench::parse)
        {
            Some(results) => Content::Benches(Box::new(results?), time.into()),
            None => Content::Sessions(Document::parse(&text)?),
        },
        _ => bail!(
            "neither a guide (Markdown), a history (JSON list), exported sessions, results of \
             hyperfine or pytest-benchmark (JSON) nor a folder of criterion"
        ),
    })
}

fn store(db: &mut Db, content: &Content, options: &Options) -> anyhow::Result<(String, Imported)> {
    Ok(match content {
        Content::Guide(guide) => (format!("guide of {}", guide.date), db.import_guide(guide)?),
        Content::History(rows) => (
            counted(rows.len(), "historic row"),
            db.import_history(rows)?,
        ),
        Content::Sessions(documents) => {
            let mut total = Imported::default();
            for document in documents {
                total += db.import_session(document)?;
            }
            let runs: usize = documents.iter().map(|document| document.runs.len()).sum();
            let sessions = counted(documents.len(), "session");
            (format!("{sessions} with {}", counted(runs, "run")), total)
        }
        Content::Benches(results, time) => {
            let named = options.machine.as_deref();
            let document = results.document(&Origin {
                at: options.at.unwrap_or(*time),
                machine: named.map(|name| machine(db, name)).transpose()?,
                commit: options.commit.clone(),
                branch: options.branch.clone(),
            })?;
            let (tool, machine) = (results.tool(), document.session.machine.describe());
            let benches = counted(document.runs.len(), "benchmark");
            let what = format!("{benches} of {tool} on {machine}");
            (what, db.import_bench(&document)?)
        }
    })
}

/// The one stored machine that a name means, by the start of its key or a part of its description;
/// else a machine of which nothing but this name is known.
fn machine(db: &Db, name: &str) -> anyhow::Result<Machine> {
    let lower = name.to_lowercase();
    let means = |machine: &Machine| {
        let described = machine.describe().to_lowercase();
        machine.key().starts_with(&lower) || described.contains(&lower)
    };
    let mut known: Vec<Machine> = db.machines()?.into_iter().filter(means).collect();
    match (known.pop(), known.len()) {
        (None, _) => Ok(bench::named_machine(name)),
        (Some(machine), 0) => Ok(machine),
        (Some(machine), others) => bail!(
            "--machine {name} means {} machines, {} ({}) among them: give more of its key",
            others + 1,
            machine.key(),
            machine.describe()
        ),
    }
}
