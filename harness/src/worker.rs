//! The side that loads a model: reads one task, runs one epoch of one scenario, says what it saw.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use store::Stage;

use crate::measure::qos::{self, Side};
use crate::measure::{Clock, now_ns};
use crate::message::{Line, MAX_LINE, Message, OTHER_VERSION, Task, one_line, read_line};
use crate::models::{self, Place};
use crate::probes::ProbeSet;
use crate::scenarios::probe::{Other, OwnProcess, ServerProcesses};
use crate::scenarios::{self, Birth, Gauge, Probe, Scenario};
use crate::served::Remote;
use crate::subject::Subject;

/// Exit code where the parent is gone: there is nobody left to tell.
const ORPHANED: i32 = 3;

/// Reads the task from stdin, runs it, and writes messages to stdout.
#[must_use]
pub fn run() -> ExitCode {
    qos::settle(Side::Worker);
    let mut stdin = io::stdin().lock();
    let task = match read_task(&mut stdin) {
        Ok(task) => task,
        Err(message) => {
            say(&Message::Failed {
                stage: Stage::Start,
                message,
            });
            return ExitCode::FAILURE;
        }
    };
    drop(stdin);
    end_with_parent();
    say(&Message::Started);
    match work(&task) {
        Ok((footprint, model_time)) => {
            let model_ns = u64::try_from(model_time.as_nanos()).unwrap_or(u64::MAX);
            say(&Message::Done {
                footprint,
                model_ns,
            });
            ExitCode::SUCCESS
        }
        Err((stage, message)) => {
            say(&Message::Failed {
                stage,
                message: one_line(&message),
            });
            ExitCode::FAILURE
        }
    }
}

fn read_task(stdin: &mut impl BufRead) -> Result<Task, String> {
    match read_line(stdin, 4 * MAX_LINE) {
        Ok(Line::Text(line)) => serde_json::from_slice(&line)
            .map_err(|error| format!("task: {error}: `harness run` starts workers itself")),
        Ok(Line::TooLong) => Err("task: too long".to_owned()),
        Ok(Line::End) => Err("task: none on stdin: `harness run` starts workers itself".to_owned()),
        Err(error) => Err(format!("task: {error}")),
    }
}

/// The parent holds stdin open and never writes again, so that its end is the parent's end.
fn end_with_parent() {
    std::thread::spawn(|| {
        let mut rest = [0; 64];
        let mut stdin = io::stdin().lock();
        while matches!(stdin.read(&mut rest), Ok(1..)) {}
        std::process::exit(ORPHANED);
    });
}

/// Says a message. A value waits for the next message of another kind, at the latest that of the trial's
/// end: a call to the system for every token would be most of what measuring costs.
fn say(message: &Message) {
    /// Bytes that may wait.
    const MOST: usize = 64 << 10;
    static WAITING: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let mut lines = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut said = serde_json::to_writer(&mut *lines, message).map_err(io::Error::from);
    lines.push(b'\n');
    if !matches!(message, Message::Sample { .. }) || lines.len() > MOST {
        let mut stdout = io::stdout().lock();
        said = said.and_then(|()| stdout.write_all(&lines));
        said = said.and_then(|()| stdout.flush());
        lines.clear();
    }
    if said.is_err() {
        std::process::exit(ORPHANED);
    }
}

/// The scenario that is asked for, where this program's is the same.
fn scenario(task: &Task) -> Result<&'static dyn Scenario, String> {
    let scenario = scenarios::find(&task.scenario)?;
    let (asked, own) = (task.version, scenario.version());
    match asked == own {
        true => Ok(scenario),
        false => Err(format!(
            "{OTHER_VERSION}: {asked} of {} was asked for, this program has {own}",
            task.scenario
        )),
    }
}

/// One epoch; the footprint at its end, in bytes, and the time inside the model.
fn work(task: &Task) -> Result<(Option<u64>, Duration), (Stage, String)> {
    let scenario = scenario(task).map_err(|error| (Stage::Start, error))?;
    if let Some((server, processes)) = &task.server {
        let subject = Box::new(Remote::new(server));
        let gauge = ServerProcesses(processes.clone());
        return sit(task, scenario, subject, (&gauge, Birth::default()));
    }
    let (backend, device) = (task.backend, task.device);
    let place = Place { backend, device };
    models::ready(place).map_err(|error| (Stage::Start, error.to_string()))?;
    let ready = now_ns();
    let gauge = OwnProcess { place };
    let (base, read_before) = (gauge.held(), gauge.disk_read());
    let in_use = models::memory(place).ok().and_then(|memory| memory.active);
    let clock = Clock::start();
    let subject = models::load(&task.model, backend, device, task.precision)
        .map_err(|error| (Stage::Load, error.to_string()))?;
    let (load, slept) = (clock.elapsed(), clock.slept());
    let read = gauge
        .disk_read()
        .zip(read_before)
        .map(|(after, before)| after.saturating_sub(before));
    let birth = Birth {
        startup: Duration::from_nanos(ready.saturating_sub(task.spawned_ns)),
        load,
        residency: task.residency,
        disk_read: read,
        base,
        loaded: gauge.held(),
        in_use,
        slept,
    };
    sit(task, scenario, subject, (&gauge, birth))
}

/// Runs the scenario with what is ready for it, and unloads that.
fn sit(
    task: &Task,
    scenario: &dyn Scenario,
    mut subject: Box<dyn Subject>,
    (gauge, birth): (&dyn Gauge, Birth),
) -> Result<(Option<u64>, Duration), (Stage, String)> {
    let (backend, device) = (task.backend, task.device);
    say(&Message::Loaded(subject.loaded().clone()));
    let set = ProbeSet::load(&task.probes).map_err(|error| (Stage::Ask, format!("{error:#}")))?;
    let load_other = task.neighbour.as_ref().map(|other| {
        let precision = task.precision;
        move || Ok(models::load(&other.dir, backend, device, precision)?)
    });
    let weights = task.neighbour.as_ref().map(|other| other.weight_bytes);
    let other = weights.zip(load_other.as_ref());
    let mut probe = Probe {
        set: &set,
        epoch: &task.epoch,
        birth,
        references: &task.references,
        seed: task.seed,
        neighbour: other.map(|(weight_bytes, load)| Other { weight_bytes, load }),
        model_time: birth.startup + birth.load,
        gauge,
        out: &mut |message| say(&message),
    };
    let ended = scenario.run(subject.as_mut(), &mut probe);
    let model_time = probe.model_time;
    for text in subject.notes().to_vec() {
        say(&Message::Finding { text });
    }
    ended.map_err(|error| (Stage::Ask, error.to_string()))?;
    let footprint = gauge.footprint();
    let unloading = Clock::start();
    drop(subject);
    Ok((footprint, model_time + unloading.elapsed()))
}
