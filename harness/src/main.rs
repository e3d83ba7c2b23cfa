//! The `harness` command.

use std::process::ExitCode;

include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

fn main() -> ExitCode {
    harness::source::bundle::offer(&BUNDLE);
    harness::cli::main()
}
