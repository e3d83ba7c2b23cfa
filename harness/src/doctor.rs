//! `harness doctor`: whether this machine is fit to measure now, and what to do where it is not.

mod findings;
mod noise;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use store::{Db, Unit};

use crate::conditions::{Sampler, busiest, clock_source, load};
use crate::environment::os_build;
use crate::machine;
use crate::measure::energy;
use crate::measure::nvml::Gpu;
use crate::models::{self, Backend, Device, Place, ready};
use crate::served::{Wanted, discover};
use crate::session::Format;
use crate::source::{Network, WeightsChoice, resolve};

/// How long others' work is watched.
const SPAN: Duration = Duration::from_secs(1);

/// The embedded model that the noise floor is measured with.
const NOISE_MODEL: &str = "tiny-smolvlm-500m-instruct";

/// What `harness doctor` was asked for.
#[derive(Clone, Debug)]
pub struct DoctorOptions {
    /// Models to have memory for, or to be had of the server.
    pub models: Vec<String>,
    /// A server that is to be measured.
    pub server: Option<Wanted>,
    /// Whether the noise floor is measured.
    pub noise: NoiseFloor,
    /// Where noise floors are kept; none for the workspace's database.
    pub db: Option<PathBuf>,
    /// How findings are printed.
    pub format: Format,
}

/// Where the noise floor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseFloor {
    /// An A/A run now, which is kept.
    Measured,
    /// The last one that was kept.
    Known,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Figures taken now would be about something else.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What was looked at, in a word or two.
    pub subject: &'static str,
    /// How it is.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

impl Finding {
    fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            subject,
            text: text.into(),
            advice: None,
        }
    }

    fn note(subject: &'static str, text: impl Into<String>) -> Self {
        Self {
            level: Level::Note,
            ..Self::ok(subject, text)
        }
    }

    fn problem(subject: &'static str, text: impl Into<String>, advice: &'static str) -> Self {
        Self {
            level: Level::Problem,
            advice: Some(advice),
            ..Self::ok(subject, text)
        }
    }

    /// One line: `problem  power: battery; plug the machine in`.
    #[must_use]
    pub fn line(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Problem => "problem",
        };
        let advice = self.advice.map(|advice| format!("; {advice}"));
        let advice = advice.unwrap_or_default();
        format!("{level:<7}  {}: {}{advice}", self.subject, self.text)
    }
}

/// Prints all findings, with the largest of the models to be held. Exit code 0 where the machine is fit
/// to measure, 1 where it is not.
///
/// # Errors
/// When `out` or the database cannot be written, or the noise floor not be measured.
pub fn run(options: &DoctorOptions, out: &mut dyn Write) -> Result<ExitCode> {
    let findings = examine(options)?;
    let format = options.format;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&findings)?)?,
        Format::Text => findings
            .iter()
            .try_for_each(|finding| writeln!(out, "{}", finding.line()))?,
    }
    let fit = findings.iter().all(|found| found.level < Level::Problem);
    Ok(if fit {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether figures taken now at these places would be about a model of `weights` bytes and not about the
/// machine's other business; 0 for no model in particular. Takes a second.
#[must_use]
pub fn preflight(weights: u64, places: &[Place]) -> Vec<Finding> {
    let mut sampler = Sampler::new(None);
    let start = sampler.read();
    let users = busiest(SPAN);
    let end = sampler.read();
    findings::judge(&findings::Seen {
        start,
        end,
        users,
        load: load(),
        cores: cores(),
        weights,
        gpus: findings::rooms(places, room_on),
    })
}

/// Bytes that a GPU can hold now: of NVIDIA's what is free by its driver, of Apple's the working set that
/// Metal recommends, by the library that was asked for the device already.
fn room_on(place: Place) -> Option<u64> {
    match place.device {
        Device::Cuda => Some(Gpu::open()?.memory()?.free),
        Device::Metal => models::memory(place).ok()?.limit,
        Device::Cpu | Device::Server => None,
    }
}

/// What does not change from run to run, then the preflight.
fn examine(options: &DoctorOptions) -> Result<Vec<Finding>> {
    let models = &options.models;
    let mut found = vec![hardware(), system(), build(), clock(), energy(), backends()];
    found.extend(gpu());
    found.extend(options.server.as_ref().map(|wanted| server(wanted, models)));
    let mut weights = 0;
    // A server has its own, in memory already.
    for name in models.iter().filter(|_| options.server.is_none()) {
        let model = resolve(name, WeightsChoice::Published, Network::Off);
        weights = weights.max(model.as_ref().map_or(0, |model| model.weight_bytes));
        found.push(match model {
            Ok(model) => Finding::ok(
                "model",
                format!("{name}, {} of weights", bytes(model.weight_bytes)),
            ),
            Err(error) => Finding::problem("model", format!("{error:#}"), "see `harness list`"),
        });
    }
    let place = match options.server {
        None => Place::choose(None, None).ok(),
        Some(_) => None,
    };
    found.extend(preflight(weights, place.as_slice()));
    found.push(noise_floor(options)?);
    Ok(found)
}

/// What the machine's own noise is, measured now or before.
fn noise_floor(options: &DoctorOptions) -> Result<Finding> {
    let database = options.db.clone().unwrap_or_else(Db::default_path);
    let floors = match options.noise {
        NoiseFloor::Measured => noise::measure(NOISE_MODEL, &database)?,
        NoiseFloor::Known => noise::kept(&database),
    };
    let Some(newest) = floors.iter().max_by_key(|noise| noise.at) else {
        let text = "not measured: `harness doctor --noise` takes about two minutes";
        return Ok(Finding::note("noise floor", text));
    };
    let each = floors
        .iter()
        .map(|noise| format!("{} {:.1} %", noise.metric, 100.0 * noise.floor));
    let (pairs, at) = (newest.pairs, newest.at.format("%Y-%m-%d %H:%M UTC"));
    let each = each.collect::<Vec<_>>().join(", ");
    let text = format!("{each} ({pairs} pairs, {at})");
    Ok(Finding::ok("noise floor", text))
}

fn hardware() -> Finding {
    let machine = machine::detect();
    let (fast, slow) = (machine.performance_cores, machine.efficiency_cores);
    let cores = match slow {
        0 => format!("{fast} cores"),
        _ => format!("{fast} performance and {slow} efficiency cores"),
    };
    let mut parts = vec![machine.chip, cores, format!("{} GiB", machine.memory_gib)];
    parts.extend(machine.gpus);
    Finding::ok("hardware", parts.join(", "))
}

fn cores() -> u32 {
    let machine = machine::detect();
    machine.performance_cores + machine.efficiency_cores
}

fn system() -> Finding {
    Finding::ok("system", os_build())
}

fn build() -> Finding {
    if cfg!(debug_assertions) {
        let advice = "build with --release";
        return Finding::problem("build", "without optimisation", advice);
    }
    Finding::ok("build", "optimised")
}

/// Where the energy of a request can be told from.
fn energy() -> Finding {
    let processor = energy::of_processor().map(|_| "the processor");
    let gpu = energy::of_gpu().ok().map(|_| "the GPU");
    let counting: Vec<&str> = gpu.into_iter().chain(processor.clone().ok()).collect();
    match processor {
        Err(why) if counting.is_empty() => Finding::note("energy", why),
        _ => Finding::ok("energy", format!("counted by {}", counting.join(" and "))),
    }
}

/// A clock that is read through a slow device takes microseconds a reading.
fn clock() -> Finding {
    match clock_source() {
        Some(slow)
            if ["hpet", "acpi_pm", "jiffies", "refined-jiffies"].contains(&slow.as_str()) =>
        {
            Finding::note("clock", format!("{slow}, which is slow to read"))
        }
        Some(source) => Finding::ok("clock", source),
        None => Finding::ok("clock", "the processor's own"),
    }
}

fn backends() -> Finding {
    let places = Backend::LIBRARIES.iter().flat_map(|&backend| {
        let devices = backend.devices().iter();
        devices.map(move |&device| Place { backend, device })
    });
    let (here, missing): (Vec<_>, Vec<_>) = places.partition(|&place| ready(place).is_ok());
    let names = |places: &[Place]| {
        let names = places
            .iter()
            .map(|place| format!("{} {}", place.backend, place.device));
        names.collect::<Vec<_>>().join(", ")
    };
    if here.is_empty() {
        let advice = "`harness list` says why";
        return Finding::problem("backends", format!("none of {}", names(&missing)), advice);
    }
    Finding::ok("backends", names(&here))
}

/// What answers there, with the models that would be measured.
fn server(wanted: &Wanted, models: &[String]) -> Finding {
    match discover(wanted, models) {
        Ok(models) => {
            let server = models.first().and_then(|model| model.server.as_ref());
            let software = server.map_or("", |server| server.software.as_str());
            let names = models
                .iter()
                .map(|model| format!("{} ({})", model.name, model.revision));
            let names: Vec<String> = names.collect();
            Finding::ok("server", format!("{software}: {}", names.join(", ")))
        }
        Err(error) => {
            let advice = "start it, or name another with --url";
            Finding::problem("server", format!("{error:#}"), advice)
        }
    }
}

/// Nothing where there is no such GPU, or the program was built without CUDA.
fn gpu() -> Option<Finding> {
    let gpu = Gpu::open()?;
    let memory = gpu.memory()?;
    let (free, total) = (bytes(memory.free), bytes(memory.total));
    let text = format!("{free} of {total} free");
    let held_back = gpu.held_back_by().unwrap_or_default();
    Some(match held_back.is_empty() {
        true => Finding::ok("gpu", text),
        false => Finding::note(
            "gpu",
            format!("{text}, clocks held back by {}", held_back.join(", ")),
        ),
    })
}

fn bytes(bytes: u64) -> String {
    Unit::Byte.format(bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let check = |finding: Finding, expected| assert_eq!(finding.line(), expected);
        check(Finding::ok("power", "ac"), "ok       power: ac");
        check(Finding::note("swap", "2 GiB"), "note     swap: 2 GiB");
        let problem = Finding::problem("power", "battery", "plug it in");
        check(problem, "problem  power: battery; plug it in");
    }
}
