//! `harness ab`: both builds of this program in turn on this machine, and what the pairs say.
//!
//! Each pair is one fresh worker of either build, next to each other in time, base first and head first
//! alternately; all cells take turns. Ten pairs, then more while a row is open, thirty at most. What
//! looks worse is measured again in a second session, and called worse only if that says so too. The
//! decisions are those of [`store::gate`].

pub mod commands;
mod duel;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result, bail};
use chrono::NaiveDate;
use store::gate::pairs::{Next, STEP, Series, judge, next};
use store::gate::waiver::{self, Waiver};
use store::gate::{Judgement, document, pairs_file, text, waiver_file};

use crate::cli::broken_pipe;
use crate::measure::qos::{self, Awake, Side};
use crate::parent::Launcher;
use crate::plan::Plan;
use crate::probes::ProbeSet;
use crate::session::{Format, RunOptions, fitness, wanted};
use crate::suite::Suite;
use duel::{Duel, Rules};

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
    /// The accepted regressions: read before an hour of measuring, so that a mistake in them costs none.
    fn waivers(&self) -> Result<Vec<Waiver>> {
        let read = self
            .waivers
            .as_ref()
            .map(|(file, _)| waiver_file::read(file));
        Ok(read.transpose().map_err(Error::msg)?.unwrap_or_default())
    }

    /// The exit code of what was measured, or, for a script, a judgement that says why nothing was.
    fn told(&self, measured: Result<ExitCode>, out: &mut dyn Write) -> Result<ExitCode> {
        match measured {
            Err(error) if self.format == Format::Json && !broken_pipe(&error) => {
                let judgement = Judgement::broken(&format!("{error:#}"));
                writeln!(out, "{:#}", document(&judgement))?;
                Ok(ExitCode::from(judgement.verdict().exit_code()))
            }
            measured => measured,
        }
    }

    /// Applies the waivers, writes the pairs, prints the judgement; the exit code is the judgement's.
    fn close(
        &self,
        waivers: &[Waiver],
        (series, mut judgement): (Vec<Series>, Judgement),
        out: &mut dyn Write,
    ) -> Result<ExitCode> {
        if let Some((_, today)) = &self.waivers {
            waiver::apply(&mut judgement, waivers, *today);
        }
        if let Some(path) = &self.pairs {
            let written = std::fs::write(path, pairs_file::write(&series));
            written.with_context(|| format!("--pairs {}: cannot write", path.display()))?;
        }
        match self.format {
            Format::Json => writeln!(out, "{:#}", document(&judgement))?,
            Format::Text => write!(out, "{}", text(&judgement))?,
        }
        Ok(ExitCode::from(judgement.verdict().exit_code()))
    }
}

/// Measures pairs until every row is decided or enough was tried, and prints the judgement.
///
/// The exit code is that of the judgement.
///
/// # Errors
/// When nothing can be measured, or one of the programs is no worker of ours.
pub fn run(options: &AbOptions, out: &mut dyn Write) -> Result<ExitCode> {
    let compared = compare(options, out);
    options.ending.told(compared, out)
}

fn compare(options: &AbOptions, out: &mut dyn Write) -> Result<ExitCode> {
    let waivers = options.ending.waivers()?;
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
    let duels = plan.cells.iter().map(Duel::new).collect();
    let (series, mut judgement) = measure(&rules, duels, &mut std::io::stderr())?;
    judgement.base = options.base.display().to_string();
    judgement.head = options.head.display().to_string();
    let unfit =
        |problem: String| format!("the machine was not fit to measure at the start: {problem}");
    judgement.notes.extend(problems.into_iter().map(unfit));
    options.ending.close(&waivers, (series, judgement), out)
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
fn measure(
    rules: &Rules,
    mut duels: Vec<Duel<'_>>,
    told: &mut dyn Write,
) -> Result<(Vec<Series>, Judgement)> {
    for duel in &mut duels {
        duel.warm_up(rules)?;
    }
    grow(rules, &mut duels, told);
    confirm(rules, &mut duels, told);
    let series: Vec<Series> = duels.iter().flat_map(Duel::series).collect();
    let mut judgement = judge(&series);
    for duel in &duels {
        judgement.rows.extend(duel.counters());
        judgement.notes.extend(duel.notes());
    }
    Ok((series, judgement))
}

/// Ten pairs of each cell, then ten more of those with an open row.
fn grow(rules: &Rules, duels: &mut [Duel<'_>], told: &mut dyn Write) {
    let mut open: Vec<&mut Duel<'_>> = duels.iter_mut().collect();
    while !open.is_empty() {
        take_turns(rules, &mut open, (STEP, "pair"), told);
        open.retain(|duel| {
            !duel.has_failed() && duel.series().iter().any(|s| next(s) == Next::More)
        });
    }
}

/// As many pairs again, in a session of their own, of each cell with a suspect row.
fn confirm(rules: &Rules, duels: &mut [Duel<'_>], told: &mut dyn Write) {
    let suspect = |duel: &Duel<'_>| duel.series().iter().any(|s| next(s) == Next::Confirm);
    let mut open: Vec<&mut Duel<'_>> = duels.iter_mut().filter(|duel| suspect(duel)).collect();
    let Some(pairs) = open.iter().map(|duel| duel.pairs()).max() else {
        return;
    };
    for duel in &mut open {
        duel.begin_session();
    }
    take_turns(rules, &mut open, (pairs, "confirming pair"), told);
}

/// So many pairs of each duel; one pair of each, then the next.
fn take_turns(
    rules: &Rules,
    duels: &mut [&mut Duel<'_>],
    (pairs, what): (usize, &str),
    told: &mut dyn Write,
) {
    for pair in 1..=pairs {
        // A display that cannot be written must not end the measurement.
        let _ = writeln!(told, "{what} {pair} of {pairs}, {} cells", duels.len());
        for duel in duels.iter_mut() {
            duel.take_pair(rules);
        }
    }
}
