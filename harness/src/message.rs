//! What parent and worker say to each other: one [`Task`] down, one [`Message`] a line up.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use store::{Answer, Metric, Stage, Void};

use crate::models::{Backend, Device, Precision};
use crate::served::Server;
use crate::subject::Loaded;

/// Longest line either side accepts, in bytes: the first-step logits of the largest vocabulary
/// known (256,000 ids) fit several times.
pub const MAX_LINE: usize = 16 << 20;

/// What the page cache must hold of the weights when a worker starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// Whatever it holds.
    AsIs,
    /// Nothing.
    Cold,
    /// All.
    Warm,
}

/// One fresh process of a cell: what it does and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Which part of the scenario, e.g. `cold`; empty where there is one part only.
    pub arm: String,
    /// Timed repeats, at most.
    pub trials: u32,
    /// Timed repeats before the epoch may end early because its figures are narrow enough.
    pub least: u32,
    /// Timed work, in seconds, before the epoch may end early.
    pub least_s: u32,
    /// Timed work, in seconds, after which no new repeat starts.
    pub most_s: u32,
    /// State of the page cache before the start.
    pub cache: Cache,
    /// Whether energy is measured at the end, where something counts it.
    #[serde(default)]
    pub metered: bool,
}

impl Epoch {
    /// An epoch of a fixed number of repeats that takes the page cache as it is.
    #[must_use]
    pub fn new(arm: &str, trials: u32) -> Self {
        Self {
            arm: arm.to_owned(),
            trials,
            least: trials,
            least_s: 0,
            most_s: 60,
            cache: Cache::AsIs,
            metered: false,
        }
    }
}

/// What a fresh process answered first, kept to compare later calls with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Which input.
    pub input: String,
    /// Generated ids.
    pub ids: Vec<u32>,
    /// First-step logits as bits of `f32`: JSON's decimals would be read through `f64`.
    pub logits: Vec<u32>,
    /// Bits of the distance of first and second logit at each step.
    pub margins: Vec<u32>,
}

/// A sequence of calls made in one fresh process, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Inputs in order, by name.
    pub calls: Vec<String>,
    /// Whether the last call failed: raised, or answered otherwise than a fresh process.
    pub fails: bool,
}

/// Another model of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its folder.
    pub dir: PathBuf,
    /// Bytes of its weight files.
    pub weight_bytes: u64,
}

/// Begins what a worker says whose scenario is of another version than the one it is asked for: an `ab`
/// of two builds must not compare what is not the same.
pub const OTHER_VERSION: &str = "other version of the scenario";

/// What one worker is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Scenario name.
    pub scenario: String,
    /// Version of the scenario.
    #[serde(default)]
    pub version: u32,
    /// Which epoch of it.
    pub epoch: Epoch,
    /// Folder of the model.
    pub model: PathBuf,
    /// Tensor library.
    pub backend: Backend,
    /// Where it computes.
    pub device: Device,
    /// In what type.
    pub precision: Precision,
    /// Folder of the probe set.
    pub probes: PathBuf,
    /// What this epoch's random choices grow from: the same in every session of a plan.
    pub seed: u64,
    /// Another model of the plan, to be loaded beside this one; none where there is none.
    pub neighbour: Option<Neighbour>,
    /// Share of the weight files' pages in memory just before the start, where it was proved.
    pub residency: Option<f64>,
    /// `t_spawn` on [`crate::measure::now_ns`]'s axis, which all processes of one boot share.
    pub spawned_ns: u64,
    /// What earlier epochs of the cell said.
    pub references: Vec<Reference>,
    /// The server to ask instead of loading a model, and its processes on this machine.
    #[serde(default)]
    pub server: Option<(Server, Vec<u32>)>,
}

/// One line of a worker's stdout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The task was read.
    Started,
    /// The model is ready.
    Loaded(Loaded),
    /// So many of so many trials are done.
    Trial {
        /// Done.
        done: u32,
        /// Planned.
        of: u32,
    },
    /// One valid value.
    Sample {
        /// Of what.
        metric: Metric,
        /// In the metric's unit.
        value: f64,
    },
    /// One refused value.
    Void(Void),
    /// What the model said.
    Answer(Answer),
    /// For the next epochs of the cell.
    Reference(Reference),
    /// Whether a sequence of calls fails in a fresh process, for the search of the shortest one.
    Replay(Replay),
    /// Something found out, to be read beside the figures.
    Finding {
        /// In one line.
        text: String,
    },
    /// Something that makes figures of this epoch less certain; they are kept.
    Advisory {
        /// In one line, the same words each time, so that equal ones are counted.
        text: String,
    },
    /// All went well. Nothing follows.
    Done {
        /// The worker's own highest footprint at its measuring points, in bytes.
        footprint: Option<u64>,
        /// Time inside the model: starting, loading, answering, unloading, and rests that a scenario
        /// wants.
        model_ns: u64,
    },
    /// It did not. Nothing follows.
    Failed {
        /// Where.
        stage: Stage,
        /// Why, in one line.
        message: String,
    },
}

/// A line read from a peer that may be broken or hostile.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Complete, without its line feed.
    Text(Vec<u8>),
    /// Longer than the limit; the rest of it is still unread.
    TooLong,
    /// The peer closed its end.
    End,
}

/// Reads one line of at most `limit` bytes. Never holds more than that.
///
/// # Errors
/// When the pipe breaks.
pub fn read_line(from: &mut impl BufRead, limit: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.by_ref().take(most).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Text(line));
    }
    Ok(match line.len() {
        0 => Line::End,
        length if length > limit => Line::TooLong,
        _ => Line::Text(line),
    })
}

/// The first line of a text that may hold many or be very long, fit for a message.
#[must_use]
pub fn one_line(text: &str) -> String {
    const MOST: usize = 400;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or_default();
    let clean = line.chars().filter(|c| !c.is_control());
    let mut short: String = clean.clone().take(MOST).collect();
    if clean.count() > MOST {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded() {
        let mut input: &[u8] = b"one\n\nthis is long\nend";
        let check =
            |input: &mut &[u8], expected| assert_eq!(read_line(input, 4).unwrap(), expected);
        check(&mut input, Line::Text(b"one".to_vec()));
        check(&mut input, Line::Text(Vec::new()));
        check(&mut input, Line::TooLong);
        let mut rest: &[u8] = b"end";
        check(&mut rest, Line::Text(b"end".to_vec()));
        check(&mut rest, Line::End);
    }

    #[test]
    fn messages_survive_the_pipe() {
        let message = Message::Sample {
            metric: Metric::Inference,
            value: 0.1,
        };
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(
            text,
            r#"{"type":"sample","metric":"inference","value":0.1}"#
        );
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
        assert!(serde_json::from_str::<Message>(&text.replace("0.1", "1e999")).is_err());
    }

    #[test]
    fn long_texts_become_one_line() {
        assert_eq!(one_line("\n  first\u{1b}[31m\nsecond"), "first[31m");
        assert_eq!(one_line(&"x".repeat(1000)).chars().count(), 401);
    }
}
