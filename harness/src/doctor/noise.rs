//! The machine's noise floor: the same thing measured twice, again and again, must not differ by more.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::Utc;
use store::db::Noise;
use store::stats::{epoch_medians, noise_floor};
use store::{Db, Metric, Outcome, Sample};

use crate::machine;
use crate::message::Epoch;
use crate::models::{Place, Precision};
use crate::parent::{Campaign, Launcher, Measured, Watch};
use crate::plan::{Plan, Planned};
use crate::scenarios::{Profile, find};
use crate::source::{Network, WeightsChoice, datasets_dir, resolve};

/// Pairs of processes. The 95th percentile of so many ratios is their largest but one.
const PAIRS: usize = 20;

/// Requests of each process, after its warm-up.
const TRIALS: u32 = 5;

/// Most time for all of it.
const TIMEOUT: Duration = Duration::from_secs(1200);

/// The figures that are compared between builds.
const METRICS: [Metric; 5] = [
    Metric::Inference,
    Metric::Ttft,
    Metric::VisionEncode,
    Metric::Prefill,
    Metric::Decode,
];

/// Measures the noise floor with an embedded model and keeps it in a database.
///
/// # Errors
/// When the model cannot be measured, or the database not be written.
pub(super) fn measure(model: &str, database: &Path) -> Result<Vec<Noise>> {
    let mut db = Db::open(database)?;
    let machine = machine::detect();
    let samples = same_again(model)?;
    let at = Utc::now();
    let noise = |sample: &Sample| {
        let ratios = ratios(&epoch_medians(sample));
        Noise {
            at,
            metric: sample.metric,
            floor: noise_floor(&ratios),
            pairs: u32::try_from(ratios.len()).unwrap_or(u32::MAX),
            harness: env!("CARGO_PKG_VERSION").to_owned(),
        }
    };
    let compared = samples.iter().filter(|s| METRICS.contains(&s.metric));
    let floors: Vec<Noise> = compared.map(noise).collect();
    db.keep_noise(&machine, &floors)?;
    Ok(floors)
}

/// What was kept of this machine.
pub(super) fn kept(database: &Path) -> Vec<Noise> {
    let db = Db::open_existing(database).ok();
    let noise = db.and_then(|db| db.noise(&machine::detect().key()).ok());
    noise.unwrap_or_default()
}

/// Neighbouring processes in pairs, first over second and second over first in turn, so that a slow
/// drift of the machine does not favour either.
fn ratios(medians: &[f64]) -> Vec<f64> {
    let pairs = medians.chunks_exact(2).enumerate();
    let ratio = |(at, pair): (usize, &[f64])| match at % 2 {
        0 => pair[1] / pair[0],
        _ => pair[0] / pair[1],
    };
    pairs.map(ratio).collect()
}

/// Warm inference in many processes one after the other.
fn same_again(model: &str) -> Result<Vec<Sample>> {
    let model = resolve(model, WeightsChoice::Published, Network::Off)?;
    let Place { backend, device } = Place::choose(None, None)?;
    let scenario = find("warm-inference").map_err(anyhow::Error::msg)?;
    let plan = Plan {
        cells: vec![Planned {
            scenario,
            model,
            backend,
            device,
            precision: Precision::default(),
            epochs: vec![Epoch::new("", TRIALS); 2 * PAIRS],
            neighbour: None,
        }],
        profile: Profile::Quick,
        seed: 0,
        hash: String::new(),
    };
    let launcher = Launcher::own().context("cannot find this program")?;
    let probes = datasets_dir()?.join("scenes");
    let mut last = Last(None);
    Campaign::new(&plan, &launcher, &probes, TIMEOUT).run(&mut last)?;
    match last.0.map(|measured| measured.told.outcome) {
        Some(Outcome::Measured { samples, .. }) => Ok(samples),
        Some(Outcome::Failed { message, .. }) => bail!("noise: {message}"),
        None => bail!("noise: nothing was measured"),
    }
}

/// Keeps the one cell there is.
struct Last(Option<Measured>);

impl Watch for Last {
    fn step(&mut self, _: &Planned, _: usize, _: (u32, u32)) {}

    fn done(&mut self, _: &Planned, measured: Measured) -> Result<()> {
        self.0 = Some(measured);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_favours_neither_side() {
        let drifting: Vec<f64> = (0..40).map(|n| 1.0 + 0.01 * f64::from(n)).collect();
        let logs: f64 = ratios(&drifting).iter().map(|ratio| ratio.ln()).sum();
        assert!((logs / 20.0).abs() < 0.001, "{logs}");
        assert_eq!(ratios(&[1.0, 2.0, 4.0, 2.0, 1.0]), [2.0, 2.0]);
        assert_eq!(ratios(&[1.0]), [0.0; 0]);
    }
}
