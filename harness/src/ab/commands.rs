//! `harness duet`: two shell commands in turn on this machine, judged like two builds.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use store::Metric;
use store::gate::pairs::{Next, Pair, STEP, Series, judge, next};

use super::Ending;
use crate::parent::cool_down;

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

/// Which of the two.
const NAMES: [&str; 2] = ["base", "head"];

/// Measures pairs until they decide or enough was tried, and prints the judgement.
///
/// The exit code is that of the judgement.
///
/// # Errors
/// When a command cannot be started, fails, or prints no time where it should.
pub fn run(options: &DuetOptions, out: &mut dyn Write) -> Result<ExitCode> {
    let compared = compare(options, out);
    options.ending.told(compared, out)
}

fn compare(options: &DuetOptions, out: &mut dyn Write) -> Result<ExitCode> {
    let waivers = options.ending.waivers()?;
    let series = [measure(options, &mut std::io::stderr())?];
    let mut judgement = judge(&series);
    let [base, head] = &options.commands;
    judgement.base.clone_from(base);
    judgement.head.clone_from(head);
    options
        .ending
        .close(&waivers, (series.into(), judgement), out)
}

/// Every pair; a first run of each side counts for nothing.
fn measure(options: &DuetOptions, told: &mut dyn Write) -> Result<Series> {
    for side in 0..NAMES.len() {
        time(options, side)?;
    }
    let mut series = Series {
        cell: options.name.clone(),
        metric: Metric::Inference,
        sessions: vec![Vec::new()],
    };
    take(options, &mut series, (STEP, "pair"), told)?;
    loop {
        match next(&series) {
            Next::More => take(options, &mut series, (STEP, "pair"), told)?,
            Next::Confirm => {
                let pairs = series.sessions[0].len();
                series.sessions.push(Vec::new());
                take(options, &mut series, (pairs, "confirming pair"), told)?;
            }
            Next::Enough => return Ok(series),
        }
    }
}

/// So many pairs more in the last session.
fn take(
    options: &DuetOptions,
    series: &mut Series,
    (pairs, what): (usize, &str),
    told: &mut dyn Write,
) -> Result<()> {
    for pair in 1..=pairs {
        // A display that cannot be written must not end the measurement.
        let _ = writeln!(told, "{what} {pair} of {pairs}");
        let _ = cool_down();
        let taken: usize = series.sessions.iter().map(Vec::len).sum();
        // Each side is first in every second pair; the second session begins with the other side.
        let first = (taken + series.sessions.len() + 1) % 2;
        let mut seconds = [0.0; 2];
        for side in [first, 1 - first] {
            seconds[side] = time(options, side)?;
        }
        let [base, head] = seconds;
        if let Some(session) = series.sessions.last_mut() {
            session.push(Pair { base, head });
        }
    }
    Ok(())
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
