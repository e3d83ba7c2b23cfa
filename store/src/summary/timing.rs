//! What a row tells of time beyond its table: the first calls, and the tail between two tokens.

use super::{Kind, Newest, Row, one_line};
use crate::metric::Metric;
use crate::run::Sample;
use crate::stats::{Figure, median, percentile};

/// Percentiles of the time between two tokens.
const PERCENTILES: [u8; 3] = [50, 95, 99];

/// Times that are no single figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timing {
    /// The first-calls curve: of each request that warms up, in order, the median over the processes
    /// that made it, in seconds.
    pub first_calls: Vec<f64>,
    /// Percentiles of the time between two tokens, in seconds: those that the sample supports.
    pub between_tokens: Vec<(u8, f64)>,
}

impl Timing {
    pub(super) fn of(newest: &Newest<'_>) -> Self {
        let of = |metric| newest.sample(Kind::Warm, metric);
        let tail = |sample: &Sample| {
            let supported = PERCENTILES.into_iter().filter_map(|p| {
                let value = percentile(sample, f64::from(p) / 100.0)?;
                Some((p, value))
            });
            supported.collect()
        };
        Self {
            first_calls: of(Metric::WarmUp).map(first_calls).unwrap_or_default(),
            between_tokens: of(Metric::InterToken).map(tail).unwrap_or_default(),
        }
    }
}

fn first_calls(sample: &Sample) -> Vec<f64> {
    let most = sample.epochs.iter().map(Vec::len).max().unwrap_or(0);
    let nth = |call: usize| {
        let values = sample.epochs.iter().filter_map(|epoch| epoch.get(call));
        median(&values.copied().collect::<Vec<_>>())
    };
    (0..most).filter_map(nth).collect()
}

/// Startup, the first requests and the tail between tokens of a row, in one line: `tiny: startup
/// 21.0 ms ± …`. None for a row that has none of them.
pub(super) fn timing_line(row: &Row) -> Option<String> {
    let figure = |metric| row.figures.get(&metric);
    let named = |name: &str, metric| figure(metric).map(|figure| format!("{name} {figure}"));
    let seconds = |value: &f64| Metric::InterToken.format(*value);
    let Timing {
        first_calls,
        between_tokens,
    } = &row.timing;
    let calls: Vec<String> = first_calls.iter().map(seconds).collect();
    let calls = (!calls.is_empty()).then(|| format!("first calls {}", calls.join(", ")));
    let tail: Vec<String> = between_tokens
        .iter()
        .map(|(p, value)| format!("p{p} {}", seconds(value)))
        .collect();
    let tail = (!tail.is_empty()).then(|| format!("between tokens {}", tail.join(", ")));
    let spread = figure(Metric::Inference).map(|figure| format!("inference {}", figure.scatter()));
    let hot = named("hot after", Metric::ThrottledAfter);
    let words = [
        named("startup", Metric::Startup),
        first_inference(figure(Metric::FirstInference), figure(Metric::Inference)),
        calls,
        tail,
        spread,
        weights(row),
        named("sustained decode", Metric::SustainedDecode),
        hot,
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| one_line(&format!("{}: {}", row.model, words.join("; "))))
}

/// How fast weights were read, and what share that is of what memory delivers.
fn weights(row: &Row) -> Option<String> {
    let figure = |metric| row.figures.get(&metric);
    let read = figure(Metric::WeightBandwidth)?;
    let of_memory = figure(Metric::BandwidthShare).zip(figure(Metric::MemoryBandwidth));
    let share = of_memory.map_or_else(String::new, |(share, memory)| {
        let share = share.metric.format(share.median);
        let delivered = memory.metric.format(memory.median);
        format!(", {share} of the memory's {delivered}")
    });
    Some(format!("weights read at {read}{share}"))
}

/// The first inference, and how many times the warm one that is.
fn first_inference(first: Option<&Figure>, warm: Option<&Figure>) -> Option<String> {
    let first = first?;
    let warm = warm.filter(|warm| warm.median > 0.0);
    let times = warm.map_or(String::new(), |warm| {
        format!(", {:.2} times the warm one", first.median / warm.median)
    });
    Some(format!("first inference {first}{times}"))
}

#[cfg(test)]
mod tests {
    use crate::metric::Metric;
    use crate::run::{BY_DESIGN, Outcome, Remark, RemarkKind, Void};
    use crate::summary::tests::{measured, with};

    #[test]
    fn what_is_no_column_stands_below() {
        let mut warm = measured(
            "warm-inference",
            &[
                (Metric::Inference, &[&[0.1, 0.1], &[0.1, 0.1], &[0.1, 0.1]]),
                (
                    Metric::WarmUp,
                    &[&[0.3, 0.2, 0.1], &[0.5, 0.2], &[0.4, 0.2]],
                ),
                (
                    Metric::InterToken,
                    &[&[0.002; 20], &[0.002; 20], &[0.003; 20]],
                ),
                (Metric::WeightBandwidth, &[&[2e10], &[2e10], &[2e10]]),
                (Metric::MemoryBandwidth, &[&[4e10], &[4e10], &[5e10]]),
                (Metric::BandwidthShare, &[&[0.5], &[0.5], &[0.4]]),
            ],
        );
        let advisory = |count| Remark {
            kind: RemarkKind::Advisory,
            count,
            text: "on battery".to_owned(),
        };
        warm.remarks = vec![advisory(2)];
        if let Outcome::Measured { voids, .. } = &mut warm.outcome {
            let void = |reason: &str, count| Void {
                metric: Some(Metric::Ttft),
                count,
                reason: reason.to_owned(),
            };
            *voids = vec![void("machine slept", 3), void(BY_DESIGN, 9)];
        }
        let load = measured(
            "cold-load",
            &[
                (Metric::LoadWarm, &[&[0.2], &[0.2], &[0.2]]),
                (Metric::Startup, &[&[0.02], &[0.02], &[0.02]]),
                (Metric::FirstInference, &[&[0.15], &[0.15], &[0.15]]),
            ],
        );
        let row = with(&[warm, load]);
        let lines = crate::summary::lines(&row);
        let words: Vec<_> = lines.iter().map(|(word, _)| *word).collect();
        assert_eq!(words, ["verdicts", "timing", "counted"]);
        assert_eq!(
            lines[1].1,
            "tiny: startup 20.0 ms ± 0.0 % (n=3/3); first inference 150 ms ± 0.0 % (n=3/3), 1.50 times the warm one; \
             first calls 400 ms, 200 ms, 100 ms; between tokens p50 2.00 ms, p95 3.00 ms; \
             inference between 0.0 %, within 0.0 %; \
             weights read at 20.0 GB/s ± 0.0 % (n=3/3), 50 % of the memory's 40.0 GB/s"
        );
        assert_eq!(lines[2].1, "tiny: 3 values VOID, 2 trials ADVISORY");
        assert_eq!(crate::summary::lines(&with(&[]))[1].0, "timing");
    }
}
