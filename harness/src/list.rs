//! `harness list`: models, scenarios and backends, what is available here and why not.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use store::summary::text_table;

use crate::models::Backend;
use crate::models::published::PUBLISHED;
use crate::scenarios::{Needs, SCENARIOS};
use crate::session::Format;
use crate::source::{Network, WeightsChoice, embedded_names, resolve};

/// One thing that can be measured, or measured with.
#[derive(Debug, Serialize)]
struct Entry {
    kind: &'static str,
    name: String,
    available: bool,
    /// What it is, or why it is not available.
    detail: String,
}

/// Prints everything known.
///
/// # Errors
/// When the datasets are not at hand, or `out` cannot be written.
pub fn run(format: Format, out: &mut dyn Write) -> Result<()> {
    let entries: Vec<_> = models()?
        .into_iter()
        .chain(scenarios())
        .chain(backends())
        .collect();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&entries)?)?,
        Format::Text => {
            let row = |entry: &Entry| {
                let here = if entry.available { "yes" } else { "no" };
                vec![
                    entry.kind.to_owned(),
                    entry.name.clone(),
                    here.to_owned(),
                    entry.detail.clone(),
                ]
            };
            let table: Vec<_> = entries.iter().map(row).collect();
            write!(
                out,
                "{}",
                text_table(&["Kind", "Name", "Here", "Detail"], &table)
            )?;
        }
    }
    Ok(())
}

fn models() -> Result<Vec<Entry>> {
    let published = PUBLISHED.iter().map(|model| model.name.to_owned());
    let names = embedded_names()?.into_iter().chain(published);
    let entry = |name: String| match resolve(&name, WeightsChoice::Published, Network::Off) {
        Ok(model) => {
            let mib = model.weight_bytes as f64 / 1_048_576.0;
            let detail = format!(
                "{} weights, {mib:.1} MiB, revision {}",
                model.weights, model.revision
            );
            Entry {
                kind: "model",
                name,
                available: true,
                detail,
            }
        }
        Err(error) => Entry {
            kind: "model",
            name,
            available: false,
            detail: format!("{error:#}"),
        },
    };
    Ok(names.map(entry).collect())
}

fn scenarios() -> impl Iterator<Item = Entry> {
    SCENARIOS.iter().map(|scenario| {
        let trained = match scenario.needs() {
            Needs::AnyWeights => "",
            Needs::TrainedWeights => " (not with --weights dummy)",
        };
        let detail = format!("{}{trained}", scenario.about());
        Entry {
            kind: "scenario",
            name: scenario.name().to_owned(),
            available: true,
            detail,
        }
    })
}

fn backends() -> impl Iterator<Item = Entry> {
    Backend::ALL.iter().map(|backend| {
        let available = backend.built_in();
        let detail = match available {
            true => "built in".to_owned(),
            false => format!("not built in: build with --features {backend}"),
        };
        Entry {
            kind: "backend",
            name: backend.to_string(),
            available,
            detail,
        }
    })
}
