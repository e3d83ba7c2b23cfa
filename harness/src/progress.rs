//! What is shown while a session runs: a live line on a terminal, plain lines elsewhere.

pub mod download;

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use store::stats::{Figure, figure};
use store::{Cell, Metric, Outcome, Run, Sample};

use crate::cli::duration;
use crate::conditions::Sampler;
use crate::plan::Planned;
use crate::scenarios::SoFar;

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
        let unset =
            |name| std::env::var_os(name).is_none_or(|value: std::ffi::OsString| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match io::stderr().is_terminal() && !dumb {
            true => Self::Live {
                colour: unset("NO_COLOR"),
            },
            false => Self::Plain,
        }
    }
}

/// The display of one session.
pub struct Progress<W: Write> {
    out: W,
    style: Style,
    start: Instant,
    /// Cells complete, and all of them.
    cells: (usize, usize),
    /// Epochs done, in this session and before it, and all that are planned.
    epochs: (usize, usize, usize),
    /// What cells under way have come to, with the machine's heat, in words.
    so_far: HashMap<Cell, String>,
}

impl<W: Write> Progress<W> {
    /// A display for cells of so many epochs each.
    pub fn new(out: W, style: Style, cells: &[usize]) -> Self {
        Self {
            out,
            style,
            start: Instant::now(),
            cells: (0, cells.len()),
            epochs: (0, 0, cells.iter().sum()),
            so_far: HashMap::new(),
        }
    }

    /// What a cell has come to after its last process: told on the live line.
    pub fn so_far(&mut self, planned: &Planned, so_far: &SoFar<'_>) {
        if self.style == Style::Plain {
            return;
        }
        let figure = headline(so_far).map(|figure| format!("{} {figure}", figure.metric));
        let heat = Sampler::new(None).read().state.thermal;
        let heat = heat.map(|level| format!("thermal {}", level.name()));
        let words = [figure, heat].into_iter().flatten();
        let words = words.map(|words| format!("  {words}")).collect();
        self.so_far.insert(planned.cell(String::new()), words);
    }

    /// So many epochs were done before this session.
    pub fn skip(&mut self, epochs: usize) {
        self.epochs.1 = epochs;
    }

    /// An epoch has come so many of so many trials far; it counts from 0.
    pub fn step(&mut self, planned: &Planned, epoch: usize, (done, of): (u32, u32)) {
        if done == 0 {
            self.epochs.0 += 1;
        }
        let Style::Live { colour } = self.style else {
            if (epoch, done) == (0, 0) {
                self.line(&format!("{} ...", self.subject(planned)));
            }
            return;
        };
        let arm = planned
            .epochs
            .get(epoch)
            .map_or("follow-up", |epoch| epoch.arm.as_str());
        let trial = f64::from(done.min(of)) / f64::from(of.max(1));
        let eta = self.eta(self.epochs.0.saturating_sub(1) as f64 + trial);
        let place = format!("epoch {}/{} {arm}", epoch + 1, planned.epochs.len());
        let so_far = self.so_far.get(&planned.cell(String::new()));
        let text = format!(
            "{}  {} trial {done}/{of}{}{eta}",
            self.subject(planned),
            place.trim_end(),
            so_far.map_or("", String::as_str),
        );
        let (on, off) = if colour {
            ("\x1b[2m", "\x1b[0m")
        } else {
            ("", "")
        };
        // A display that cannot be written must not end the measurement.
        let _ = write!(self.out, "\r\x1b[K{on}{text}{off}").and_then(|()| self.out.flush());
    }

    /// A cell is complete.
    pub fn end(&mut self, planned: &Planned, run: &Run) {
        self.cells.0 += 1;
        let wall = duration::format(Duration::from_secs_f64(run.wall_s.max(0.0)));
        let end = match &run.outcome {
            Outcome::Measured { samples, voids } => {
                let figures = samples.iter().map(|sample| sample.metric);
                let figures = figures.filter(|metric| !metric.is_around_trials());
                let metrics = format!("{} metrics", figures.count());
                let count: u32 = voids
                    .iter()
                    .map(|void| void.count)
                    .fold(0, u32::saturating_add);
                match (
                    voids.first(),
                    voids.iter().find(|void| !void.is_by_design()),
                ) {
                    (None, _) => metrics,
                    (Some(void), None) => format!("{metrics}; {}", void.reason),
                    (_, Some(void)) => format!("{metrics}, {count} values void: {}", void.reason),
                }
            }
            Outcome::Failed { stage, message } => format!("FAILED ({}): {message}", stage.name()),
        };
        let (clear, eta) = match self.style {
            Style::Live { .. } => ("\r\x1b[K", String::new()),
            Style::Plain => ("", self.eta(self.epochs.0 as f64)),
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
        format!(
            "[{at:>width$}/{of}] {}  {}",
            planned.model.name,
            planned.scenario.name()
        )
    }

    /// Time to the end at the pace of the epochs so far; empty until one is done.
    fn eta(&self, done: f64) -> String {
        let (_, before, all) = self.epochs;
        let left = all as f64 - before as f64 - done;
        if done < 1.0 || left <= 0.0 {
            return String::new();
        }
        let seconds = self.start.elapsed().as_secs_f64() / done * left;
        format!(
            "  ETA {}",
            duration::format(Duration::from_secs_f64(seconds.ceil()))
        )
    }
}

/// The figure that people wait for: of a request, else of a load.
fn headline(so_far: &SoFar<'_>) -> Option<Figure> {
    const METRICS: [Metric; 3] = [Metric::Inference, Metric::LoadWarm, Metric::LoadCold];
    METRICS.iter().find_map(|&metric| {
        let epochs = so_far.values.iter();
        let epochs = epochs
            .filter_map(|epoch| epoch.get(&metric).cloned())
            .collect();
        figure(&Sample { metric, epochs })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
            argument: String::new(),
            seal: None,
            server: None,
        };
        let epochs = scenario.epochs(Profile::Quick);
        Planned {
            scenario,
            model,
            backend: Backend::Candle,
            device: Device::Cpu,
            precision: crate::models::Precision::Native,
            epochs,
            neighbour: None,
        }
    }

    fn run(outcome: Outcome) -> Run {
        Run {
            id: store::Uuid::now_v7(),
            session: store::Uuid::now_v7(),
            at: chrono::Utc::now(),
            wall_s: 1.5,
            cell: planned().cell(String::new()),
            argument: None,
            outcome,
            answers: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn shown(style: Style) -> String {
        let (planned, mut out) = (planned(), Vec::new());
        let mut progress = Progress::new(&mut out, style, &[1, 1]);
        progress.step(&planned, 0, (0, 2));
        progress.step(&planned, 0, (1, 2));
        progress.end(
            &planned,
            &run(Outcome::Measured {
                samples: Vec::new(),
                voids: Vec::new(),
            }),
        );
        let message = "gone".to_owned();
        progress.step(&planned, 0, (0, 2));
        progress.end(
            &planned,
            &run(Outcome::Failed {
                stage: store::Stage::Load,
                message,
            }),
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_lines_hold_no_escape_codes() {
        let text = shown(Style::Plain);
        assert!(!text.contains(['\r', '\x1b']), "{text:?}");
        assert!(text.starts_with("[0/2] tiny  text-only ...\n"), "{text}");
        assert!(text.ends_with("FAILED (load): gone  (1.5s)\n"), "{text}");
    }

    #[test]
    fn the_live_line_tells_what_a_cell_has_come_to() {
        let line = |style| {
            let (planned, mut out) = (planned(), Vec::new());
            let mut progress = Progress::new(&mut out, style, &[2]);
            let shown = |values: &[f64]| BTreeMap::from([(Metric::Inference, values.to_vec())]);
            let so_far = SoFar {
                epochs: &[],
                values: &[shown(&[0.1, 0.1]), shown(&[0.1])],
                voids: &[],
                replays: &[],
            };
            progress.so_far(&planned, &so_far);
            progress.step(&planned, 0, (1, 2));
            String::from_utf8(out).unwrap()
        };
        let live = line(Style::Live { colour: false });
        assert!(
            live.contains("trial 1/2  inference 100 ms ± 0.0 % (n=3/2†)"),
            "{live:?}"
        );
        assert!(!line(Style::Plain).contains("inference"));
    }

    #[test]
    fn the_live_line_is_written_over() {
        let text = shown(Style::Live { colour: false });
        assert!(
            text.contains("\r\x1b[K[0/2] tiny  text-only  epoch 1/1 trial 1/2"),
            "{text:?}"
        );
        assert!(!text.contains("\x1b[2m"));
    }
}
