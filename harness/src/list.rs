//! `harness list`: models, backends with their devices, and scenarios; what is here and why not.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;
use store::summary::text_table;

use crate::models::published::PUBLISHED;
use crate::models::{Backend, Device, Place, ready};
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
    /// For a model: where it can be measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    places: Vec<Spot>,
}

/// A backend's device, for one model or for all.
#[derive(Clone, Debug, Serialize)]
struct Spot {
    backend: Backend,
    device: Device,
    available: bool,
    /// Why not; empty where it is.
    detail: String,
}

impl Spot {
    /// Asks library and machine.
    fn look(place: Place) -> Self {
        let refusal = ready(place).err();
        Self {
            backend: place.backend,
            device: place.device,
            available: refusal.is_none(),
            detail: refusal.map(|error| error.to_string()).unwrap_or_default(),
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.backend, self.device)
    }
}

/// Prints everything known.
///
/// # Errors
/// When the datasets are not at hand, or `out` cannot be written.
pub fn run(format: Format, out: &mut dyn Write) -> Result<()> {
    let places = Backend::LIBRARIES.iter().flat_map(|&backend| {
        let devices = backend.devices().iter();
        devices.map(move |&device| Spot::look(Place { backend, device }))
    });
    let places: Vec<_> = places.collect();
    let models = models(&places)?;
    let backends = backends(&places).chain([servers()]);
    let others: Vec<_> = backends.chain(scenarios()).collect();
    match format {
        Format::Json => {
            let all: Vec<_> = models.iter().chain(&others).collect();
            writeln!(out, "{}", serde_json::to_string(&all)?)?;
        }
        Format::Text => {
            writeln!(out, "{}", matrix(&models, &places))?;
            write!(out, "{}", details(models.iter().chain(&others)))?;
        }
    }
    Ok(())
}

/// Model x backend and device.
fn matrix(models: &[Entry], places: &[Spot]) -> String {
    let names: Vec<_> = places.iter().map(Spot::name).collect();
    let headers: Vec<_> = std::iter::once("Model")
        .chain(names.iter().map(String::as_str))
        .collect();
    let row = |model: &Entry| {
        let cell = |place: &Spot| match (model.available, place.available) {
            (true, true) => "yes",
            (true, false) => "no device",
            (false, true) => "no weights",
            (false, false) => "neither",
        };
        let cells = places.iter().map(|place| cell(place).to_owned());
        std::iter::once(model.name.clone()).chain(cells).collect()
    };
    let rows: Vec<Vec<String>> = models.iter().map(row).collect();
    text_table(&headers, &rows)
}

fn details<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let row = |entry: &Entry| {
        let here = if entry.available { "yes" } else { "no" };
        vec![
            entry.name.clone(),
            entry.kind.to_owned(),
            here.to_owned(),
            entry.detail.clone(),
        ]
    };
    let rows: Vec<_> = entries.map(row).collect();
    text_table(&["Name", "Kind", "Here", "Detail"], &rows)
}

fn models(places: &[Spot]) -> Result<Vec<Entry>> {
    let published = PUBLISHED.iter().map(|model| model.name.to_owned());
    let names = embedded_names()?.into_iter().chain(published);
    let entry = |name: String| {
        let (available, detail) = match resolve(&name, WeightsChoice::Published, Network::Off) {
            Ok(model) => {
                let mib = model.weight_bytes as f64 / 1_048_576.0;
                let (weights, revision) = (model.weights, model.revision);
                (
                    true,
                    format!("{weights} weights, {mib:.1} MiB, revision {revision}"),
                )
            }
            Err(error) => (false, format!("{error:#}")),
        };
        let of_model = |place: &Spot| match available {
            true => place.clone(),
            false => Spot {
                available: false,
                detail: detail.clone(),
                ..place.clone()
            },
        };
        Entry {
            kind: "model",
            name,
            available,
            places: places.iter().map(of_model).collect(),
            detail,
        }
    };
    Ok(names.map(entry).collect())
}

fn scenarios() -> impl Iterator<Item = Entry> {
    SCENARIOS.iter().map(|scenario| {
        let trained = match scenario.needs() {
            Needs::AnyWeights => "",
            Needs::TrainedWeights => " (not with --weights dummy)",
            Needs::Loading => " (not with --backend openai)",
        };
        let named = match scenario.on_request() {
            true => " (where it is named)",
            false => "",
        };
        let detail = format!("{}{trained}{named}", scenario.about());
        Entry {
            kind: "scenario",
            name: scenario.name().to_owned(),
            available: true,
            detail,
            places: Vec::new(),
        }
    })
}

fn backends(places: &[Spot]) -> impl Iterator<Item = Entry> {
    places.iter().map(|place| Entry {
        kind: "backend",
        name: place.name(),
        available: place.available,
        detail: match place.available {
            true => "ready".to_owned(),
            false => place.detail.clone(),
        },
        places: Vec::new(),
    })
}

/// What is no library of ours: any server, which only asking finds.
fn servers() -> Entry {
    Entry {
        kind: "backend",
        name: Backend::OpenAi.to_string(),
        available: true,
        detail: "a server, here or elsewhere: --backend openai --url http://HOST:PORT".to_owned(),
        places: Vec::new(),
    }
}
