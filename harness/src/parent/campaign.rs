//! All cells of a plan, their epochs in turn, from what a journal holds to the last follow-up.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use store::{Cell, Outcome, RemarkKind, Stage};

use super::journal::{Journal, Recorded};
use super::ledger::{Entry, Ledger, Told};
use super::schedule::{Turn, schedule, seed_of};
use super::{Failure, Job, Launcher, run_epoch};
use crate::cli::duration;
use crate::conditions::{self, CoolDown, Sampler, Thermal};
use crate::message::{Epoch, Message};
use crate::plan::{Plan, Planned};
use crate::scenarios::SoFar;

/// Follow-ups of one cell, at most: a search that does not end is cut off.
const MOST_FOLLOW_UPS: usize = 60;

/// Longest wait for a hot machine before an epoch.
const COOL_DOWN: Duration = Duration::from_secs(300);

/// Who is told how far it is.
pub trait Watch {
    /// So many of so many trials of an epoch are done; `epoch` counts from 0.
    fn step(&mut self, planned: &Planned, epoch: usize, trial: (u32, u32));
    /// A process has ended; what its cell has shown so far.
    fn so_far(&mut self, _planned: &Planned, _so_far: &SoFar<'_>) {}
    /// A cell is complete.
    ///
    /// # Errors
    /// Whatever ends the campaign, e.g. a database that cannot be written.
    fn done(&mut self, planned: &Planned, measured: Measured) -> anyhow::Result<()>;
}

/// A complete cell.
#[derive(Debug)]
pub struct Measured {
    /// Its identity.
    pub cell: Cell,
    /// When its first epoch started.
    pub at: DateTime<Utc>,
    /// Wall time of its epochs, in seconds.
    pub wall_s: f64,
    /// What it came to.
    pub told: Told,
}

/// The cells of a plan on their way.
pub struct Campaign<'a> {
    plan: &'a Plan,
    launcher: &'a Launcher,
    probes: &'a Path,
    timeout: Duration,
    journal: Option<Journal>,
    cells: Vec<Progress>,
}

/// How far one cell is.
#[derive(Default)]
struct Progress {
    ledger: Ledger,
    at: Option<DateTime<Utc>>,
    epochs: usize,
    spent: Duration,
    complete: bool,
}

impl Progress {
    /// What a process took so far, on average.
    fn each(&self) -> Duration {
        self.spent / u32::try_from(self.epochs.max(1)).unwrap_or(u32::MAX)
    }
}

impl<'a> Campaign<'a> {
    /// A campaign in which nothing is measured yet. `timeout` is for all epochs of a cell together.
    #[must_use]
    pub fn new(
        plan: &'a Plan,
        launcher: &'a Launcher,
        probes: &'a Path,
        timeout: Duration,
    ) -> Self {
        let cells = plan.cells.iter().map(|_| Progress::default()).collect();
        Self {
            plan,
            launcher,
            probes,
            timeout,
            journal: None,
            cells,
        }
    }

    /// Leaves cells out that are stored already.
    pub fn skip(&mut self, stored: impl Fn(&Planned) -> bool) {
        for (planned, progress) in self.plan.cells.iter().zip(&mut self.cells) {
            progress.complete = stored(planned);
        }
    }

    /// Keeps a journal, and takes up the whole epochs that it holds. How many these are.
    pub fn keep(&mut self, journal: Journal, recorded: Vec<Recorded>) -> usize {
        self.journal = Some(journal);
        let mut taken = 0;
        for Recorded {
            cell,
            epoch,
            entries,
            wall_s,
        } in recorded
        {
            let Some(progress) = self.cells.get_mut(cell).filter(|cell| !cell.complete) else {
                continue;
            };
            progress.at.get_or_insert_with(Utc::now);
            for entry in entries {
                progress.ledger.book(entry);
            }
            let planned = &self.plan.cells[cell];
            let worthless = |shown: &_| planned.worthless(shown);
            progress.ledger.close_epoch(&epoch, worthless);
            progress.epochs += 1;
            progress.spent += Duration::try_from_secs_f64(wall_s).unwrap_or_default();
            taken += 1;
        }
        taken
    }

    /// Measures every cell that is not complete.
    ///
    /// # Errors
    /// When the journal cannot be written, or those of [`Watch::done`].
    pub fn run(mut self, watch: &mut dyn Watch) -> anyhow::Result<()> {
        for Turn { cell, epoch } in schedule(&self.plan.cells, self.plan.seed) {
            let progress = &self.cells[cell];
            if progress.complete || progress.epochs > epoch {
                continue;
            }
            if self.is_out_of_time(cell) {
                self.end_early(cell, watch)?;
                continue;
            }
            let next = self.plan.cells[cell].epochs[epoch].clone();
            self.epoch(cell, &next, watch)?;
            self.end_unless_more(cell, watch)?;
        }
        self.follow_up(watch)?;
        self.journal.map_or(Ok(()), |journal| Ok(journal.close()?))
    }

    /// Rounds of follow-ups, until no cell wants one.
    fn follow_up(&mut self, watch: &mut dyn Watch) -> anyhow::Result<()> {
        while self.cells.iter().any(|cell| !cell.complete) {
            for cell in 0..self.cells.len() {
                if self.cells[cell].complete {
                    continue;
                }
                if let Some(epoch) = self.next(cell) {
                    self.epoch(cell, &epoch, watch)?;
                }
                self.end_unless_more(cell, watch)?;
            }
        }
        Ok(())
    }

    /// What a cell wants beyond its plan.
    fn next(&self, cell: usize) -> Option<Epoch> {
        let (planned, progress) = (&self.plan.cells[cell], &self.cells[cell]);
        // One that the time limit would cut off would take the figures of the whole cell with it.
        let more = progress.epochs < planned.epochs.len() + MOST_FOLLOW_UPS
            && progress.spent + progress.each() < self.timeout;
        let so_far = progress.ledger.so_far();
        more.then(|| planned.scenario.follow_up(self.plan.profile, &so_far))?
    }

    /// Whether another process would not fit into the time limit, and those so far have figures.
    fn is_out_of_time(&self, cell: usize) -> bool {
        let progress = &self.cells[cell];
        self.has_figures(cell) && progress.spent + progress.each() > self.timeout
    }

    /// Whether a cell's processes so far are figures: all do the same, and there are two.
    fn has_figures(&self, cell: usize) -> bool {
        let epochs = &self.plan.cells[cell].epochs;
        let same = epochs.iter().all(|epoch| epoch.arm == epochs[0].arm);
        same && self.cells[cell].epochs >= 2
    }

    /// Ends a cell with the processes that it has.
    fn end_early(&mut self, cell: usize, watch: &mut dyn Watch) -> anyhow::Result<()> {
        let planned = self.plan.cells[cell].epochs.len();
        let progress = &mut self.cells[cell];
        let limit = duration::format(self.timeout);
        let text = format!(
            "{} of {planned} processes fitted into the time limit of {limit}: --timeout sets another",
            progress.epochs
        );
        progress.ledger.remark(RemarkKind::Advisory, 0, &text);
        self.end(cell, None, watch)
    }

    fn end_unless_more(&mut self, cell: usize, watch: &mut dyn Watch) -> anyhow::Result<()> {
        let planned = &self.plan.cells[cell];
        let over = self.cells[cell].epochs >= planned.epochs.len() && self.next(cell).is_none();
        if !self.cells[cell].complete && over {
            self.end(cell, None, watch)?;
        }
        Ok(())
    }

    fn end(
        &mut self,
        cell: usize,
        failure: Option<Failure>,
        watch: &mut dyn Watch,
    ) -> anyhow::Result<()> {
        let planned = &self.plan.cells[cell];
        let progress = std::mem::take(&mut self.cells[cell]);
        self.cells[cell].complete = true;
        let loaded = progress.ledger.loaded.as_ref();
        let precision = loaded.map(|loaded| loaded.precision.clone());
        let mut ledger = progress.ledger;
        for text in planned.scenario.findings(&ledger.so_far()) {
            ledger.remark(RemarkKind::Finding, 0, &text);
        }
        let mut told = ledger.close();
        if let Some(Failure { stage, message, .. }) = failure {
            told.outcome = Outcome::Failed { stage, message };
        }
        let measured = Measured {
            cell: planned.cell(precision.unwrap_or_default()),
            at: progress.at.unwrap_or_else(Utc::now),
            wall_s: progress.spent.as_secs_f64(),
            told,
        };
        watch.done(planned, measured)
    }

    /// Runs one epoch; a failed one ends its cell, unless the failure is an answer too.
    fn epoch(&mut self, cell: usize, epoch: &Epoch, watch: &mut dyn Watch) -> anyhow::Result<()> {
        let planned = &self.plan.cells[cell];
        let progress = &mut self.cells[cell];
        let number = progress.epochs;
        progress.at.get_or_insert_with(Utc::now);
        let left = self.timeout.saturating_sub(progress.spent);
        let what = format!("{} {}", planned.scenario.name(), epoch.arm);
        let job = Job {
            launcher: self.launcher,
            planned,
            epoch,
            seed: seed_of(self.plan.seed, &what, number),
            probes: self.probes,
            timeout: (self.timeout, left),
        };
        watch.step(planned, number, (0, epoch.trials));
        let hot = cool_down();
        let mut notes = Notes::begin(self.journal.as_mut(), cell, epoch);
        notes.book_all(
            &mut progress.ledger,
            hot.map(|text| Entry::Advisory(0, text)),
        );
        let started = Instant::now();
        let end = run_epoch(&job, &mut progress.ledger, &mut |ledger, entry| {
            if let Some(step) = step_of(&entry) {
                watch.step(planned, number, step);
            }
            notes.book_all(ledger, [entry]);
        });
        let wall = started.elapsed();
        progress.spent += wall;
        if let Err(failure) = end {
            let Some(answers) = crash_answers(planned, epoch, &failure) else {
                progress.ledger.drop_epoch();
                if failure.stage == Stage::Timeout && self.has_figures(cell) {
                    return self.end_early(cell, watch);
                }
                return self.end(cell, Some(failure), watch);
            };
            notes.book_all(&mut progress.ledger, answers.into_iter().map(Entry::Said));
        }
        let worthless = |shown: &_| planned.worthless(shown);
        progress.ledger.close_epoch(epoch, worthless);
        progress.epochs += 1;
        watch.so_far(planned, &progress.ledger.so_far());
        notes.end(wall)
    }
}

/// Trials done and wanted, where an entry tells of one. None done yet: the warm-up is over, no step.
fn step_of(entry: &Entry) -> Option<(u32, u32)> {
    match *entry {
        Entry::Said(Message::Trial { done, of }) if done > 0 => Some((done, of)),
        _ => None,
    }
}

/// What the crash of a worker tells, where it tells anything.
fn crash_answers(planned: &Planned, epoch: &Epoch, failure: &Failure) -> Option<Vec<Message>> {
    let call = failure.call.filter(|_| failure.stage == Stage::Crash)?;
    planned.scenario.crashed(epoch, call, &failure.message)
}

/// Waits where the machine is hot; what is to be said about it.
pub(crate) fn cool_down() -> Option<String> {
    let thermal = Sampler::new(None).read().state.thermal?;
    if thermal == Thermal::Nominal {
        return None;
    }
    let CoolDown { waited, reached } = conditions::cool_down(COOL_DOWN);
    let end = if reached { "and was" } else { "but was not" };
    let waited = duration::format(Duration::from_secs(waited.as_secs()));
    Some(format!(
        "waited {waited} for the machine to cool down, {end} cool then"
    ))
}

/// Writes one epoch to the journal, if there is one; what goes wrong is told at its end, because a
/// full disk is no reason to disturb the measurement.
struct Notes<'a> {
    journal: Option<&'a mut Journal>,
    wrong: Option<io::Error>,
}

impl<'a> Notes<'a> {
    fn begin(journal: Option<&'a mut Journal>, cell: usize, epoch: &Epoch) -> Self {
        let mut notes = Self {
            journal,
            wrong: None,
        };
        notes.write(|journal| journal.begin(cell, epoch));
        notes
    }

    /// Books entries in the journal and in the cell's ledger.
    fn book_all(&mut self, ledger: &mut Ledger, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.write(|journal| journal.book(&entry));
            ledger.book(entry);
        }
    }

    fn end(mut self, wall: Duration) -> anyhow::Result<()> {
        self.write(|journal| journal.end(wall.as_secs_f64()));
        self.wrong.map_or(Ok(()), |error| Err(error.into()))
    }

    fn write(&mut self, write: impl FnOnce(&mut Journal) -> io::Result<()>) {
        if let (Some(journal), None) = (&mut self.journal, &self.wrong) {
            self.wrong = write(journal).err();
        }
    }
}
