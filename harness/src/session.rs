//! `harness run`: from options to stored runs and a table.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::Utc;
use store::summary::{MARKS, again, lines, notes, rows, summary_table, text_table};
use store::{
    Asked, Db, Document, Outcome, Remark, RemarkKind, Run, RunFilter, Session, Uuid, Void,
};

use crate::cli::broken_pipe;
use crate::doctor::{self, Level};
use crate::measure::qos::{self, Awake, Side};
use crate::models::{Backend, Device, Place, Precision};
use crate::parent::{Campaign, Journal, Launcher, Measured, Watch};
use crate::plan::{Plan, Planned, Wanted};
use crate::probes::ProbeSet;
use crate::progress::{Progress, Style};
use crate::scenarios::{Profile, SCENARIOS, Scenario, SoFar};
use crate::served::{self, discover};
use crate::source::{Model, Network, WeightsChoice, obtain};
use crate::suite::Suite;
use crate::{environment, machine};

/// What `harness run` was asked for.
#[derive(Clone)]
pub struct RunOptions {
    /// The suite's file; none for the embedded one.
    pub suite: Option<PathBuf>,
    /// Names or folders; empty for the suite's models.
    pub models: Vec<String>,
    /// Tensor libraries; empty for the best one of this machine.
    pub backends: Vec<Backend>,
    /// The server to measure, for the backend that asks one.
    pub server: Option<served::Wanted>,
    /// Where they compute; none for the best of each.
    pub device: Option<Device>,
    /// In what type.
    pub precision: Precision,
    /// Scenarios; empty for all.
    pub scenarios: Vec<&'static dyn Scenario>,
    /// How much time to take.
    pub profile: Profile,
    /// What the order and all random choices grow from.
    pub seed: u64,
    /// Which weights a published model's name gets.
    pub weights: WeightsChoice,
    /// Whether models may be fetched.
    pub network: Network,
    /// What to do where the machine is not fit to measure.
    pub readiness: Readiness,
    /// Longest time for one cell.
    pub timeout: Duration,
    /// Where runs go.
    pub storage: Storage,
    /// How the end is printed.
    pub format: Format,
}

/// What to do where the machine is not fit to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Measure, and mark every cell.
    Marked,
    /// Refuse.
    Required,
}

/// Where runs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere.
    None,
    /// Into a new session of this database; none for the workspace's own.
    New(Option<PathBuf>),
    /// Into the newest unfinished session of the same plan, if there is one.
    Resume(Option<PathBuf>),
}

/// How the end is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table for people.
    Text,
    /// The session as `store export` prints it.
    Json,
}

/// Measures every cell of the plan, stores each as soon as it is measured, prints the table.
///
/// Exit code 0 where all cells were measured, 1 where one failed or holds a void that is not by the
/// model's design.
///
/// # Errors
/// When nothing can be measured or stored, in one line. Cells stored before stay stored.
pub fn run(options: &RunOptions, out: &mut dyn Write) -> Result<ExitCode> {
    let suite = Suite::load(options.suite.as_deref())?;
    let probes = ProbeSet::load(&suite.probes_dir)?;
    let wanted = wanted(options, &suite, &probes)?;
    let plan = Plan::new(&wanted);
    if plan.cells.is_empty() {
        bail!("nothing to measure: {}", nothing(&wanted));
    }
    qos::settle(Side::Parent);
    let _awake = Awake::hold();
    let problems = fitness(&plan, options.readiness)?;
    let mut book = Book::open(options, &suite, &plan)?;
    let launcher = Launcher::own().context("cannot find this program")?;
    let mut campaign = Campaign::new(&plan, &launcher, &suite.probes_dir, options.timeout);
    let mut display = take_up(&mut campaign, &mut book, &plan)?;
    if display.taken == (0, 0) && matches!(options.storage, Storage::Resume(_)) {
        display
            .progress
            .note("nothing to resume: no unfinished session of this plan, all cells are run");
    }
    for problem in &problems {
        let note = format!("not fit to measure, every cell is marked: {problem}");
        display.progress.note(&note);
    }
    display.problems = problems;
    campaign.run(&mut display)?;
    // The table has the plan's order, whatever was complete first.
    let number = |run: &Run| plan.cells.iter().position(|cell| cell.is_of(run));
    book.runs.sort_by_key(number);
    book.close()?;
    match print(&book, options.format, out) {
        // What was measured is stored, whoever reads the table.
        Err(error) if broken_pipe(&error) => (),
        printed => printed?,
    }
    let clean = |run: &Run| {
        matches!(run.outcome, Outcome::Measured { .. })
            && run.voids().iter().all(Void::is_by_design)
    };
    Ok(if book.runs.iter().all(clean) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Why a plan is empty, and what to do.
fn nothing(wanted: &Wanted) -> String {
    let profile = wanted.profile;
    let scenarios = wanted.scenarios.iter();
    let absent = scenarios.filter(|scenario| scenario.epochs(profile).is_empty());
    let absent: Vec<_> = absent.map(|scenario| scenario.name()).collect();
    if absent.len() == wanted.scenarios.len() {
        let names = absent.join(", ");
        return format!("not in profile {profile}: {names}: take --profile full");
    }
    if wanted.models.iter().all(|model| model.server.is_some()) {
        return "a server's model is not ours to load; add warm-inference, vision or state-drift"
            .to_owned();
    }
    "random weights have no answers to score; add cold-load, warm-inference or state-drift"
        .to_owned()
}

/// What speaks against measuring now, one line each.
///
/// # Errors
/// Where anything does and a fit machine is required.
pub(crate) fn fitness(plan: &Plan, readiness: Readiness) -> Result<Vec<String>> {
    let problems = problems(plan);
    if let (Some(problem), Readiness::Required) = (problems.first(), readiness) {
        bail!("not fit to measure: {problem}; `harness doctor` says more");
    }
    Ok(problems)
}

fn problems(plan: &Plan) -> Vec<String> {
    let weights = plan.cells.iter().map(|cell| cell.model.weight_bytes);
    let places = plan.cells.iter().map(|cell| Place {
        backend: cell.backend,
        device: cell.device,
    });
    let places: Vec<Place> = places.collect();
    let found = doctor::preflight(weights.max().unwrap_or(0), &places);
    let problems = found.iter().filter(|found| found.level == Level::Problem);
    problems
        .map(|problem| format!("{}: {}", problem.subject, problem.text))
        .collect()
}

/// What the plan of a run is made of.
pub(crate) fn wanted(options: &RunOptions, suite: &Suite, probes: &ProbeSet) -> Result<Wanted> {
    let models = match &options.server {
        Some(server) => discover(server, &options.models)?,
        None => models(options, suite)?,
    };
    let usual = SCENARIOS.iter().copied();
    let usual = usual.filter(|scenario| !scenario.on_request());
    let scenarios = match options.scenarios.as_slice() {
        [] => usual.collect(),
        chosen => chosen.to_vec(),
    };
    Ok(Wanted {
        profile: options.profile,
        seed: options.seed,
        models,
        places: places(options)?,
        precision: options.precision,
        scenarios,
        probes: probes.digest.clone(),
        build: build(),
    })
}

/// The models that are asked for, else the suite's, of which the file and line are named where one
/// cannot be had.
fn models(options: &RunOptions, suite: &Suite) -> Result<Vec<Model>> {
    let find = |name: &str| obtain(name, options.weights, options.network);
    let found = match options.models.as_slice() {
        [] => suite
            .models()
            .map(|(name, place)| find(name).context(place.to_owned()))
            .collect::<Result<Vec<_>>>(),
        names => names.iter().map(|name| find(name)).collect(),
    };
    let mut models = Vec::new();
    for model in found? {
        // Two names of one model are measured once.
        if !models.iter().any(|known: &Model| known.dir == model.dir) {
            models.push(model);
        }
    }
    Ok(models)
}

/// Where to measure: every backend that is wanted once, all of them there.
fn places(options: &RunOptions) -> Result<Vec<Place>> {
    if options.server.is_some() {
        let (backend, device) = (Backend::OpenAi, Device::Server);
        return Ok(vec![Place { backend, device }]);
    }
    let mut wanted: Vec<_> = options.backends.iter().copied().map(Some).collect();
    if wanted.is_empty() {
        wanted.push(None);
    }
    let mut places = Vec::new();
    for backend in wanted {
        let place = Place::choose(backend, options.device)?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

/// What measures: its source, the program's file as it was last built, and the threads it uses.
fn build() -> String {
    let environment = environment::detect(environment::threads());
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let file = file.ok().map(|file| (file.len(), file.modified().ok()));
    format!(
        "{} {:?} {:?} {file:?} {}",
        environment.harness, environment.commit, environment.dirty, environment.threads
    )
}

/// Leaves out what is stored, and takes up what the journal holds.
fn take_up<'a>(
    campaign: &mut Campaign<'_>,
    book: &'a mut Book,
    plan: &Plan,
) -> Result<Display<'a>> {
    let stored = book.stored()?;
    let is_stored = |cell: &Planned| stored.iter().any(|run| cell.is_of(run));
    let cells = plan.cells.iter().filter(|cell| is_stored(cell)).count();
    campaign.skip(is_stored);
    let mut epochs = 0;
    if let Some(path) = book.journal() {
        let (journal, recorded) = Journal::open(path).context("journal")?;
        epochs = campaign.keep(journal, recorded);
    }
    let left = plan.cells.iter().filter(|cell| !is_stored(cell));
    let left: Vec<usize> = left.map(|cell| cell.epochs.len()).collect();
    let mut progress = Progress::new(std::io::stderr(), Style::of_stderr(), &left);
    if (cells, epochs) != (0, 0) {
        let of = plan.cells.len();
        let more = match epochs {
            0 => String::new(),
            _ => format!(", {epochs} epochs of others are in the journal"),
        };
        progress.note(&format!(
            "resumed: {cells} of {of} cells are stored already{more}"
        ));
    }
    progress.skip(epochs);
    Ok(Display {
        progress,
        book,
        taken: (cells, epochs),
        problems: Vec::new(),
    })
}

/// Shows what happens, and stores what is complete.
struct Display<'a> {
    progress: Progress<std::io::Stderr>,
    book: &'a mut Book,
    /// Cells and epochs of an earlier start.
    taken: (usize, usize),
    /// What spoke against measuring.
    problems: Vec<String>,
}

impl Watch for Display<'_> {
    fn step(&mut self, planned: &Planned, epoch: usize, trial: (u32, u32)) {
        self.progress.step(planned, epoch, trial);
    }

    fn so_far(&mut self, planned: &Planned, so_far: &SoFar<'_>) {
        self.progress.so_far(planned, so_far);
    }

    fn done(&mut self, planned: &Planned, measured: Measured) -> Result<()> {
        let marked = self.problems.iter().map(|problem| Remark {
            kind: RemarkKind::Advisory,
            count: 0,
            text: format!("not fit to measure at the start: {problem}"),
        });
        let run = Run {
            id: Uuid::now_v7(),
            session: self.book.session.id,
            at: measured.at,
            wall_s: measured.wall_s,
            cell: measured.cell,
            argument: Some(planned.model.argument.clone()),
            outcome: measured.told.outcome,
            answers: measured.told.answers,
            remarks: marked.chain(measured.told.remarks).collect(),
        };
        self.progress.end(planned, &run);
        self.book.keep(run)
    }
}

/// What makes the same session again, beyond what its runs say.
fn asked(options: &RunOptions) -> Asked {
    let suite = options.suite.as_ref();
    Asked {
        seed: Some(options.seed),
        suite: suite.map(|path| path.display().to_string()),
        precision: (options.precision != Precision::Native).then(|| options.precision.to_string()),
        server: options
            .server
            .as_ref()
            .map(|server| server.address.to_string()),
    }
}

/// The session with its runs, in memory and in the database.
struct Book {
    db: Option<Db>,
    session: Session,
    runs: Vec<Run>,
}

impl Book {
    /// Opens the database before anything is measured, so that an unusable one costs no time.
    fn open(options: &RunOptions, suite: &Suite, plan: &Plan) -> Result<Self> {
        let session = Session {
            id: Uuid::now_v7(),
            at: Utc::now(),
            finished: None,
            plan: plan.hash.clone(),
            suite: suite.name.clone(),
            profile: options.profile.name().to_owned(),
            machine: machine::detect(),
            environment: environment::detect(environment::threads()),
            asked: asked(options),
            state: environment::state(),
            end_state: None,
        };
        let (file, resume) = match &options.storage {
            Storage::None => {
                return Ok(Self {
                    db: None,
                    session,
                    runs: Vec::new(),
                });
            }
            Storage::New(file) => (file, false),
            Storage::Resume(file) => (file, true),
        };
        let path = match file {
            Some(path) => path.clone(),
            None => Db::default_path(),
        };
        let mut db = Db::open(&path)?;
        let key = session.machine.key();
        let known = if resume {
            db.unfinished(&plan.hash, &key)?
        } else {
            None
        };
        let session = match known {
            Some(known) => known,
            None => {
                db.begin(&session)?;
                session
            }
        };
        Ok(Self {
            db: Some(db),
            session,
            runs: Vec::new(),
        })
    }

    /// Runs that the session holds already.
    fn stored(&mut self) -> Result<Vec<Run>> {
        if let Some(db) = &self.db {
            self.runs = db.runs(&RunFilter {
                session: Some(self.session.id),
                ..RunFilter::default()
            })?;
        }
        Ok(self.runs.clone())
    }

    /// Where the session's journal belongs; none where nothing is stored.
    fn journal(&self) -> Option<PathBuf> {
        let db = self.db.as_ref()?;
        Some(Journal::path(db.path(), self.session.id))
    }

    fn keep(&mut self, run: Run) -> Result<()> {
        if let Some(db) = &mut self.db {
            db.insert(&run)?;
        }
        self.runs.push(run);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let (now, state) = (Utc::now(), environment::state());
        if let Some(db) = &mut self.db {
            db.finish(self.session.id, now, &state)?;
        }
        self.session.finished = Some(now);
        self.session.end_state = Some(state);
        Ok(())
    }
}

fn print(book: &Book, format: Format, out: &mut dyn Write) -> Result<()> {
    match format {
        Format::Json => {
            let document = Document::new(book.session.clone(), book.runs.clone());
            writeln!(out, "{}", serde_json::to_string(&document)?)?;
        }
        Format::Text => write!(out, "{}", closing(book))?,
    }
    Ok(())
}

/// Whether a sign stands in a table.
fn fires(mark: &str, cells: &[Vec<String>]) -> bool {
    let sign = mark.chars().next().unwrap_or(' ');
    cells.iter().flatten().any(|cell| cell.contains(sign))
}

/// The table, what its verdicts rest on, what failed or was refused, and where it was measured.
fn closing(book: &Book) -> String {
    let rows = rows(&book.runs);
    let (headers, cells) = summary_table(&rows);
    let mut text = format!("\n{}\n", text_table(&headers, &cells));
    for (word, line) in rows.iter().flat_map(lines) {
        text += &format!("{word}: {line}\n");
    }
    for note in rows.iter().flat_map(notes) {
        text += &format!("{}: {}\n", note.kind.word(), note.text());
    }
    let (session, machine) = (&book.session, book.session.machine.describe());
    for line in rows.iter().filter_map(|row| again(row, session)) {
        text += &format!("again: {line}\n");
    }
    text += &format!("\nprofile {}, {machine}", session.profile);
    if let Some(db) = &book.db {
        text += &format!(", stored in {}", db.path().display());
    }
    text += "\n";
    for mark in MARKS.iter().filter(|mark| fires(mark, &cells)) {
        text += &format!("{mark}\n");
    }
    if session.profile == Profile::Quick.name() {
        text += "profile quick takes two processes; --profile standard takes three to eight\n";
    }
    text
}
