//! pytest-benchmark's `--benchmark-json`: one process, so one epoch; a time is that of a round, divided
//! by its iterations.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use super::{Bench, Results, wrong};
use crate::error::Result;
use crate::run::{Environment, Machine};

const TOOL: &str = "pytest-benchmark";

#[derive(Deserialize)]
struct File {
    machine_info: MachineInfo,
    commit_info: Option<CommitInfo>,
    benchmarks: Vec<Benchmark>,
    datetime: Option<String>,
    version: Option<String>,
}

/// The name of the host is there as well; it is not read.
#[derive(Deserialize)]
struct MachineInfo {
    machine: Option<String>,
    processor: Option<String>,
    system: Option<String>,
    release: Option<String>,
    python_implementation: Option<String>,
    python_version: Option<String>,
    cpu: Option<Cpu>,
}

#[derive(Deserialize)]
struct Cpu {
    brand_raw: Option<String>,
    count: Option<u32>,
}

#[derive(Deserialize)]
struct CommitInfo {
    id: Option<String>,
    branch: Option<String>,
    dirty: Option<bool>,
}

#[derive(Deserialize)]
struct Benchmark {
    fullname: String,
    stats: Stats,
}

#[derive(Deserialize)]
struct Stats {
    /// Seconds an iteration, a value a round. Absent where only the summary was kept.
    data: Option<Vec<f64>>,
    #[serde(default = "one")]
    iterations: f64,
}

const fn one() -> f64 {
    1.0
}

pub(super) fn parse(value: &serde_json::Value) -> Result<Results> {
    let file = File::deserialize(value).map_err(|error| wrong(TOOL, error.to_string()))?;
    let at = file.datetime.as_deref().map(time).transpose()?;
    let benches = file.benchmarks.into_iter().map(bench);
    Ok(Results {
        tool: TOOL,
        version: file.version,
        at,
        environment: environment(&file.machine_info, file.commit_info),
        machine: machine(&file.machine_info),
        benches: benches.collect::<Result<_>>()?,
    })
}

fn bench(benchmark: Benchmark) -> Result<Bench> {
    let Benchmark { fullname, stats } = benchmark;
    let missing = || {
        let reason = "it has no raw data: write it with --benchmark-json";
        wrong(TOOL, format!("{fullname}: {reason}"))
    };
    let data = stats.data.ok_or_else(missing)?;
    Ok(Bench {
        wall_s: data.iter().sum::<f64>() * stats.iterations,
        epochs: vec![data],
        voids: Vec::new(),
        name: fullname,
    })
}

/// With its offset since version 3.2; in UTC without one before.
fn time(text: &str) -> Result<DateTime<Utc>> {
    let aware = text.parse::<DateTime<Utc>>();
    let naive = || text.parse::<NaiveDateTime>().map(|time| time.and_utc());
    aware
        .or_else(|_| naive())
        .map_err(|error| wrong(TOOL, format!("datetime {text:?}: {error}")))
}

/// What is told of the hardware; none where not even the processor is.
fn machine(info: &MachineInfo) -> Option<Machine> {
    let cpu = info.cpu.as_ref();
    let named = |name: &String| (!name.trim().is_empty()).then(|| name.clone());
    let brand = cpu.and_then(|cpu| cpu.brand_raw.as_ref()).and_then(named);
    let chip = brand.or_else(|| info.processor.as_ref().and_then(named))?;
    let system = info.system.as_deref().unwrap_or("unknown");
    let release = info.release.as_deref().unwrap_or_default();
    let major = release.split(['.', '-']).next().unwrap_or_default();
    Some(Machine {
        chip,
        performance_cores: cpu.and_then(|cpu| cpu.count).unwrap_or_default(),
        efficiency_cores: 0,
        memory_gib: 0,
        gpus: Vec::new(),
        arch: info.machine.clone().unwrap_or_else(|| "unknown".to_owned()),
        os: format!("{system} {major}").trim_end().to_owned(),
    })
}

fn environment(info: &MachineInfo, commit: Option<CommitInfo>) -> Environment {
    let words = |words: [&Option<String>; 2]| {
        let known: Vec<&str> = words.iter().filter_map(|word| word.as_deref()).collect();
        known.join(" ")
    };
    let id = commit.as_ref().and_then(|commit| commit.id.clone());
    let is_hash = |id: &String| id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    Environment {
        commit: id.filter(is_hash),
        branch: commit.as_ref().and_then(|commit| commit.branch.clone()),
        dirty: commit.as_ref().and_then(|commit| commit.dirty),
        compiler: words([&info.python_implementation, &info.python_version]),
        os_build: words([&info.system, &info.release]),
        ..Environment::default()
    }
}
