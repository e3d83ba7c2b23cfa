//! Scripted models with known faults, and an epoch to run them in.

use std::time::Duration;

use store::{Cell, Metric, Outcome, Run, Uuid};

use crate::measure::Bandwidth;
use crate::message::{Epoch, Message as Line};
use crate::parent::Ledger;
use crate::probes::{Accepted, ProbeSet, Scene, TextItem, Turn, VisionItem};
use crate::subject::{
    Allocator, AskError, Loaded, Message, Pass, Reply, Request, Stop, Subject, Turns, View,
};

use super::{Birth, Gauge, Probe, Profile, Scenario};

type Script = Box<dyn FnMut(&Request<'_>, usize) -> Result<String, AskError>>;
type Twist = Box<dyn FnMut(&mut Reply, usize)>;

/// A model that answers by a script: request and number of the call (from 1) in, text out.
pub(super) struct Fake {
    loaded: Loaded,
    memory: Allocator,
    calls: usize,
    script: Script,
    twist: Twist,
}

impl Fake {
    pub(super) fn new(
        script: impl FnMut(&Request<'_>, usize) -> Result<String, AskError> + 'static,
    ) -> Self {
        let loaded = Loaded {
            architecture: "fake".to_owned(),
            precision: "f32 (f32 weights)".to_owned(),
            weight_bytes: 1000,
            held_bytes: 1000,
            read_bytes: 1000,
            parameters: 250,
            stop_ids: vec![0],
            placeholder: Some("<image>".to_owned()),
            turns: Turns::Many,
            view: View::Inside,
        };
        Self {
            loaded,
            memory: Allocator::default(),
            calls: 0,
            script: Box::new(script),
            twist: Box::new(|_, _| ()),
        }
    }

    /// Changes each reply afterwards.
    pub(super) fn twisted(mut self, twist: impl FnMut(&mut Reply, usize) + 'static) -> Self {
        self.twist = Box::new(twist);
        self
    }

    /// Is another model.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Loaded)) -> Self {
        change(&mut self.loaded);
        self
    }

    /// Counts memory.
    pub(super) fn counting(mut self, memory: Allocator) -> Self {
        self.memory = memory;
        self
    }

    /// Cannot be told earlier turns, and refuses them.
    pub(super) fn stateless(mut self) -> Self {
        self.loaded.turns = Turns::One;
        let mut script = self.script;
        self.script = Box::new(move |request, call| match request.messages {
            [_] => script(request, call),
            _ => Err(crate::Error::NotOffered("earlier turns".to_owned()).into()),
        });
        self
    }

    /// Says what is in the picture, see [`draw`], and remembers what it was told.
    pub(super) fn seeing() -> Self {
        Self::new(|request, _| {
            let question = request
                .messages
                .last()
                .map_or("", |message| message.text.as_str());
            let told = request
                .messages
                .iter()
                .find_map(|m| m.text.strip_prefix("It is "));
            Ok(match (request.images.first(), question) {
                (None, "capital of France?") => "Paris".to_owned(),
                (None, "2 plus 3?") => "5".to_owned(),
                (Some(picture), "describe") => format!("It is {}", shown(picture)),
                (Some(picture), _) => shown(picture),
                (None, _) => told.unwrap_or("unknown").to_owned(),
            })
        })
    }

    /// Says the same whatever is asked.
    pub(super) fn constant(text: &'static str) -> Self {
        Self::new(move |_, _| Ok(text.to_owned()))
    }
}

impl Subject for Fake {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<Reply, AskError> {
        self.calls += 1;
        let text = (self.script)(request, self.calls)?;
        let mut ids: Vec<u32> = text.bytes().map(u32::from).collect();
        match request.stop {
            Stop::AtStopId => ids.push(0),
            Stop::AtLimit => ids.resize(request.max_new_tokens, 1),
        }
        ids.truncate(request.max_new_tokens);
        let mut reply = Reply {
            counts: None,
            prompt: render(request),
            input_ids: vec![7; 40],
            positions: 40,
            image_tokens: 16 * request.images.len(),
            tiles: request.images.len(),
            weights_read: 0,
            margins: vec![1.0; ids.len()],
            first_logits: vec![0.5, ids.first().map_or(0.0, |&id| id as f32)],
            stages: stages(request, ids.len()),
            output_ids: ids,
            text,
        };
        (self.twist)(&mut reply, self.calls);
        std::thread::sleep(Duration::from_micros(300)); // longer outside than the stages say
        Ok(reply)
    }

    fn memory(&self) -> Allocator {
        self.memory
    }

    fn unload(&mut self) -> Result<(), AskError> {
        Ok(())
    }

    fn load(&mut self) -> Result<(), AskError> {
        self.calls = 0;
        Ok(())
    }
}

fn render(request: &Request<'_>) -> String {
    let images = "<image>".repeat(request.images.len());
    request.messages.iter().fold(images, |text, message| {
        format!("{text}{:?}: {}\n", message.role, message.text)
    })
}

fn stages(request: &Request<'_>, ids: usize) -> crate::subject::Stages {
    let us = |n| Duration::from_micros(n);
    let phased = request.pass == Pass::Phased;
    let tokens: Vec<_> = (0..ids as u64).map(|n| us(60 + n)).collect();
    crate::subject::Stages {
        image_prep: us(10),
        vision: (phased && !request.images.is_empty()).then(|| us(30)),
        prefill: phased.then(|| us(50)),
        total: us(61 + ids as u64),
        tokens,
    }
}

/// A picture whose bytes spell a word.
fn draw(word: &str) -> Vec<u8> {
    let mut pixels = word.as_bytes().to_vec();
    pixels.resize(pixels.len().next_multiple_of(3), b' ');
    let (width, mut png) = (pixels.len() / 3, std::io::Cursor::new(Vec::new()));
    let picture = image::RgbImage::from_raw(width as u32, 1, pixels).unwrap();
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// The word in a picture; of a blank one, no word. Higher pictures hold none, and are told apart in as many
/// words.
pub(super) fn shown(picture: &[u8]) -> String {
    let picture = image::load_from_memory(picture).map(image::DynamicImage::into_rgb8);
    match picture.unwrap_or_default() {
        high if high.height() > 1 => {
            let hash = |sum: u32, &value: &u8| sum.wrapping_mul(31).wrapping_add(value.into());
            format!("coloured shapes {:08x}", high.as_raw().iter().fold(7, hash))
        }
        line => String::from_utf8_lossy(&line).trim().to_owned(),
    }
}

/// A fused request with a natural end.
pub(super) fn request<'a>(images: &'a [&'a [u8]], messages: &'a [Message]) -> Request<'a> {
    Request {
        images,
        messages,
        max_new_tokens: 100,
        stop: Stop::AtStopId,
        pass: Pass::Fused,
    }
}

/// Twelve pictures with a question and a scene each, and twenty text items.
pub(super) fn set() -> ProbeSet {
    let words = [
        "red", "blue", "green", "pink", "black", "white", "gray", "brown", "gold", "tan", "cyan",
        "lime",
    ];
    let one = |text: &str| Accepted(vec![text.to_owned()]);
    let vision = words.map(|word| VisionItem {
        id: format!("v-{word}"),
        image: format!("{word}.png"),
        prompt: "what?".to_owned(),
        answer: one(word),
    });
    let turn = |ask: &str, answer: Accepted| Turn {
        ask: ask.to_owned(),
        answer,
    };
    let context = words.map(|word| Scene {
        id: format!("c-{word}"),
        image: format!("{word}.png"),
        facts: vec![turn("color?", one(word))],
        fillers: ["so?", "and?", "then?", "why?", "how?", "when?", "who?"]
            .map(|ask| turn(ask, one("well")))
            .into(),
    });
    let text = (0..20).map(|n| TextItem {
        id: format!("t{n}"),
        prompt: if n % 2 == 0 {
            "capital of France?"
        } else {
            "2 plus 3?"
        }
        .to_owned(),
        messages: Vec::new(),
        answer: one(if n % 2 == 0 { "Paris" } else { "5" }),
    });
    ProbeSet {
        name: "fake".to_owned(),
        describe: "describe".to_owned(),
        pictures: words.map(|word| (format!("{word}.png"), draw(word))).into(),
        vision: vision.into(),
        text: text.collect(),
        context: context.into(),
        digest: String::new(),
    }
}

struct Still;

impl Gauge for Still {
    fn installed(&self) -> Option<u64> {
        Some(1 << 34)
    }

    fn footprint(&self) -> Option<u64> {
        Some(5000)
    }

    fn disk_read(&self) -> Option<u64> {
        Some(0)
    }

    fn mapped(&self) -> Option<u64> {
        Some(700)
    }

    fn bandwidth(&self) -> Option<Bandwidth> {
        Some(Bandwidth::Measured(1e10))
    }
}

/// How a healthy worker comes up.
pub(super) fn birth() -> Birth {
    Birth {
        startup: Duration::from_millis(20),
        load: Duration::from_millis(50),
        residency: Some(1.0),
        disk_read: Some(0),
        base: Some(1000),
        loaded: Some(3000),
        in_use: None,
        slept: false,
    }
}

/// Runs a whole cell in this process: `fresh` makes a new model for every epoch.
pub(super) fn run_cell(
    scenario: &dyn Scenario,
    births: &[Birth],
    fresh: impl FnMut(&Epoch) -> Fake,
) -> Run {
    let epochs = scenario.epochs(Profile::Quick);
    run_epochs((scenario, &epochs), births, fresh)
}

/// The same with epochs of the caller's.
pub(super) fn run_epochs(
    (scenario, epochs): (&dyn Scenario, &[Epoch]),
    births: &[Birth],
    mut fresh: impl FnMut(&Epoch) -> Fake,
) -> Run {
    let mut bench = Bench::new(scenario, &Still);
    for (at, epoch) in epochs.iter().enumerate() {
        bench.birth = births.get(at).copied().unwrap_or_else(birth);
        if !bench.epoch(epoch, &mut fresh(epoch)) {
            break;
        }
    }
    bench.close()
}

/// Runs a whole cell like a campaign: what follows up, and what is found in the end.
pub(super) fn run_campaign(
    (scenario, profile): (&dyn Scenario, Profile),
    gauge: &dyn Gauge,
    mut fresh: impl FnMut(&Epoch) -> Fake,
) -> Run {
    let mut bench = Bench::new(scenario, gauge);
    for epoch in scenario.epochs(profile) {
        if !bench.epoch(&epoch, &mut fresh(&epoch)) {
            return bench.close();
        }
    }
    while let Some(epoch) = scenario.follow_up(profile, &bench.ledger.so_far()) {
        assert!(bench.done < 100, "follow-ups do not end");
        if !bench.epoch(&epoch, &mut fresh(&epoch)) {
            break;
        }
    }
    bench.close()
}

/// One cell under way.
struct Bench<'a> {
    scenario: &'a dyn Scenario,
    gauge: &'a dyn Gauge,
    set: ProbeSet,
    birth: Birth,
    ledger: Ledger,
    done: usize,
    failed: Option<Outcome>,
}

impl<'a> Bench<'a> {
    fn new(scenario: &'a dyn Scenario, gauge: &'a dyn Gauge) -> Self {
        Self {
            scenario,
            gauge,
            set: set(),
            birth: birth(),
            ledger: Ledger::default(),
            done: 0,
            failed: None,
        }
    }

    /// Runs one epoch; whether it went well.
    fn epoch(&mut self, epoch: &Epoch, model: &mut Fake) -> bool {
        let mut lines = Vec::new();
        let references = self.ledger.references.clone();
        let mut probe = Probe {
            set: &self.set,
            epoch,
            birth: self.birth,
            references: &references,
            gauge: self.gauge,
            seed: self.done as u64,
            neighbour: None,
            model_time: Duration::ZERO,
            out: &mut |line: Line| lines.push(line),
        };
        let end = self.scenario.run(model, &mut probe);
        for line in lines {
            let over = matches!(line, Line::Trial { .. });
            self.ledger.take(line);
            if over {
                self.ledger.close_trial(&[]);
            }
        }
        let worthless = |shown: &_| self.scenario.worthless(shown);
        self.ledger.close_epoch(epoch, worthless);
        self.done += 1;
        self.failed = end.err().map(|error| Outcome::Failed {
            stage: store::Stage::Ask,
            message: error.to_string(),
        });
        self.failed.is_none()
    }

    fn close(mut self) -> Run {
        for text in self.scenario.findings(&self.ledger.so_far()) {
            self.ledger.remark(store::RemarkKind::Finding, 0, &text);
        }
        let told = self.ledger.close();
        let run = run_of(
            self.scenario.name(),
            self.failed.unwrap_or(told.outcome),
            told.answers,
        );
        Run {
            remarks: told.remarks,
            ..run
        }
    }
}

/// A run with that outcome.
pub(super) fn run_of(scenario: &str, outcome: Outcome, answers: Vec<store::Answer>) -> Run {
    let text = |text: &str| text.to_owned();
    Run {
        id: Uuid::now_v7(),
        session: Uuid::now_v7(),
        at: chrono::Utc::now(),
        wall_s: 1.0,
        cell: Cell {
            model: text("fake"),
            scenario: text(scenario),
            version: Some(1),
            backend: text("candle"),
            device: text("cpu"),
            precision: text("f32"),
            weights: text("embedded"),
            revision: text("r"),
        },
        argument: None,
        outcome,
        answers,
        remarks: Vec::new(),
    }
}

/// All values of a metric.
pub(super) fn values(run: &Run, metric: Metric) -> Vec<f64> {
    run.sample(metric)
        .iter()
        .flat_map(|sample| sample.values())
        .collect()
}

/// The reasons of the voids.
pub(super) fn reasons(run: &Run) -> Vec<&str> {
    run.voids()
        .iter()
        .map(|void| void.reason.as_str())
        .collect()
}
