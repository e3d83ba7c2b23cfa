//! The `store` command.

mod audit;
mod cli;
mod export;
mod import;
mod merge;
mod prune;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run().unwrap_or_else(|error| {
        // One line, whatever a hostile file put into it.
        let line = format!("{error:#}").replace(char::is_control, " ");
        eprintln!("store: {line}");
        ExitCode::from(2)
    })
}
