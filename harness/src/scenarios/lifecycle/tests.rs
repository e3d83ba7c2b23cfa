//! Known faults of loading and dropping must yield the known verdicts.

use std::cell::Cell;
use std::rc::Rc;

use store::summary::{Verdict, rows};

use super::*;
use crate::message::Message as Line;
use crate::parent::Ledger;
use crate::scenarios::Gauge;
use crate::scenarios::fake::{Fake, birth, reasons, run_of, set, values};
use crate::scenarios::probe::Other;
use crate::subject::{Allocator, Loaded, Reply, Request};

const MIB: u64 = 1 << 20;

/// What the process takes before a model is loaded, and what each model takes.
const BASE: u64 = 10 * MIB;
const MODEL: u64 = 200 * MIB;

/// What the machine can still give.
const FREE: u64 = 1000 * MIB;

/// The memory of a process, and how many times as long as at first a request takes in it.
#[derive(Clone)]
struct Process {
    memory: Rc<Cell<u64>>,
    slowness: Rc<Cell<u32>>,
}

impl Gauge for Process {
    fn footprint(&self) -> Option<u64> {
        Some(self.memory.get())
    }

    fn disk_read(&self) -> Option<u64> {
        Some(0)
    }

    fn available(&self) -> Option<u64> {
        Some(FREE)
    }
}

/// What a model does to its process.
#[derive(Clone, Copy)]
struct Manners {
    /// Bytes that each unloading leaves.
    kept: u64,
    /// Slowness while it is loaded, and afterwards.
    slowness: [u32; 2],
}

const GOOD: Manners = Manners {
    kept: 0,
    slowness: [1, 1],
};

struct Model {
    fake: Fake,
    process: Process,
    manners: Manners,
}

impl Model {
    fn new(process: &Process, manners: Manners) -> Self {
        let slowness = process.slowness.clone();
        let slow = move |reply: &mut Reply, _| reply.stages.total *= slowness.get();
        let mut model = Self {
            fake: Fake::seeing().twisted(slow),
            process: process.clone(),
            manners,
        };
        model.load().unwrap();
        model
    }
}

impl Subject for Model {
    fn loaded(&self) -> &Loaded {
        self.fake.loaded()
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<Reply, AskError> {
        self.fake.ask(request)
    }

    fn memory(&self) -> Allocator {
        Allocator::default()
    }

    fn unload(&mut self) -> Result<(), AskError> {
        let Process { memory, slowness } = &self.process;
        memory.set(memory.get() - MODEL + self.manners.kept);
        slowness.set(self.manners.slowness[1]);
        Ok(())
    }

    fn load(&mut self) -> Result<(), AskError> {
        let Process { memory, slowness } = &self.process;
        memory.set(memory.get() + MODEL);
        slowness.set(self.manners.slowness[0]);
        Ok(())
    }
}

/// Runs epochs with a model, and with another one of so many bytes of weights where there is one.
fn run(
    epochs: &[Epoch],
    [model, other]: [Option<Manners>; 2],
    weight_bytes: u64,
) -> (store::Run, Verdict) {
    let (set, mut ledger) = (set(), Ledger::default());
    for (seed, epoch) in (0..).zip(epochs) {
        let process = Process {
            memory: Rc::new(Cell::new(BASE)),
            slowness: Rc::new(Cell::new(1)),
        };
        let mut subject = Model::new(&process, model.unwrap());
        let load = || -> Result<Box<dyn Subject>, AskError> {
            Ok(Box::new(Model::new(&process, other.unwrap())))
        };
        let broken = || -> Result<Box<dyn Subject>, AskError> { Err("weights: none".into()) };
        let neighbour: &dyn Fn() -> _ = if other.is_some() { &load } else { &broken };
        let mut lines = Vec::new();
        let mut probe = Probe {
            set: &set,
            epoch,
            birth: crate::scenarios::Birth {
                base: Some(BASE),
                ..birth()
            },
            references: &[],
            gauge: &process,
            seed,
            neighbour: Some(Other {
                weight_bytes,
                load: neighbour,
            }),
            model_time: Duration::ZERO,
            out: &mut |line: Line| lines.push(line),
        };
        Lifecycle.run(&mut subject, &mut probe).unwrap();
        for line in lines {
            if matches!(line, Line::Trial { .. }) {
                ledger.close_trial(&[]);
            }
            ledger.take(line);
        }
        ledger.close_epoch(epoch, |_| None);
    }
    let told = ledger.close();
    let run = store::Run {
        remarks: told.remarks,
        ..run_of("lifecycle", told.outcome, Vec::new())
    };
    let verdict = rows(std::slice::from_ref(&run))[0].lifecycle.clone();
    (run, verdict)
}

fn cycles(manners: Manners) -> (store::Run, Verdict) {
    run(&Lifecycle.epochs(Profile::Quick), [Some(manners), None], 0)
}

fn beside(other: Option<Manners>) -> (store::Run, Verdict) {
    let epochs = Lifecycle.epochs(Profile::Standard);
    run(&epochs, [Some(GOOD), other], MODEL)
}

#[test]
fn a_model_that_gives_all_back_releases() {
    let (run, verdict) = cycles(GOOD);
    assert_eq!(verdict.label, "RELEASES", "{}", verdict.detail);
    assert_eq!(values(&run, Metric::AfterUnload), [BASE as f64; 5]);
    assert_eq!(values(&run, Metric::CallMemory), [(BASE + MODEL) as f64; 5]);
    assert_eq!(reasons(&run), Vec::<&str>::new());
    let detail = verdict.detail;
    assert!(
        detail
            .starts_with("0.00 MiB of 200 MiB left, 0.00 MiB a cycle [0.00 MiB, 0.00 MiB] (n=5/1)"),
        "{detail}"
    );
}

#[test]
fn what_grows_with_every_cycle_leaks() {
    let (run, verdict) = cycles(Manners { kept: MIB, ..GOOD });
    assert_eq!(
        values(&run, Metric::AfterUnload)[4],
        (BASE + 5 * MIB) as f64
    );
    assert_eq!(verdict.label, "LEAKS", "{}", verdict.detail);
    assert!(
        verdict.detail.contains("1.00 MiB a cycle"),
        "{}",
        verdict.detail
    );
}

#[test]
fn an_unloading_that_frees_nothing_leaks_all_of_it() {
    let (_, verdict) = cycles(Manners {
        kept: MODEL,
        ..GOOD
    });
    assert_eq!(verdict.label, "LEAKS");
    assert!(
        verdict.detail.contains("200 MiB a cycle"),
        "{}",
        verdict.detail
    );
}

#[test]
fn a_second_model_that_changes_nothing_is_said_to() {
    let (run, verdict) = beside(Some(GOOD));
    assert_eq!(verdict.label, "RELEASES", "{}", verdict.detail);
    for metric in [
        Metric::Inference,
        Metric::BesideInference,
        Metric::AfterInference,
    ] {
        assert_eq!(values(&run, metric).len(), 15, "{metric}");
    }
    assert_eq!(values(&run, Metric::NeighbourResidue), [0.0; 3]);
    let wanted = "beside another model x1.00 [1.00, 1.00], after it x1.00 [1.00, 1.00] (n=3)";
    assert!(verdict.detail.contains(wanted), "{}", verdict.detail);
}

#[test]
fn a_second_model_that_slows_the_first_is_seen() {
    let check = |slowness, wanted: &str| {
        let (run, verdict) = beside(Some(Manners {
            kept: 3 * MIB,
            slowness,
        }));
        assert_eq!(verdict.label, "AFFECTED", "{}", verdict.detail);
        assert!(verdict.detail.contains(wanted), "{}", verdict.detail);
        assert_eq!(
            values(&run, Metric::NeighbourResidue),
            [3.0 * MIB as f64; 3]
        );
    };
    check(
        [2, 1],
        "beside another model x2.00 [2.00, 2.00], after it x1.00",
    );
    check(
        [1, 2],
        "beside another model x1.00 [1.00, 1.00], after it x2.00",
    );
}

#[test]
fn a_second_model_is_not_loaded_where_there_is_no_room() {
    let epochs = Lifecycle.epochs(Profile::Standard);
    let beside = |weights| run(&epochs, [Some(GOOD), Some(GOOD)], weights).0;
    let asked = |run: &store::Run| values(run, Metric::BesideInference).len();
    // 1.3 times as much must be there.
    assert_eq!(asked(&beside(769 * MIB)), 15);
    let refused = beside(770 * MIB);
    assert_eq!(asked(&refused), 0);
    let text = &refused.remarks[0].text;
    assert_eq!(
        text,
        "no room for a second model: it needs 1001 MiB, 1000 MiB are available"
    );
}

#[test]
fn a_second_model_that_does_not_load_voids_its_own_figures_alone() {
    let (run, verdict) = beside(None);
    assert_eq!(verdict.label, "RELEASES");
    assert_eq!(values(&run, Metric::Inference).len(), 15);
    assert_eq!(reasons(&run), ["other model: weights: none"; 2]);
}
