//! Shell completions and manual pages of the three programs, made from their command lines.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Command, Subcommand};
use clap_complete::Shell;

/// Commands that every program of the workspace has.
#[derive(Clone, Debug, Subcommand)]
pub enum Manual {
    /// Print what makes a shell complete this program's command line
    #[command(
        after_help = "Examples:\n  harness completions bash > ~/.local/share/bash-completion/completions/harness\n  \
        store completions zsh > ~/.zfunc/_store\n  report completions fish > ~/.config/fish/completions/report.fish"
    )]
    Completions {
        /// Which shell
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Write this program's manual pages, one a command
    #[command(
        after_help = "Examples:\n  harness manual ~/.local/share/man/man1 && man harness-run"
    )]
    Manual {
        /// Folder to write them into; made if it is not there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

impl Manual {
    /// Does what the command line says, for the program that `command` describes.
    ///
    /// # Errors
    /// When `out` or the folder cannot be written; the folder is named.
    pub fn run(&self, mut command: Command, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Completions { shell } => {
                let name = command.get_name().to_owned();
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut command, name, &mut script);
                out.write_all(&script)
            }
            Self::Manual { folder } => pages(command, folder),
        }
    }
}

/// One page for the program and one for each command that help shows.
fn pages(command: Command, folder: &Path) -> io::Result<()> {
    let written =
        fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    written.map_err(named)
}
