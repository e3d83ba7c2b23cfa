//! `harness ab`: both builds of this program in turn on this machine, and what the pairs say.
//!
//! Each pair is one fresh worker of either build, next to each other in time, base first and head first
//! alternately; all cells take turns. Ten pairs, then more while a row is open, thirty at most. What
//! looks worse is measured again in a second session, and called worse only if that says so too. The
//! decisions are those of [`store::gate`].

pub mod commands;
mod comment;
mod duel;
#[cfg(test)]
mod tests;
mod turns;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use chrono::NaiveDate;
use store::gate::pairs::{Series, judge};
use store::gate::{Judgement, pairs_file, waiver, waiver_file};
use store::print::{Format, print};

use crate::measure::qos::{self, Awake, Side};
use crate::parent::Launcher;
use crate::plan::Plan;
use crate::probes::ProbeSet;
use crate::session::{RunOptions, fitness, wanted};
use crate::suite::Suite;
use comment::comment;
use duel::{Duel, Rules};
use turns::Contest as _;

/// The two sides, by their number.
const NAMES: [&str; 2] = ["base", "head"];

/// What `harness ab` was asked for.
#[derive(Clone)]
pub struct AbOptions {
    /// The build to compare with.
    pub base: PathBuf,
    /// The build that is judged.
    pub head: PathBuf,
    /// What is measured: models, places, scenarios, profile. Nothing is stored.
    pub run: RunOptions,
    /// What becomes of the pairs.
    pub ending: Ending,
}

/// What becomes of pairs once they are measured.
#[derive(Clone)]
pub struct Ending {
    /// Where they are written, as `report check --pairs` reads them.
    pub pairs: Option<PathBuf>,
    /// A file of accepted regressions, and the day on which they must still count.
    pub waivers: Option<(PathBuf, NaiveDate)>,
    /// How the judgement is printed.
    pub format: Format,
}

impl Ending {
    /// Measures, applies the waivers, writes the pairs, prints the judgement; the exit code is the judgement's.
    fn close(
        &self,
        measure: impl FnOnce() -> Result<(Vec<Series>, Judgement)>,
        out: &mut dyn Write,
    ) -> Result<ExitCode> {
        let judgement = self.format.or_broken(self.judged(measure))?;
        print(&judgement, self.format, comment, out)?;
        Ok(ExitCode::from(judgement.verdict().exit_code()))
    }

    fn judged(
        &self,
        measure: impl FnOnce() -> Result<(Vec<Series>, Judgement)>,
    ) -> Result<Judgement> {
        // Read before an hour of measuring, so that a mistake in them costs none.
        let waivers = self.waivers.as_ref();
        let waivers = waivers.map(|(file, today)| Ok((waiver_file::read(file)?, today)));
        let waivers = waivers.transpose().map_err(Error::msg::<String>)?;
        let (series, mut judgement) = measure()?;
        if let Some((waivers, today)) = waivers {
            waiver::apply(&mut judgement, &waivers, *today);
        }
        if let Some(path) = &self.pairs {
            let written = std::fs::write(path, pairs_file::write(&series));
            written.with_context(|| format!("--pairs {}: cannot write", path.display()))?;
        }
        Ok(judgement)
    }
}

/// Measures pairs until every row is decided or enough was tried, and prints the judgement.
///
/// The exit code is that of the judgement.
///
/// # Errors
/// When nothing can be measured, or one of the programs is no worker of ours.
pub fn run(options: &AbOptions, out: &mut dyn Write) -> Result<ExitCode> {
    options.ending.close(|| compare(options), out)
}

fn compare(options: &AbOptions) -> Result<(Vec<Series>, Judgement)> {
    let suite = Suite::load(options.run.suite.as_deref())?;
    let probes = ProbeSet::load(&suite.probes_dir)?;
    let plan = Plan::new(&wanted(&options.run, &suite, &probes)?);
    if plan.cells.is_empty() {
        bail!(
            "nothing to measure: no such scenario in profile {}",
            options.run.profile.name()
        );
    }
    let rules = Rules {
        launchers: [
            launcher("--base", &options.base)?,
            launcher("--head", &options.head)?,
        ],
        probes: suite.probes_dir,
        timeout: options.run.timeout,
        seed: options.run.seed,
    };
    qos::settle(Side::Parent);
    let _awake = Awake::hold();
    let problems = fitness(&plan, options.run.readiness)?;
    let duels = plan
        .cells
        .iter()
        .map(|cell| Duel::new(&rules, cell))
        .collect();
    let (series, mut judgement) = measure(duels, &mut std::io::stderr())?;
    judgement.base = options.base.display().to_string();
    judgement.head = options.head.display().to_string();
    let unfit =
        |problem: String| format!("the machine was not fit to measure at the start: {problem}");
    judgement.notes.extend(problems.into_iter().map(unfit));
    Ok((series, judgement))
}

/// What starts a worker of a build.
fn launcher(option: &str, program: &Path) -> Result<Launcher> {
    let found = program.canonicalize();
    let program = found.with_context(|| format!("{option} {}", program.display()))?;
    if !program.is_file() {
        bail!("{option} {}: is no program", program.display());
    }
    Ok(Launcher {
        program,
        args: vec!["worker".into()],
    })
}

/// All sessions of all duels: every pair, and what they come to.
fn measure(mut duels: Vec<Duel<'_>>, told: &mut dyn Write) -> Result<(Vec<Series>, Judgement)> {
    for duel in &mut duels {
        duel.warm_up()?;
    }
    turns::play(&mut duels, told)?;
    let series: Vec<Series> = duels.iter().flat_map(Duel::series).collect();
    let mut judgement = judge(&series);
    for duel in &duels {
        judgement.rows.extend(duel.counters());
        judgement.notes.extend(duel.notes());
    }
    Ok((series, judgement))
}
