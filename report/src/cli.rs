//! The command line of `report`. Nothing else sees clap.

mod changes;
mod gate;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use report::table::{Format, render_table};
use report::{Archive, Templates, guide, html};
use store::Db;
use store::manual::Manual;

/// Tables, the dated guide, trend pages and verdicts of the runs in a database.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Examples:
  report table
  report guide --date 2025-07-22 > guide.md
  report html --out site --open
  report check --candidate pr.db --baseline main

Exit codes: 0 done; 2 cannot, with one line that says why. Those of check are in its own help."
)]
pub(crate) struct Cli {
    /// Database to read [default: results.db of this folder or the nearest one above it]
    #[arg(long, global = true, value_name = "FILE")]
    db: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the newest figures of every model, machine by machine
    #[command(after_help = "Examples:
  report table
  report table --format markdown >> notes.md
  report table --format json | jq '.machines[0].rows[].figures.inference'
  report table --hardware M3

A database without a run of our own prints one line that says so (JSON: an empty list and a note) and exits 0.")]
    Table(Table),
    /// Print the dated Markdown guide
    #[command(after_help = "Examples:
  report guide
  report guide --date 2025-07-22
  report guide --hardware 'Apple M3' > guide.md

With --date: the sessions of that day (UTC), else the guide imported for it. Without: the newest run of every model.")]
    Guide(Guide),
    /// List the nights on which a figure took another level: when, by how much, how sure
    #[command(after_help = changes::EXAMPLES)]
    Changes(changes::Changes),
    /// Write the trend page, one file that needs no network
    #[command(after_help = "Examples:
  report html
  report html --out public --open
  report html --templates mine        with templates of your own; report templates writes out the built-in ones")]
    Html(Html),
    /// Write out the templates of the documents, to change some and name their folder with --templates
    #[command(after_help = "Examples:
  report templates --out mine && rm mine/index.html && $EDITOR mine/guide.md
  report guide --templates mine

A file replaces the built-in template of its name; delete those that stay as they are, so that they follow
later versions. Syntax: Jinja, without macros of ours; a name that the view lacks is an error.")]
    Templates(TemplatesOut),
    /// Judge a candidate against its baseline, or pairs: the gate of a pull request
    #[command(after_help = gate::CHECK_EXAMPLES)]
    Check(gate::Check),
    /// Compare two runs or sessions, cell by cell; gates nothing
    #[command(after_help = gate::COMPARE_EXAMPLES)]
    Compare(gate::Compare),
    #[command(flatten)]
    Manual(Manual),
}

/// What documents look like.
#[derive(Debug, Args)]
struct Look {
    /// Folder of templates that replace the built-in ones of the same names; see `report templates`
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct TemplatesOut {
    /// Folder to write them into; made if it is not there, no file is overwritten
    #[arg(long, value_name = "DIR", default_value = "templates")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct Table {
    /// What to print
    #[arg(long, value_enum, default_value_t = Print::Text)]
    format: Print,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Only machines whose key starts with this or whose description holds it
    #[arg(long, value_name = "KEY")]
    hardware: Option<String>,
    #[command(flatten)]
    look: Look,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Print {
    Text,
    Markdown,
    Json,
}

#[derive(Debug, Args)]
struct Guide {
    /// The day, as YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    date: Option<NaiveDate>,
    /// Only machines whose key starts with this or whose description holds it
    #[arg(long, value_name = "KEY")]
    hardware: Option<String>,
    #[command(flatten)]
    look: Look,
}

#[derive(Debug, Args)]
struct Html {
    /// Folder to write index.html into; made if it is not there
    #[arg(long, value_name = "DIR", default_value = "site")]
    out: PathBuf,
    /// Newest sessions of each machine that get a page with every raw value
    #[arg(long, value_name = "N", default_value_t = 7)]
    sessions: usize,
    /// Show the page in the browser of this system
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    look: Look,
}

impl Look {
    fn read(&self) -> Result<Templates> {
        Ok(Templates::read(self.templates.as_deref())?)
    }
}

impl Cli {
    /// The exit code of a command that could not do its work.
    pub(crate) fn cannot(&self) -> ExitCode {
        match self.command {
            Command::Check(_) => gate::BROKEN.into(),
            _ => CANNOT.into(),
        }
    }
}

/// Exit code where a command could not do its work.
const CANNOT: u8 = 2;

/// Says what is wrong with a command line, or prints the help that was asked for. A gate that was called
/// wrongly must not look like one that could not tell.
pub(crate) fn misused(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let check = std::env::args_os().any(|argument| argument == "check");
    match (error.use_stderr(), check) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => gate::BROKEN.into(),
        (true, false) => CANNOT.into(),
    }
}

/// Does what the command line says.
///
/// # Errors
/// Everything that ends with [`Cli::cannot`]; the text is one line.
pub(crate) fn run(cli: &Cli) -> Result<ExitCode> {
    let db = cli.db.clone().unwrap_or_else(Db::default_path);
    match &cli.command {
        Command::Check(check) => check.run(&db),
        Command::Compare(compare) => compare.run(&db),
        Command::Changes(asked) => asked.run(&db),
        Command::Manual(asked) => manual(asked),
        page => pages(page, &db).map(|()| ExitCode::SUCCESS),
    }
}

/// What shows a whole database.
fn pages(command: &Command, db: &Path) -> Result<()> {
    let archive = || Archive::read(db);
    match command {
        Command::Check(_) | Command::Compare(_) | Command::Changes(_) | Command::Manual(_) => {
            Ok(())
        }
        Command::Table(table) => {
            let format = match table.format {
                _ if table.json => Format::Json,
                Print::Text => Format::Text,
                Print::Markdown => Format::Markdown,
                Print::Json => Format::Json,
            };
            print(&format!(
                "{}\n",
                render_table(
                    &archive()?,
                    table.hardware.as_deref(),
                    format,
                    &table.look.read()?
                )?
            ))
        }
        Command::Guide(own) => print(&guide::render_guide(
            &archive()?,
            own.date,
            own.hardware.as_deref(),
            &own.look.read()?,
        )?),
        Command::Templates(asked) => {
            let written = Templates::write_built_in(&asked.out)?;
            let lines = written.iter().map(|path| format!("{}\n", path.display()));
            print(&lines.collect::<String>())
        }
        Command::Html(page) => {
            let file = html::write(
                &archive()?,
                &html::Output {
                    folder: &page.out,
                    templates: &page.look.read()?,
                    sessions: page.sessions,
                },
            )?;
            print(&format!("{}\n", file.display()))?;
            if page.open {
                Ok(html::show(&file)?)
            } else {
                Ok(())
            }
        }
    }
}

fn manual(asked: &Manual) -> Result<ExitCode> {
    let mut text = Vec::new();
    asked.run(Cli::command(), &mut text)?;
    print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output. A reader that has heard enough, such as `head`, is no error.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}
