//! `harness duet`: two shell commands in turn on this machine, judged like two builds.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use store::Metric;
use store::gate::Judgement;
use store::gate::pairs::{Pair, Series, judge};

use super::turns::{Contest, Turn, add, play};
use super::{Ending, NAMES};

/// What `harness duet` was asked for.
#[derive(Clone)]
pub struct DuetOptions {
    /// Base and head, for a shell.
    pub commands: [String; 2],
    /// What the comparison is called.
    pub name: String,
    /// Where times come from.
    pub clock: Clock,
    /// What becomes of the pairs.
    pub ending: Ending,
}

/// Where times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// How long a command runs.
    Wall,
    /// The seconds in the last line that it prints.
    Reported,
}

/// Measures pairs until they decide or enough was tried, and prints the judgement.
///
/// The exit code is that of the judgement.
///
/// # Errors
/// When a command cannot be started, fails, or prints no time where it should.
pub fn run(options: &DuetOptions, out: &mut dyn Write) -> Result<ExitCode> {
    options.ending.close(|| compare(options), out)
}

fn compare(options: &DuetOptions) -> Result<(Vec<Series>, Judgement)> {
    let series = vec![measure(options, &mut std::io::stderr())?];
    let [base, head] = &options.commands;
    let judgement = Judgement {
        base: base.clone(),
        head: head.clone(),
        ..judge(&series)
    };
    Ok((series, judgement))
}

/// Every pair; a first run of each side counts for nothing.
fn measure(options: &DuetOptions, told: &mut dyn Write) -> Result<Series> {
    for side in 0..NAMES.len() {
        time(options, side)?;
    }
    let mut duet = Duet {
        options,
        sessions: Vec::new(),
    };
    play(std::slice::from_mut(&mut duet), told)?;
    Ok(duet.timed())
}

/// Two commands under way.
struct Duet<'a> {
    options: &'a DuetOptions,
    sessions: Vec<Vec<Pair>>,
}

impl Duet<'_> {
    fn timed(&self) -> Series {
        Series {
            cell: self.options.name.clone(),
            metric: Metric::Inference,
            sessions: self.sessions.clone(),
        }
    }
}

impl Contest for Duet<'_> {
    fn take_pair(&mut self, turn: Turn) -> Result<()> {
        let mut seconds = [0.0; 2];
        for side in turn.order() {
            seconds[side] = time(self.options, side)?;
        }
        let [base, head] = seconds;
        add(&mut self.sessions, turn, Pair { base, head });
        Ok(())
    }

    fn series(&self) -> Vec<Series> {
        vec![self.timed()]
    }

    fn has_failed(&self) -> bool {
        false
    }
}

/// One run of a side, in seconds.
fn time(options: &DuetOptions, side: usize) -> Result<f64> {
    let (name, command) = (NAMES[side], &options.commands[side]);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(Stdio::null());
    if options.clock == Clock::Wall {
        shell.stdout(Stdio::null());
    }
    let started = Instant::now();
    let done = shell.stderr(Stdio::inherit()).output();
    let ran = started.elapsed();
    let done = done.with_context(|| format!("--{name}: cannot start a shell"))?;
    if !done.status.success() {
        bail!("--{name} {command}: failed: {}", done.status);
    }
    match options.clock {
        Clock::Wall => Ok(ran.as_secs_f64()),
        Clock::Reported => {
            reported(&done.stdout).with_context(|| format!("--{name} {command}: no time"))
        }
    }
}

/// The seconds in the last line.
fn reported(output: &[u8]) -> Result<f64> {
    let text = String::from_utf8_lossy(output);
    let line = text.trim_end().lines().next_back().unwrap_or_default();
    let seconds = line.trim().parse().ok();
    let seconds = seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
    seconds.with_context(|| format!("its last line is no number of seconds above zero: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn options(clock: Clock, base: &str, head: &str) -> DuetOptions {
        DuetOptions {
            commands: [base.to_owned(), head.to_owned()],
            name: "bench".to_owned(),
            clock,
            ending: Ending {
                pairs: None,
                waivers: None,
                format: Format::Text,
            },
        }
    }

    fn duet(base: &str, head: &str) -> Result<(Series, Vec<u8>, ExitCode)> {
        let options = options(Clock::Reported, base, head);
        let series = measure(&options, &mut Vec::new())?;
        let mut out = Vec::new();
        let code = run(&options, &mut out)?;
        Ok((series, out, code))
    }

    #[test]
    fn a_slower_command_is_confirmed_before_it_is_called_so() {
        let (series, out, code) = duet("echo log; echo 1.0", "echo 1.1").unwrap();
        assert_eq!(
            series.sessions.iter().map(Vec::len).collect::<Vec<_>>(),
            [10, 10]
        );
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("REGRESSED: 1 regressed"), "{text}");
        assert_eq!(code, ExitCode::from(1));
        let (series, _, code) = duet("echo 1.0", "echo 1.0").unwrap();
        assert_eq!((series.sessions.len(), code), (1, ExitCode::SUCCESS));
    }

    #[test]
    fn what_tells_no_time_is_an_error() {
        let check = |head: &str, expected: &str| {
            let error = format!("{:#}", duet("echo 1", head).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        check("exit 3", "--head exit 3: failed: exit status: 3");
        check(
            "echo soon",
            "last line is no number of seconds above zero: \"soon\"",
        );
        check("echo -1", "\"-1\"");
        check("true", "\"\"");
    }

    #[test]
    fn the_wall_clock_times_what_prints_nothing() {
        let options = options(Clock::Wall, "true", "true");
        assert!(time(&options, 0).unwrap() > 0.0);
    }
}
