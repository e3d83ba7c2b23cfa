//! How often the gate is wrong, and what it finds, on a simulated hosted runner; beside the rules that
//! other tools use, on the same machine. Fixed seeds: the same table every time.
//!
//! `cargo bench --package store --bench gate`, some seconds. `FULL=1` before it takes ten times the trials.
#![expect(clippy::print_stdout, reason = "a table is what this program is for")]

mod machine;
mod rivals;

use store::Metric;
use store::gate::Verdict;
use store::gate::pairs::{Next, Pair, STEP, Series, judge, next};
use store::stats::Rng;

use machine::Machine;

/// True changes of the head; the first column is the rate of false alarms.
const SLOWDOWNS: [f64; 4] = [0.0, 0.05, 0.10, 0.20];

/// Pairs, or measurements of each side.
const SIZES: [usize; 6] = [5, 7, 10, 15, 20, 30];

/// A rule: whether `n` measurements a side of a head slower by so much are called worse.
type Rule = fn(u64, usize, f64) -> bool;

const RULES: [(&str, Rule); 4] = [
    ("blocked, mean ratio > 1.10", rivals::mean_ratio),
    (
        "blocked, Mann-Whitney p < .05 (benchstat)",
        rivals::mann_whitney,
    ),
    ("pairs, one session", |seed, n, slowdown| {
        red(vec![session(2 * seed, n, slowdown)])
    }),
    (
        "pairs, confirmed by a second session",
        |seed, n, slowdown| {
            let sessions = [0, 1].map(|number| session(2 * seed + number, n, slowdown));
            red(sessions.to_vec())
        },
    ),
];

fn main() {
    let trials = match std::env::var_os("FULL") {
        Some(_) => 20_000,
        None => 2000,
    };
    println!(
        "share called worse; true slowdown 0 %, 5 %, 10 %, 20 %; {trials} trials for 0 %, {} for others",
        trials / 4
    );
    println!(
        "{:<44} {:>5} {:>8} {:>6} {:>6} {:>6}",
        "rule", "n", "0 %", "5 %", "10 %", "20 %"
    );
    for (name, rule) in RULES {
        for n in SIZES {
            let shares =
                SLOWDOWNS.map(|slowdown| share(trials, slowdown, |seed| rule(seed, n, slowdown)));
            print(name, &n.to_string(), shares);
        }
    }
    let shares =
        SLOWDOWNS.map(|slowdown| share(trials, slowdown, |seed| adaptive(seed, slowdown).0));
    print("pairs, as `harness ab` takes them", "10-30", shares);
    for slowdown in SLOWDOWNS {
        let pairs: usize = (0..500).map(|seed| adaptive(seed, slowdown).1).sum();
        println!(
            "  at {:.0} %: {:.1} pairs on average, confirming session included",
            slowdown * 100.0,
            pairs as f64 / 500.0
        );
    }
}

fn share(trials: u64, slowdown: f64, red: impl Fn(u64) -> bool) -> f64 {
    let trials = if slowdown == 0.0 { trials } else { trials / 4 };
    let reds = (0..trials).filter(|&seed| red(seed)).count();
    reds as f64 / trials as f64
}

fn print(name: &str, n: &str, shares: [f64; 4]) {
    let [none, rest @ ..] = shares;
    let rest: Vec<String> = rest.iter().map(|share| format!("{share:>6.3}")).collect();
    println!("{name:<44} {n:>5} {none:>8.4} {}", rest.join(" "));
}

fn session(seed: u64, n: usize, slowdown: f64) -> Vec<Pair> {
    Machine::new(seed + 1).pairs(n, slowdown)
}

fn series(sessions: Vec<Vec<Pair>>) -> Series {
    Series {
        cell: String::new(),
        metric: Metric::Inference,
        sessions,
    }
}

fn red(sessions: Vec<Vec<Pair>>) -> bool {
    judge(&[series(sessions)]).rows[0].verdict == Verdict::Regressed
}

/// As many pairs as it takes; whether the head is called worse, and how many pairs that took.
fn adaptive(seed: u64, slowdown: f64) -> (bool, usize) {
    let mut machine = Machine::new(2 * seed + 1);
    let mut series = series(vec![machine.pairs(STEP, slowdown)]);
    loop {
        match next(&series) {
            Next::More => series.sessions[0].extend(machine.pairs(STEP, slowdown)),
            Next::Confirm => {
                let n = series.sessions[0].len();
                series.sessions.push(session(2 * seed + 1, n, slowdown));
            }
            Next::Enough => break,
        }
    }
    let pairs = series.sessions.iter().map(Vec::len).sum();
    (red(series.sessions), pairs)
}
