//! What is shown while a session runs: a live line on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use store::{Outcome, Run};

use crate::cli::duration;
use crate::parent::Step;
use crate::plan::Planned;

/// How the screen is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One line, written over; with colour or without.
    Live {
        /// Escape codes are wanted.
        colour: bool,
    },
    /// One line an event.
    Plain,
}

impl Style {
    /// What stderr and `NO_COLOR` ask for.
    #[must_use]
    pub fn of_stderr() -> Self {
        let unset = |name| std::env::var_os(name).is_none_or(|value: std::ffi::OsString| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match io::stderr().is_terminal() && !dumb {
            true => Self::Live { colour: unset("NO_COLOR") },
            false => Self::Plain,
        }
    }
}

/// The display of one session.
pub struct Progress<W: Write> {
    out: W,
    style: Style,
    start: Instant,
    /// Trials of all cells, of those that are done, and of the one being measured.
    total: u32,
    done: u32,
    cells: (usize, usize),
}

impl<W: Write> Progress<W> {
    /// A display for cells of so many trials in all.
    pub fn new(out: W, style: Style, cells: &[&Planned]) -> Self {
        let total = cells.iter().map(|cell| cell.trials()).sum();
        Self { out, style, start: Instant::now(), total, done: 0, cells: (0, cells.len()) }
    }

    /// A cell begins.
    pub fn begin(&mut self, planned: &Planned) {
        self.cells.0 += 1;
        if self.style == Style::Plain {
            self.line(&format!("{} ...", self.subject(planned)));
        }
    }

    /// A cell has come this far.
    pub fn step(&mut self, planned: &Planned, step: Step) {
        let Style::Live { colour } = self.style else {
            return;
        };
        let before: u32 = planned.epochs.iter().take(step.epoch).map(|epoch| epoch.trials.max(1)).sum();
        let arm = planned.epochs.get(step.epoch).map_or("", |epoch| epoch.arm.as_str());
        let eta = self.eta(before + step.done.min(step.of));
        let subject = self.subject(planned);
        let place = format!("epoch {}/{} {arm}", step.epoch + 1, planned.epochs.len());
        let text = format!("{subject}  {} trial {}/{}{eta}", place.trim_end(), step.done, step.of);
        let (on, off) = if colour { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
        // A display that cannot be written must not end the measurement.
        let _ = write!(self.out, "\r\x1b[K{on}{text}{off}").and_then(|()| self.out.flush());
    }

    /// A cell is measured.
    pub fn end(&mut self, planned: &Planned, run: &Run) {
        self.done += planned.trials();
        let wall = duration::format(Duration::from_secs_f64(run.wall_s.max(0.0)));
        let end = match &run.outcome {
            Outcome::Measured { samples, voids } if voids.is_empty() => {
                format!("{} metrics", samples.len())
            }
            Outcome::Measured { samples, voids } => {
                let count: u32 = voids.iter().map(|void| void.count).fold(0, u32::saturating_add);
                let reason = &voids[0].reason;
                format!("{} metrics, {count} values void: {reason}", samples.len())
            }
            Outcome::Failed { stage, message } => format!("FAILED ({}): {message}", stage.name()),
        };
        let (clear, eta) = match self.style {
            Style::Live { .. } => ("\r\x1b[K", String::new()),
            Style::Plain => ("", self.eta(0)),
        };
        let subject = self.subject(planned);
        self.line(&format!("{clear}{subject}  {end}  ({wall}){eta}"));
    }

    /// Anything else worth a line.
    pub fn note(&mut self, text: &str) {
        self.line(text);
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    fn subject(&self, planned: &Planned) -> String {
        let (at, of) = self.cells;
        let width = of.to_string().len();
        format!("[{at:>width$}/{of}] {}  {}", planned.model.name, planned.scenario.name())
    }

    /// Time to the end at the pace so far; empty until there is a pace.
    fn eta(&self, of_this_cell: u32) -> String {
        let done = self.done + of_this_cell;
        let left = self.total.saturating_sub(done);
        if self.done == 0 || left == 0 {
            return String::new();
        }
        let pace = self.start.elapsed().as_secs_f64() / f64::from(done);
        let seconds = (pace * f64::from(left)).ceil();
        format!("  ETA {}", duration::format(Duration::from_secs_f64(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Backend, Device};
    use crate::scenarios::{Profile, find};
    use crate::source::Model;

    fn planned() -> Planned {
        let scenario = find("text-only").unwrap();
        let model = Model {
            name: "tiny".to_owned(),
            dir: "/nowhere".into(),
            weights: "local",
            revision: String::new(),
            weight_files: Vec::new(),
            weight_bytes: 0,
        };
        let epochs = scenario.epochs(Profile::Quick);
        Planned { scenario, model, backend: Backend::Candle, device: Device::Cpu, epochs }
    }

    fn run(outcome: Outcome) -> Run {
        Run {
            id: store::Uuid::now_v7(),
            session: store::Uuid::now_v7(),
            at: chrono::Utc::now(),
            wall_s: 1.5,
            cell: planned().cell(String::new()),
            outcome,
            answers: Vec::new(),
        }
    }

    fn shown(style: Style) -> String {
        let (planned, mut out) = (planned(), Vec::new());
        let mut progress = Progress::new(&mut out, style, &[&planned, &planned]);
        progress.begin(&planned);
        progress.step(&planned, Step { epoch: 0, done: 1, of: 2 });
        progress.end(&planned, &run(Outcome::Measured { samples: Vec::new(), voids: Vec::new() }));
        let message = "gone".to_owned();
        progress.begin(&planned);
        progress.end(&planned, &run(Outcome::Failed { stage: store::Stage::Load, message }));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_lines_hold_no_escape_codes() {
        let text = shown(Style::Plain);
        assert!(!text.contains(['\r', '\x1b']), "{text:?}");
        assert!(text.starts_with("[1/2] tiny  text-only ...\n"), "{text}");
        assert!(text.ends_with("FAILED (load): gone  (1.5s)\n"), "{text}");
    }

    #[test]
    fn the_live_line_is_written_over() {
        let text = shown(Style::Live { colour: false });
        assert!(text.contains("\r\x1b[K[1/2] tiny  text-only  epoch 1/1 trial 1/2"), "{text:?}");
        assert!(!text.contains("\x1b[2m"));
    }
}
