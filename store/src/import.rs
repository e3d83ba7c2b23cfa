//! `store import`: tells what a file is by its content, reads all, then stores all.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use store::bench::{self, Origin, Results};
use store::db::Imported;
use store::legacy::{parse_guide, parse_history};
use store::{Db, Document, Guide, HistoricRow, Machine};

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
}

/// What a file held.
enum Content {
    Guide(Guide),
    History(Vec<HistoricRow>),
    Sessions(Vec<Document>),
    Benches(Box<Results>, DateTime<Utc>),
}

/// Imports files, all of which must decode before the first is stored.
pub(crate) fn import(
    path: &Path,
    options: &Options,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let read = |file: &PathBuf| read(file).with_context(|| file.display().to_string());
    let contents: Vec<Content> = options.files.iter().map(read).collect::<Result<_, _>>()?;
    let mut db = Db::open(path)?;
    for (file, content) in options.files.iter().zip(&contents) {
        let (what, Imported { added, known }) =
            store(&mut db, content, options).with_context(|| file.display().to_string())?;
        writeln!(
            out,
            "{}: {what}, {added} added, {known} known",
            file.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
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
