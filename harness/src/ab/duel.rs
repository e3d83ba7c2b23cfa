//! One cell, measured by both builds in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use store::gate::pairs::{Pair, Series};
use store::gate::{Row, counters, is_clock, name};
use store::stats::median;
use store::{Metric, Outcome, Sample};

use super::NAMES;
use super::turns::{Contest, Turn, add};
use crate::message::{Epoch, OTHER_VERSION};
use crate::parent::schedule::seed_of;
use crate::parent::{Failure, Job, Launcher, Ledger, run_epoch};
use crate::plan::Planned;

/// What every pair is measured by.
pub(super) struct Rules {
    /// Of base and head.
    pub(super) launchers: [Launcher; 2],
    /// Folder of the probe set.
    pub(super) probes: PathBuf,
    /// Longest time for one worker.
    pub(super) timeout: Duration,
    /// What all random choices grow from.
    pub(super) seed: u64,
}

/// After so many pairs the base is measured once more, against itself.
const CONTROL: usize = 5;

/// One cell under way.
pub(super) struct Duel<'a> {
    rules: &'a Rules,
    planned: &'a Planned,
    /// One epoch of each arm: what a worker of either side does for one pair.
    arms: Vec<Epoch>,
    pairs: BTreeMap<Metric, Vec<Vec<Pair>>>,
    /// Pairs of the base and the base once more: what this machine makes of no change at all.
    control: BTreeMap<Metric, Vec<Pair>>,
    /// What each side counted, pair by pair.
    counted: [BTreeMap<Metric, Sample>; 2],
    /// Pairs that lack a figure of a metric, though one side has it.
    lost: usize,
    /// Why there are no figures.
    failed: Option<String>,
}

/// What one worker showed.
type Values = BTreeMap<Metric, Vec<f64>>;

impl<'a> Duel<'a> {
    pub(super) fn new(rules: &'a Rules, planned: &'a Planned) -> Self {
        let mut arms: Vec<Epoch> = Vec::new();
        for epoch in &planned.epochs {
            if !arms.iter().any(|arm| arm.arm == epoch.arm) {
                // Energy is no clock: measuring it would only keep the pairs apart.
                arms.push(Epoch {
                    metered: false,
                    ..epoch.clone()
                });
            }
        }
        Self {
            rules,
            planned,
            arms,
            pairs: BTreeMap::new(),
            control: BTreeMap::new(),
            counted: Default::default(),
            lost: 0,
            failed: None,
        }
    }

    /// One worker of either side that counts for nothing: files are in memory then, and a program that
    /// does not understand our tasks is found out before an hour is spent.
    ///
    /// # Errors
    /// Names the program that does not.
    pub(super) fn warm_up(&mut self) -> Result<()> {
        for (side, name) in NAMES.iter().enumerate() {
            let asked = self.worker(side, 0);
            if let Err(Failure { message, .. }) = &asked
                && message.starts_with(OTHER_VERSION)
            {
                self.failed = Some(format!("{name}: {message}"));
                return Ok(());
            }
            asked.map_err(|failure| {
                let program = self.rules.launchers[side].program.display();
                anyhow!(
                    "--{name} {program}: {}: {}; where it is an older or newer build, its workers may speak \
                     otherwise: run the newer one's `ab`",
                    self.name(),
                    failure.message
                )
            })?;
        }
        Ok(())
    }

    /// A worker of each side, or which side failed and why.
    fn try_pair(&mut self, turn: Turn) -> Result<(), String> {
        let ask = |side: usize| {
            let told = |Failure { stage, message, .. }| {
                format!("{} failed ({}): {message}", NAMES[side], stage.name())
            };
            self.worker(side, turn.number + 1).map_err(told)
        };
        let mut sides: [Values; 2] = Default::default();
        for side in turn.order() {
            sides[side] = ask(side)?;
        }
        let again = if (turn.number + 1).is_multiple_of(CONTROL) {
            Some(ask(0)?)
        } else {
            None
        };
        self.keep(turn, &sides);
        for (metric, pair) in again.iter().flat_map(|again| paired(&sides[0], again)) {
            self.control.entry(metric).or_default().extend(pair);
        }
        Ok(())
    }

    fn keep(&mut self, turn: Turn, [base, head]: &[Values; 2]) {
        for (metric, pair) in paired(base, head) {
            match pair {
                Some(pair) => add(self.pairs.entry(metric).or_default(), turn, pair),
                None => self.lost += 1,
            }
        }
        self.count(turn.number, [base, head]);
    }

    /// Keeps what both sides counted under the number of the pair: what one side lacks must not shift
    /// what comes after it.
    fn count(&mut self, pair: usize, sides: [&Values; 2]) {
        let known = sides.iter().flat_map(|values| values.keys().copied());
        let metrics: BTreeSet<Metric> = known.filter(|&metric| !is_clock(metric)).collect();
        for (counted, values) in self.counted.iter_mut().zip(sides) {
            for &metric in &metrics {
                let empty = Sample {
                    metric,
                    epochs: Vec::new(),
                };
                let sample = counted.entry(metric).or_insert(empty);
                sample.epochs.resize(pair, Vec::new());
                sample
                    .epochs
                    .push(values.get(&metric).cloned().unwrap_or_default());
            }
        }
    }

    /// Every arm in a fresh worker; what they showed.
    fn worker(&self, side: usize, number: usize) -> Result<Values, Failure> {
        let (rules, mut ledger) = (self.rules, Ledger::default());
        for epoch in &self.arms {
            let what = format!("{} {}", self.planned.scenario.name(), epoch.arm);
            let job = Job {
                launcher: &rules.launchers[side],
                planned: self.planned,
                epoch,
                // The same for both sides of a pair: they are asked the same.
                seed: seed_of(rules.seed, &what, number),
                probes: &rules.probes,
                timeout: (rules.timeout, rules.timeout),
            };
            run_epoch(&job, &mut ledger, &mut |ledger, entry| ledger.book(entry))?;
            ledger.close_epoch(epoch, |shown| self.planned.worthless(shown));
        }
        let Outcome::Measured { samples, .. } = ledger.close().outcome else {
            return Ok(Values::new());
        };
        let values = samples
            .into_iter()
            .map(|sample| (sample.metric, sample.epochs.concat()));
        Ok(values.collect())
    }

    fn name(&self) -> String {
        name(&self.planned.cell(String::new()))
    }

    /// What both sides counted, compared, and the cell's failure. A counter that the base does not know
    /// yet is no row.
    pub(super) fn counters(&self) -> Vec<Row> {
        let [base, head] = &self.counted;
        let known = base
            .values()
            .filter(|sample| sample.values().next().is_some());
        let base: Vec<Sample> = known.cloned().collect();
        let head: Vec<Sample> = head.values().cloned().collect();
        let mut rows = counters(&self.name(), &base, &head);
        rows.extend(
            self.failed
                .iter()
                .map(|why| Row::missing(&self.name(), why.clone())),
        );
        rows
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let lost = self.lost;
        let lost = (lost > 0).then(|| {
            format!(
                "{}: {lost} values of pairs were void or taken by one side alone",
                self.name()
            )
        });
        lost.into_iter().chain(self.floor()).collect()
    }

    /// How far apart the base was from itself, for the clock where that was most.
    fn floor(&self) -> Option<String> {
        let apart = |pairs: &Vec<Pair>| {
            let ratios: Vec<f64> = pairs
                .iter()
                .map(|p| (p.head / p.base - 1.0).abs())
                .collect();
            median(&ratios)
        };
        let known = self.control.iter();
        let known = known.filter_map(|(metric, pairs)| Some((apart(pairs)?, metric, pairs.len())));
        let (most, metric, pairs) = known.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(format!(
            "{}: the base against itself in {pairs} pairs: at most {:.1} % apart, in {}",
            self.name(),
            100.0 * most,
            metric.name()
        ))
    }
}

impl Contest for Duel<'_> {
    /// A side that fails ends this cell alone.
    fn take_pair(&mut self, turn: Turn) -> Result<()> {
        self.failed = self.try_pair(turn).err();
        Ok(())
    }

    /// Those of every clock.
    fn series(&self) -> Vec<Series> {
        let series = |(&metric, sessions): (&Metric, &Vec<Vec<Pair>>)| Series {
            cell: self.name(),
            metric,
            sessions: sessions.clone(),
        };
        self.pairs.iter().map(series).collect()
    }

    fn has_failed(&self) -> bool {
        self.failed.is_some()
    }
}

/// Every clock that either of two workers showed, with the medians of both where both did.
fn paired(base: &Values, head: &Values) -> Vec<(Metric, Option<Pair>)> {
    let known = base.keys().chain(head.keys()).copied();
    let clocks: BTreeSet<Metric> = known.filter(|&metric| is_clock(metric)).collect();
    let pair = |metric: Metric| {
        let middle = |values: &Values| median(values.get(&metric)?);
        Some(Pair {
            base: middle(base)?,
            head: middle(head)?,
        })
    };
    clocks
        .into_iter()
        .map(|metric| (metric, pair(metric)))
        .collect()
}
