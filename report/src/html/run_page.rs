//! The page of one session: every cell with its figures, their spread and raw values, and why others are missing.

use serde::Serialize;
use store::gate::{Side, name};
use store::stats::{figure, is_item_score, share};
use store::summary::{Note, run_notes};
use store::{Metric, Outcome, Run, Sample, Session};

use super::choice;
use super::far::{Far, far};
use super::frame::Frame;
use super::heading::Heading;
use super::outputs::{self, Outputs};
use super::session::{self, Fact, Link};
use super::site::Site;
use super::table::{self, Notes, Table};
use crate::archive::{Place, entries};
use crate::text::one_line;

/// Answers of one cell on the page, and values of one process: the rest is in the database.
const ANSWERS: usize = 12;
const VALUES: usize = 100;

/// What may have become of a cell.
const STATES: [&str; 4] = ["failed", "void in part", "not offered", "measured"];

/// The page of a session.
#[derive(Serialize)]
pub(super) struct Page {
    frame: Frame,
    id: String,
    at: String,
    machine: String,
    machine_key: String,
    facts: Vec<Fact>,
    earlier: Option<Link>,
    later: Option<Link>,
    /// File of the comparison with the session before, where there is one.
    compared: Option<String>,
    /// Whether there is a page of any two sessions.
    choosable: bool,
    /// The command that compares with the session before.
    command: Option<String>,
    export: String,
    /// How many cells are in which state.
    counts: String,
    /// Verdicts and figures of this session alone.
    table: Table,
    notes: Notes,
    pub(super) models: Vec<Model>,
}

/// The cells of one model.
#[derive(Serialize)]
pub(super) struct Model {
    #[serde(flatten)]
    pub(super) heading: Heading,
    pub(super) cells: Vec<Cell>,
}

/// What was measured by one run.
#[derive(Serialize)]
pub(super) struct Cell {
    id: String,
    /// What rows of a comparison call it.
    #[serde(skip)]
    pub(super) key: String,
    pub(super) name: String,
    about: String,
    state: &'static str,
    tone: &'static str,
    notes: Vec<NoteView>,
    pub(super) figures: Vec<FigureView>,
    far: Option<Far>,
    outputs: Option<Outputs>,
}

#[derive(Serialize)]
struct NoteView {
    word: &'static str,
    tone: &'static str,
    text: String,
}

/// One metric of a run.
#[derive(Serialize)]
pub(super) struct FigureView {
    pub(super) name: &'static str,
    about: &'static str,
    pub(super) value: String,
    /// The same as a number, in the metric's unit.
    #[serde(skip)]
    pub(super) number: Option<f64>,
    spread: String,
    pub(super) interval: String,
    pub(super) counts: String,
    /// Raw values, a line a process.
    epochs: Vec<String>,
}

/// A session with all its runs, and where it stands among those of its machine.
pub(super) struct Subject<'a> {
    pub site: &'a Site,
    pub place: &'a Place,
    /// With all of its runs, oldest first.
    pub side: &'a Side,
}

/// The page as text is made of, and its file.
pub(super) fn page(subject: &Subject<'_>) -> (String, Page) {
    let (place, session) = (subject.place, &subject.side.session);
    let models = models(subject);
    let entries = entries(std::slice::from_ref(session), &subject.side.runs);
    let shown: Vec<&Session> = subject.site.shown(place).collect();
    let own = shown.iter().position(|other| other.id == session.id);
    let own = own.unwrap_or_default();
    let other = |at: Option<usize>| Some(session::link(shown.get(at?)?));
    let before = session::previous(place, session);
    let is_newest = own == 0;
    let page = Page {
        frame: Frame::within(&format!(
            "Session of {} on {}",
            session::at(session),
            place.name()
        )),
        id: session.id.to_string(),
        at: session::at(session),
        machine: place.name(),
        machine_key: place.key.clone(),
        facts: session::facts(session),
        earlier: other(Some(own + 1)),
        later: other(own.checked_sub(1)),
        compared: before.filter(|_| is_newest).map(|_| session::file(session)),
        choosable: choice::is_there(subject.site),
        command: before.map(|before| format!("report compare {} {}", before.id, session.id)),
        export: format!("store export --session {}", session.id),
        counts: counts(&models),
        table: table::table(place, &entries),
        notes: table::notes_of(&entries),
        models,
    };
    (session::file(session), page)
}

/// `60 cells: 58 measured, 2 failed`.
fn counts(models: &[Model]) -> String {
    let cells: Vec<&Cell> = models.iter().flat_map(|model| &model.cells).collect();
    let count = |state: &&str| cells.iter().filter(|cell| cell.state == *state).count();
    let words = STATES.iter().filter(|state| count(state) > 0);
    let words: Vec<String> = words
        .map(|state| format!("{} {state}", count(state)))
        .collect();
    format!("{} cells: {}", cells.len(), words.join(", "))
}

/// The models of a session in the order they were measured in.
fn models(subject: &Subject<'_>) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    for run in &subject.side.runs {
        let heading = Heading::new(&subject.place.key, &run.cell.model);
        let at = models
            .iter()
            .position(|model| model.heading.id == heading.id);
        let at = at.unwrap_or_else(|| {
            models.push(Model {
                heading,
                cells: Vec::new(),
            });
            models.len() - 1
        });
        models[at].cells.push(cell(run));
    }
    models
}

fn cell(run: &Run) -> Cell {
    let cell = &run.cell;
    let notes = notes(run);
    let (state, tone) = match &run.outcome {
        Outcome::Failed { .. } => (STATES[0], "bad"),
        Outcome::Measured { voids, .. } if voids.iter().any(|void| !void.is_by_design()) => {
            (STATES[1], "warn")
        }
        Outcome::Measured { samples, .. } if samples.is_empty() => (STATES[2], ""),
        Outcome::Measured { .. } => (STATES[3], "good"),
    };
    let about = [
        cell.precision.clone(),
        format!("{} weights {}", cell.weights, cell.revision),
        format!("{} in all", store::Unit::Second.format(run.wall_s)),
        run.at.format("%H:%M:%S UTC").to_string(),
    ];
    let about: Vec<String> = about.into_iter().filter(|part| !part.is_empty()).collect();
    let figures = run.samples().iter();
    let figures = figures.filter(|sample| !sample.metric.is_around_trials());
    Cell {
        id: format!("run-{}", run.id),
        key: one_line(&name(cell)),
        name: one_line(&format!(
            "{}, {} {}",
            cell.scenario, cell.backend, cell.device
        )),
        about: one_line(&about.join(", ")),
        state,
        tone,
        notes,
        figures: figures.map(figure_view).collect(),
        far: far(run),
        outputs: (!run.answers.is_empty()).then(|| outputs::of_run(run, ANSWERS)),
    }
}

/// Why it failed, what was refused or may be wrong, and what was found out.
fn notes(run: &Run) -> Vec<NoteView> {
    let view = |note: Note| NoteView {
        word: note.kind.word(),
        tone: table::tone_of(note.kind),
        text: one_line(&format!("{}: {}", note.about, note.reason)),
    };
    run_notes(run).into_iter().map(view).collect()
}

fn figure_view(sample: &Sample) -> FigureView {
    let metric = sample.metric;
    let spec = metric.spec();
    let mut view = FigureView {
        name: spec.name,
        about: spec.about,
        value: "n/a".to_owned(),
        number: None,
        spread: String::new(),
        interval: String::new(),
        counts: String::new(),
        epochs: sample
            .epochs
            .iter()
            .map(|epoch| raw(metric, epoch))
            .collect(),
    };
    if is_item_score(metric) {
        if let Some(share) = share(sample) {
            view.number = share.share();
            view.value = view
                .number
                .map_or_else(|| "n/a".to_owned(), |share| metric.format(share));
            view.interval = interval(metric, Some((share.low, share.high)));
            view.counts = format!("{} of {} items", share.right, share.of);
        }
    } else if let Some(figure) = figure(sample) {
        view.number = Some(figure.median);
        view.value = metric.format(figure.median);
        view.spread = figure.spread();
        view.interval = interval(metric, figure.interval);
        view.counts = figure.counts();
    }
    view
}

fn interval(metric: Metric, ends: Option<(f64, f64)>) -> String {
    ends.map_or_else(String::new, |(low, high)| {
        format!("[{}, {}]", metric.format(low), metric.format(high))
    })
}

/// The values of one process in their order; one that comes several times in a row is written once.
fn raw(metric: Metric, values: &[f64]) -> String {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for &value in values.iter().take(VALUES) {
        let text = metric.format(value);
        match runs.last_mut() {
            Some((last, count)) if *last == text => *count += 1,
            _ => runs.push((text, 1)),
        }
    }
    let word = |(text, count): &(String, usize)| match count {
        1 => text.clone(),
        count => format!("{count} × {text}"),
    };
    let mut words: Vec<String> = runs.iter().map(word).collect();
    if values.len() > VALUES {
        words.push(format!("and {} more", values.len() - VALUES));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_values_stay_in_order() {
        let check = |values: &[f64], expected: &str| {
            assert_eq!(raw(Metric::OutputTokens, values), expected);
        };
        check(&[], "");
        check(&[7.0, 7.0, 8.0, 7.0], "2 × 7, 8, 7");
        check(&[3.0; 120], "100 × 3, and 20 more");
    }
}
