//! One worker process: started, fed, listened to with bounds, and ended by its handle.
//!
//! Its output is taken for hostile: it may hang, crash, flood, or speak nonsense.

use std::ffi::OsString;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use store::Stage;

use crate::message::{Line, MAX_LINE, Message, Task, one_line, read_line};

use super::ending::{self, Doing};

/// Most lines of one epoch.
const MAX_LINES: usize = 200_000;

/// Most bytes of one epoch.
const MAX_BYTES: usize = 256 << 20;

/// How much of stderr's end is kept.
const TAIL: usize = 4096;

/// How often a silent worker is checked for life.
const LOOK: Duration = Duration::from_millis(20);

/// How long a worker may take to end once it is done, and its pipes to close once it has ended.
const GRACE: Duration = Duration::from_secs(5);

/// What starts a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Launcher {
    /// This very program, as a worker.
    ///
    /// # Errors
    /// When the system does not tell where it is.
    pub fn own() -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self {
            program,
            args: vec!["worker".into()],
        })
    }
}

/// Why an epoch has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub stage: Stage,
    /// Why, in one line.
    pub message: String,
    /// The call it came at, from 1; none before the model was ready.
    pub call: Option<u32>,
}

impl Failure {
    pub(super) fn new(stage: Stage, message: impl Into<String>) -> Self {
        Self {
            stage,
            message: message.into(),
            call: None,
        }
    }
}

/// A worker that has its task.
pub(super) struct Running {
    worker: Worker,
    doing: Doing,
}

/// Starts a worker.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(launcher: &Launcher, task: &Task) -> Result<Running, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::new(
            Stage::Start,
            format!("{}: cannot start: {error}", launcher.program.display()),
        )
    };
    let text = serde_json::to_string(task).map_err(|error| cannot(&error))?;
    let settings = task.backend.environment(crate::environment::threads());
    let worker = Worker::spawn(launcher, &settings, text).map_err(|error| cannot(&error))?;
    let doing = Doing::Starting;
    Ok(Running { worker, doing })
}

impl Running {
    /// The worker's process.
    pub(super) fn pid(&self) -> u32 {
        self.worker.child.id()
    }

    /// Listens until the worker has said all, and waits for its end.
    ///
    /// # Errors
    /// However the worker failed. It no longer runs then.
    pub(super) fn finish(
        mut self,
        (deadline, timeout): (Instant, Duration),
        take: &mut dyn FnMut(Message),
    ) -> Result<(), Failure> {
        let ended = self.worker.listen(deadline, &mut self.doing, take);
        let doing = self.doing;
        match ended {
            Ended::Failed(failure) => Err(failure),
            Ended::TimedOut => Err(ending::timed_out(timeout, doing)),
            Ended::Done | Ended::Silent => {
                let done = matches!(ended, Ended::Done);
                let status = self.worker.wait(deadline);
                let tail = self.worker.tail();
                match (status, done) {
                    (Some(status), true) if status.success() => Ok(()),
                    (None, true) => Ok(()), // all was said; a slow farewell changes no figure
                    (Some(status), _) => Err(ending::of_status(status, doing, &tail)),
                    (None, false) => Err(ending::timed_out(timeout, doing)),
                }
            }
        }
    }
}

/// How listening ended.
enum Ended {
    /// The worker said that all went well.
    Done,
    /// It said what went wrong, or said what cannot be.
    Failed(Failure),
    /// It closed its mouth.
    Silent,
    /// The time is up.
    TimedOut,
}

/// A running worker; dropped, it is killed.
struct Worker {
    child: Child,
    lines: Receiver<Line>,
    tail: Arc<Mutex<Vec<u8>>>,
    /// Dropped to close the worker's stdin, which a worker takes for the parent's end.
    _hold: Sender<()>,
}

impl Worker {
    fn spawn(
        launcher: &Launcher,
        settings: &[(&str, String)],
        task: String,
    ) -> std::io::Result<Self> {
        let mut command = Command::new(&launcher.program);
        command.args(&launcher.args);
        let unset = |(name, _): &&(&str, String)| std::env::var_os(name).is_none();
        command.envs(settings.iter().filter(unset).cloned());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (hold, held) = mpsc::channel();
        let (said, lines) = mpsc::sync_channel(256);
        let tail = Arc::new(Mutex::new(Vec::new()));
        // Threads of their own, because a broken worker may neither read nor write nor end.
        if let Some(stdin) = child.stdin.take() {
            std::thread::spawn(move || feed(stdin, &task, &held));
        }
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || hear(stdout, &said));
        }
        if let Some(stderr) = child.stderr.take() {
            let tail = Arc::clone(&tail);
            std::thread::spawn(move || keep_tail(stderr, &tail));
        }
        Ok(Self {
            child,
            lines,
            tail,
            _hold: hold,
        })
    }

    fn listen(
        &mut self,
        deadline: Instant,
        doing: &mut Doing,
        take: &mut dyn FnMut(Message),
    ) -> Ended {
        let (mut count, mut bytes) = (0, 0);
        let mut ended_at = None;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ended::TimedOut;
            }
            let line = match self.lines.recv_timeout(left.min(LOOK)) {
                Ok(Line::Text(line)) => line,
                Ok(Line::TooLong) => {
                    let text = format!("said a line longer than {} MiB", MAX_LINE >> 20);
                    return Ended::Failed(Failure::new(Stage::Crash, text));
                }
                Ok(Line::End) | Err(RecvTimeoutError::Disconnected) => return Ended::Silent,
                Err(RecvTimeoutError::Timeout) => {
                    // Its children may hold its stdout open after it has ended.
                    let gone = matches!(self.child.try_wait(), Ok(Some(_)));
                    let since = gone.then(|| *ended_at.get_or_insert_with(Instant::now));
                    if since.is_some_and(|since| since.elapsed() > GRACE) {
                        return Ended::Silent;
                    }
                    continue;
                }
            };
            (count, bytes) = (count + 1, bytes + line.len());
            if count > MAX_LINES || bytes > MAX_BYTES {
                return Ended::Failed(Failure::new(
                    Stage::Crash,
                    "said more than any scenario does",
                ));
            }
            match serde_json::from_slice(&line) {
                Err(_) => return Ended::Failed(ending::nonsense(&line)),
                Ok(Message::Failed { stage, message }) => {
                    return Ended::Failed(Failure::new(stage, one_line(&message)));
                }
                Ok(message) => {
                    let done = matches!(message, Message::Done { .. });
                    doing.after(&message);
                    take(message);
                    if done {
                        return Ended::Done;
                    }
                }
            }
        }
    }

    /// Waits for the end, a little while.
    fn wait(&mut self, deadline: Instant) -> Option<ExitStatus> {
        let until = deadline.min(Instant::now() + GRACE);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn tail(&self) -> String {
        // What stderr's thread has not read yet arrives in a moment, if ever.
        std::thread::sleep(Duration::from_millis(10));
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&tail).into_owned()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Already ended: both do nothing. Only this child is touched, by its handle.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the task and keeps the pipe open until the parent is done with the worker.
fn feed(mut stdin: ChildStdin, task: &str, held: &Receiver<()>) {
    let written = stdin
        .write_all(task.as_bytes())
        .and_then(|()| stdin.write_all(b"\n"));
    if written.and_then(|()| stdin.flush()).is_ok() {
        let _ = held.recv();
    }
}

fn hear(stdout: impl Read, said: &SyncSender<Line>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let line = read_line(&mut reader, MAX_LINE).unwrap_or(Line::End);
        let last = !matches!(line, Line::Text(_));
        if said.send(line).is_err() || last {
            return;
        }
    }
}

fn keep_tail(mut stderr: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut buffer = [0; TAIL];
    while let Ok(length @ 1..) = stderr.read(&mut buffer) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&buffer[..length]);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }
}
