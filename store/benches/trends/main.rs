//! How good the change points are, line by line, beside two published detectors on the same data.
//!
//! `cargo bench -p store --bench trends`; with labelled series as well:
//! `LABELLED_SERIES=/path/to/series.jsonl cargo bench -p store --bench trends`, one JSON object a
//! line with `mean` (one value a build) and `annotations` (person to change indices). All seeds are
//! fixed. The peers are written from their published formulas; see their files.
#![expect(clippy::print_stdout, reason = "the table is what the bench is for")]

mod labelled;
mod nightly;
mod otava;
mod perfherder;
mod streams;

use std::time::Instant;

use store::stats::Rng;
use store::trend::{State, trend};

use labelled::Labelled;
use streams::Noise;

/// A detector: values in order of time to change indices.
type Detector = fn(&[f64]) -> Vec<usize>;

const DETECTORS: [(&str, Detector); 4] = [
    ("vlm-bench", ours),
    ("Otava p 1e-3", |values| otava::changes(values, 1e-3)),
    ("Otava p 1e-6", |values| otava::changes(values, 1e-6)),
    ("Perfherder", perfherder::changes),
];

/// Everything but suspects: what raises an alarm.
fn ours(values: &[f64]) -> Vec<usize> {
    let sure = trend(values, &[]).changes.into_iter();
    let sure = sure.filter(|point| point.state > State::Suspect);
    sure.map(|point| point.index).collect()
}

fn main() {
    let labelled = std::env::var_os("LABELLED_SERIES").map(|path| labelled::read(path.as_ref()));
    print!("{:<44}", "");
    for (name, _) in DETECTORS {
        print!("{name:>16}");
    }
    println!("  bar");
    quality(labelled.as_deref());
    let nulls: Vec<&[f64]> = labelled
        .iter()
        .flatten()
        .filter(|series| series.is_null())
        .map(|series| &series.mean[..])
        .collect();
    false_alarms(&nulls);
    delays(&nulls);
    bad_night();
    cost();
}

/// One line of the table; `figure` prints what a detector gives.
fn line(name: &str, bar: &str, figure: impl Fn(Detector) -> String) {
    print!("{name:<44}");
    for (_, detector) in DETECTORS {
        print!("{:>16}", figure(detector));
    }
    println!("  {bar}");
}

fn quality(labelled: Option<&[Labelled]>) {
    let Some(series) = labelled else {
        println!("labelled series: not given");
        return;
    };
    let scores: Vec<labelled::Score> = DETECTORS
        .iter()
        .map(|(_, detector)| labelled::score(series, *detector))
        .collect();
    let all = |name: &str, bar: &str, of: fn(&labelled::Score) -> f64, digits: usize| {
        print!("{name:<44}");
        for score in &scores {
            print!("{:>16.digits$}", of(score));
        }
        println!("  {bar}");
    };
    println!("{} series with five annotators", scores[0].series);
    all("1 F1, margin 5", ">= 0.855", |score| score.f1, 3);
    all("1 covering", ">= 0.79", |score| score.cover, 3);
    all("  precision", "", |score| score.precision, 3);
    all("  recall", "", |score| score.recall, 3);
    all(
        "2 false /100 builds, unanimous nulls",
        "<= 0.02",
        |score| score.on_nulls,
        3,
    );
    all(
        "3 majority points found",
        ">= 0.78",
        |score| score.majority,
        2,
    );
}

/// Series a cell.
const STREAMS: usize = 60;

fn false_alarms(nulls: &[&[f64]]) {
    for noise in Noise::ALL {
        let name = format!("4 alarms /100 nights, {}", noise.name());
        line(&name, "<= 0.05", |detector| {
            let mut random = Rng::new(11);
            let streams = (0..STREAMS).map(|_| streams::nights(noise, 200, &mut random));
            let alarms: usize = streams
                .map(|stream| nightly::alarms(&stream, detector))
                .sum();
            format!("{:.2}", alarms as f64 / STREAMS as f64)
        });
    }
    let stretches: Vec<&[f64]> = nulls.iter().filter_map(|null| null.get(..200)).collect();
    if stretches.is_empty() {
        return println!("4 alarms, real nulls: not given");
    }
    let name = format!("4 alarms /100 nights, {} real nulls", stretches.len());
    line(&name, "<= 0.10", |detector| {
        let alarms: usize = stretches
            .iter()
            .map(|null| nightly::alarms(null, detector))
            .sum();
        format!("{:.2}", alarms as f64 / stretches.len() as f64)
    });
}

fn delays(nulls: &[&[f64]]) {
    let bars = [
        (1.2, "20 %", "<= 2 nights"),
        (1.1, "10 %", "by +4 >= .95, <= 2"),
        (1.05, "5 %", "<= 7 nights"),
    ];
    for (by, size, bar) in bars {
        line(
            &format!("5 {size} step, spiky: by +4/+14, median"),
            bar,
            |detector| {
                let mut random = Rng::new(12);
                let streams = (0..STREAMS).map(|_| streams::nights(Noise::Spiky, 150, &mut random));
                nightly::delays(streams.collect(), by, detector)
            },
        );
    }
    let real: Vec<Vec<f64>> = nulls
        .iter()
        .filter_map(|null| null.get(..150))
        .map(<[f64]>::to_vec)
        .collect();
    if real.is_empty() {
        return println!("6 real nulls: not given");
    }
    line(
        "6 10 % step, real nulls: by +4/+14, median",
        ">= .75/.85",
        |detector| nightly::delays(real.clone(), 1.1, detector),
    );
}

fn bad_night() {
    line("7 +30 % on the last night alarms", "<= .01", |detector| {
        let mut random = Rng::new(13);
        let alarmed = (0..200).filter(|_| {
            let mut stream = streams::nights(Noise::Gauss, 100, &mut random);
            stream[99] *= 1.3;
            detector(&stream).iter().any(|&index| index > 93)
        });
        format!("{:.3}", alarmed.count() as f64 / 200.0)
    });
}

fn cost() {
    line("12 ms for 900 nights", "<= 5", |detector| {
        let stream = streams::nights(Noise::Spiky, 900, &mut Rng::new(14));
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let begun = Instant::now();
            std::hint::black_box(detector(&stream));
            best = best.min(begun.elapsed().as_secs_f64());
        }
        format!("{:.2}", 1e3 * best)
    });
    let mut random = Rng::new(15);
    let streams: Vec<Vec<f64>> = (0..1000)
        .map(|_| streams::nights(Noise::Heavy, 365, &mut random))
        .collect();
    let begun = Instant::now();
    let found: usize = streams
        .iter()
        .map(|stream| trend(stream, &[]).changes.len())
        .sum();
    let took = begun.elapsed().as_secs_f64();
    println!("12 1,000 series x 365 nights, one core: {took:.2} s ({found} points)  < 5 s");
    let twice = streams
        .iter()
        .all(|stream| trend(stream, &[]) == trend(stream, &[]));
    println!("11 the same twice: {twice}");
}
