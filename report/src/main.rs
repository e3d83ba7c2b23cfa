//! The `report` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::misused(&error),
    };
    match cli::run(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("report: {error:#}");
            cli.cannot()
        }
    }
}
