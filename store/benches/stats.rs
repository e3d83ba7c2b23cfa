//! What a page pays for its statistics. Bounds: a figure below 50 ms, for a page holds hundreds; a
//! slope of 200 calls below 50 ms.
//! On two busy cores of a server: a figure of 10 x 60 trials 1.7 ms, a slope of 200 calls 11 ms. `cargo bench --package store --bench stats`

use criterion::{Criterion, criterion_group, criterion_main};
use store::stats::{Rng, figure, paired_gain, scene_retention, slope};
use store::{Metric, Sample};

/// Ten epochs, the most of a plan, of log-normal trials.
fn epochs(trials: usize) -> Sample {
    let mut random = Rng::new(1);
    let mut epoch = || {
        let level = 0.03 * random.normal();
        let mut trial = || (level + 0.05 * random.normal()).exp();
        (0..trials).map(|_| trial()).collect()
    };
    Sample {
        metric: Metric::InterToken,
        epochs: (0..10).map(|_| epoch()).collect(),
    }
}

fn stats(c: &mut Criterion) {
    let mut group = c.benchmark_group("stats");
    // The trials of a timed epoch, and the tokens between them.
    for trials in [60, 60 * 63] {
        let sample = epochs(trials);
        group.bench_function(format!("figure 10 x {trials}"), |b| {
            b.iter(|| figure(&sample))
        });
    }
    let mut random = Rng::new(2);
    for calls in [50, 100, 200] {
        let values: Vec<f64> = (0..calls).map(|_| 1.0 + random.normal()).collect();
        group.bench_function(format!("slope {calls}"), |b| b.iter(|| slope(&values)));
    }
    let scores: Vec<f64> = (0..72).map(|item| f64::from(item % 3 % 2)).collect();
    let scenes: Vec<usize> = (0..72).map(|fact| fact / 6).collect();
    let (all, none) = ([1.0; 72], [0.0; 72]);
    group.bench_function("gain of 72 items", |b| {
        b.iter(|| paired_gain(&scores, &none))
    });
    group.bench_function("retention of 12 scenes", |b| {
        b.iter(|| scene_retention([&all, &scores, &none], &scenes));
    });
}

criterion_group!(benches, stats);
criterion_main!(benches);
