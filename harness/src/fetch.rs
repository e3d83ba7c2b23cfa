//! `harness fetch`: models from the hub into its local cache.

use std::io::{Write, stderr};
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::progress::download::size;
use crate::session::Format;
use crate::source::{Hashed, Model, Network, WeightsChoice, damaged, resolve};

/// What became of one model.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Fetched<'a> {
    /// It is there.
    Here {
        name: &'a str,
        revision: String,
        dir: String,
        weight_bytes: u64,
    },
    /// Why it is not.
    Failed { name: &'a str, error: String },
}

/// Fetches one model after another; one that fails does not keep the others. What is here already is hashed
/// anew, and what is damaged of it is fetched again.
///
/// Exit code 0 where all are there, 1 where one is not.
///
/// # Errors
/// When a model is not one of the hub's, or `out` cannot be written.
pub fn run(
    models: &[String],
    network: Network,
    format: Format,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let mut all = Vec::new();
    for name in models {
        all.push(match fetch(name, network) {
            Ok(Model { weights, .. }) if weights != "published" => {
                bail!("{name:?}: has its weights in a folder already, there is nothing to fetch")
            }
            Ok(model) => Fetched::Here {
                name,
                revision: model.revision,
                dir: model.dir.to_string_lossy().into_owned(),
                weight_bytes: model.weight_bytes,
            },
            Err(error) => Fetched::Failed {
                name,
                error: format!("{error:#}"),
            },
        });
        if let (Format::Text, Some(last)) = (format, all.last()) {
            print(last, out)?;
        }
    }
    if format == Format::Json {
        writeln!(out, "{}", serde_json::to_string(&all)?)?;
    }
    let failed = all.iter().any(|one| matches!(one, Fetched::Failed { .. }));
    Ok(match failed {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// The model, every file of it as the hub lists it.
fn fetch(name: &str, network: Network) -> Result<Model> {
    let find = |network| resolve(name, WeightsChoice::Published, network);
    let Ok(here) = find(Network::Off) else {
        return find(network);
    };
    if here.weights != "published" {
        return Ok(here);
    }
    let damaged = damaged(&here.dir, Hashed::All)?;
    match damaged.first() {
        None => return Ok(here),
        Some(file) if network == Network::Off => bail!("{file}; run harness fetch {name}"),
        Some(_) => {}
    }
    for file in damaged {
        writeln!(stderr(), "{file}; fetching it again")?;
        file.remove()?;
    }
    find(network)
}

fn print(fetched: &Fetched<'_>, out: &mut dyn Write) -> Result<()> {
    match fetched {
        Fetched::Here {
            name,
            revision,
            dir,
            weight_bytes,
        } => writeln!(
            out,
            "{name}  revision {revision}, {} of weights, in {dir}",
            size(*weight_bytes)
        )?,
        Fetched::Failed { error, .. } => writeln!(stderr(), "error: {error}")?,
    }
    Ok(())
}
