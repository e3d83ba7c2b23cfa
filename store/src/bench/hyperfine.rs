//! hyperfine's `--export-json`: every time is a process of its own, so every time is an epoch.

use serde::Deserialize;

use super::{Bench, Results, wrong};
use crate::error::Result;
use crate::metric::Metric;
use crate::run::{Environment, Void};

const TOOL: &str = "hyperfine";

#[derive(Deserialize)]
struct File {
    results: Vec<Command>,
}

#[derive(Deserialize)]
struct Command {
    command: String,
    /// Seconds. Absent where only the summary was kept.
    times: Option<Vec<f64>>,
    /// Beside the times; none where a signal ended the command.
    #[serde(default)]
    exit_codes: Vec<Option<i64>>,
}

pub(super) fn parse(value: &serde_json::Value) -> Result<Results> {
    let file = File::deserialize(value).map_err(|error| wrong(TOOL, error.to_string()))?;
    let benches = file.results.into_iter().map(bench).collect::<Result<_>>()?;
    Ok(Results {
        tool: TOOL,
        version: None,
        at: None,
        machine: None,
        environment: Environment::default(),
        benches,
    })
}

/// A command that failed did not do the work that is timed.
fn bench(command: Command) -> Result<Bench> {
    let Command {
        command: name,
        times,
        exit_codes,
    } = command;
    let times = times.ok_or_else(|| wrong(TOOL, format!("{name}: it has no \"times\"")))?;
    if !exit_codes.is_empty() && exit_codes.len() != times.len() {
        return Err(wrong(
            TOOL,
            format!("{name}: times and exit codes differ in number"),
        ));
    }
    let failed = |at: usize| exit_codes.get(at).is_some_and(|code| *code != Some(0));
    let refused = (0..times.len()).filter(|&at| failed(at)).count();
    let right = (0..times.len()).filter(|&at| !failed(at));
    let voids = (refused > 0).then(|| Void {
        metric: Some(Metric::BenchTime),
        count: u32::try_from(refused).unwrap_or(u32::MAX),
        reason: "the command failed".to_owned(),
    });
    Ok(Bench {
        epochs: right.map(|at| vec![times[at]]).collect(),
        wall_s: times.iter().sum(),
        voids: voids.into_iter().collect(),
        name,
    })
}
