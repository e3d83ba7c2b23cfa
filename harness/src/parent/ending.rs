//! How a worker's end reads in one line.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use store::Stage;

use crate::message::{Message, one_line};

use super::Failure;

/// What a worker was about, as far as it told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing was heard yet.
    Starting,
    /// The task was read.
    Loading,
    /// The model was ready.
    Answering,
    /// All was said.
    Ending,
}

impl Doing {
    pub(super) fn after(&mut self, message: &Message) {
        *self = match message {
            Message::Started => Self::Loading,
            Message::Loaded(_) => Self::Answering,
            Message::Done { .. } => Self::Ending,
            _ => *self,
        };
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Starting => "before it said anything",
            Self::Loading => "while loading",
            Self::Answering => "while answering",
            Self::Ending => "after its last figure",
        }
    }
}

/// The time limit struck.
pub(super) fn timed_out(limit: Duration, doing: Doing) -> Failure {
    let limit = crate::cli::duration::format(limit);
    Failure::new(Stage::Timeout, format!("ended by the time limit of {limit} {}: raise it with --timeout", doing.words()))
}

/// The process ended by itself or by a signal.
pub(super) fn of_status(status: ExitStatus, doing: Doing, stderr: &str) -> Failure {
    let stage = if doing == Doing::Starting { Stage::Start } else { Stage::Crash };
    let how = match (status.signal(), status.code()) {
        (Some(libc::SIGKILL), _) => "killed (out of memory?)".to_owned(),
        (Some(signal), _) => format!("ended by {}", signal_name(signal)),
        (None, Some(0)) => "ended without a result".to_owned(),
        (None, code) => format!("ended with exit code {}", code.unwrap_or(-1)),
    };
    let last = stderr.lines().rev().map(str::trim).find(|line| !line.is_empty() && !is_hint(line));
    let said = last.map(|line| format!(": {}", one_line(line))).unwrap_or_default();
    Failure::new(stage, format!("worker {how} {}{said}", doing.words()))
}

/// What Rust prints below a panic's message.
fn is_hint(line: &str) -> bool {
    line.starts_with("note: ")
}

/// A line that is no message.
pub(super) fn nonsense(line: &[u8]) -> Failure {
    let text = one_line(&String::from_utf8_lossy(&line[..line.len().min(400)]));
    let short: String = text.chars().take(60).collect();
    Failure::new(Stage::Crash, format!("worker said what is no message: {short:?}"))
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGABRT => "SIGABRT (abort)",
        libc::SIGBUS => "SIGBUS (a mapped file shrank, or bad memory)",
        libc::SIGFPE => "SIGFPE (arithmetic)",
        libc::SIGILL => "SIGILL (an instruction this processor does not have)",
        libc::SIGINT => "SIGINT (interrupted)",
        libc::SIGSEGV => "SIGSEGV (bad memory access)",
        libc::SIGTERM => "SIGTERM (asked to end)",
        libc::SIGXCPU => "SIGXCPU (processor time limit)",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}
