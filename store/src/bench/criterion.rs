//! criterion's folder, usually `target/criterion`: `BENCH/new/` holds the newest measurement of a bench.
//! All samples come from one process, so they are one epoch; a time is a sample's total divided by its
//! iterations.
//!
//! The files do not say what was measured: wall time in nanoseconds, criterion's default, is assumed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Bench, Results, wrong};
use crate::error::{Error, Result};
use crate::run::Environment;
use crate::stats::median;

const TOOL: &str = "criterion";

/// Folders within folders, and benches, at most: beyond them it is another tree.
const DEEPEST: usize = 8;
const MOST: usize = 100_000;

/// Bytes of a file of one bench, at most.
const LARGEST: u64 = 64 << 20;

#[derive(Deserialize)]
struct Id {
    full_id: String,
}

#[derive(Deserialize)]
struct Samples {
    iters: Vec<f64>,
    /// Nanoseconds of all iterations of a sample.
    times: Vec<f64>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Reads every bench below a folder, in the order of their names.
///
/// # Errors
/// [`Error::Bench`] where no bench is found, or one does not decode or agree with itself.
pub fn folder(path: &Path) -> Result<Results> {
    let mut found = Vec::new();
    search(path, DEEPEST, &mut found)?;
    let mut benches: Vec<Bench> = found.iter().map(|new| bench(new)).collect::<Result<_>>()?;
    if benches.is_empty() {
        return Err(wrong(
            TOOL,
            "no folder `new` with benchmark.json and sample.json in it",
        ));
    }
    benches.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Results {
        tool: TOOL,
        version: None,
        at: None,
        machine: None,
        environment: Environment::default(),
        benches,
    })
}

/// Collects the folders of newest measurements. Links are not followed.
fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if folder.join("benchmark.json").is_file() {
        if folder.ends_with("new") {
            found.push(folder.to_owned());
        }
        return Ok(());
    }
    if depth == 0 || found.len() > MOST {
        return Err(wrong(
            TOOL,
            format!("{} is no folder of results", folder.display()),
        ));
    }
    let fail = |error| Error::unreadable(folder, error);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_dir() {
            search(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

fn bench(new: &Path) -> Result<Bench> {
    let Id { full_id: name } = json(&new.join("benchmark.json"))?;
    let Samples { iters, times } = json(&new.join("sample.json"))?;
    let estimates: Estimates = json(&new.join("estimates.json"))?;
    let broken = |reason: &str| wrong(TOOL, format!("{name}: {reason}"));
    if iters.len() != times.len() || iters.is_empty() {
        return Err(broken(
            "times and iterations differ in number, or there are none",
        ));
    }
    if iters.iter().any(|n| !n.is_finite() || *n < 1.0) {
        return Err(broken("a sample without iterations"));
    }
    let nanos: Vec<f64> = times.iter().zip(&iters).map(|(time, n)| time / n).collect();
    let (ours, theirs) = (median(&nanos), estimates.median.point_estimate);
    if !ours.is_some_and(|ours| (ours - theirs).abs() <= 1e-6 * theirs.abs()) {
        return Err(broken(
            "sample.json and estimates.json are of different measurements",
        ));
    }
    Ok(Bench {
        epochs: vec![nanos.iter().map(|nanos| nanos * 1e-9).collect()],
        wall_s: times.iter().sum::<f64>() * 1e-9,
        voids: Vec::new(),
        name,
    })
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let fail = |error: std::io::Error| Error::unreadable(path, error);
    if fs::metadata(path).map_err(fail)?.len() > LARGEST {
        return Err(wrong(TOOL, format!("{} is too large", path.display())));
    }
    let bytes = fs::read(path).map_err(fail)?;
    let wrong = |error: serde_json::Error| wrong(TOOL, format!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).map_err(wrong)
}
