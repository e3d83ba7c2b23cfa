//! How a judgement is printed: the same formats for `report check` and `compare`, `harness ab` and `duet`.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::Error;
use crate::gate::{Comment, Judgement, document, github, markdown, text};

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table and the reasons
    Text,
    /// A document for a comment
    Markdown,
    /// One object
    Json,
    /// Workflow commands, and the Markdown in the step summary
    Github,
}

/// The options of a command line that name a format.
#[derive(Clone, Copy, Debug, Args)]
pub struct FormatArgs {
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl FormatArgs {
    /// The format that is meant.
    #[must_use]
    pub const fn format(self) -> Format {
        match self.json {
            true => Format::Json,
            false => self.format,
        }
    }
}

impl Format {
    /// What is printed where nothing could be judged: a comment and a script are told why in a row of their own,
    /// a terminal by one line of standard error.
    ///
    /// # Errors
    /// The one given, for a terminal.
    pub fn or_broken<E: Display>(self, judged: Result<Judgement, E>) -> Result<Judgement, E> {
        match judged {
            Err(error) if self != Self::Text => Ok(Judgement::broken(&format!("{error:#}"))),
            judged => judged,
        }
    }
}

/// Prints a judgement to standard output, `out`. `draw` makes Markdown by the template `check.md`.
///
/// A reader that has heard enough, such as `head`, is no error, and neither is a step summary that cannot be written:
/// the verdict is said, and what follows must not take its place.
///
/// # Errors
/// [`Error::Print`], and those of `draw`.
pub fn print<E: From<Error>>(
    judgement: &Judgement,
    format: Format,
    draw: impl Fn(&Comment) -> Result<String, E>,
    out: &mut dyn Write,
) -> Result<(), E> {
    let said = match format {
        Format::Text => text(judgement),
        Format::Markdown => markdown(judgement, &draw)?,
        Format::Json => format!("{:#}\n", document(judgement)),
        Format::Github => github(judgement),
    };
    match out.write_all(said.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Print(error))?,
        _ => (),
    }
    if format == Format::Github {
        summarise(&markdown(judgement, draw)?);
    }
    Ok(())
}

/// Appends a document to the step summary, if this is a step of GitHub's.
fn summarise(document: &str) {
    let named = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
    let Some(path) = named.map(PathBuf::from) else {
        return;
    };
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    if let Err(error) = opened.and_then(|mut file| writeln!(file, "{document}")) {
        // A closed standard error is nobody's problem.
        let _ = writeln!(
            io::stderr(),
            "warning: cannot write the step summary {}, unset GITHUB_STEP_SUMMARY: {error}",
            path.display()
        );
    }
}
