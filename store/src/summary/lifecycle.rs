//! The verdict on the lifecycle: what loading and dropping leave behind. The rule stands with the
//! others in `verdict.rs`.

use super::verdict::{outside, unknown, verdict, void};
use super::{Kind, Mark, Newest, Verdict};
use crate::metric::Metric;
use crate::run::Sample;
use crate::stats::{PairedRatio, Slope, epoch_medians, median, paired_ratio, slope};

/// Growth a cycle, at the lower end, above which memory leaks: 0.25 MiB, as from call to call.
const LEAKS_ABOVE: f64 = 0.25 * 1_048_576.0;
/// Share of what the model took above which it counts as kept.
const KEEPS_ABOVE: f64 = 0.5;
/// Ratio of times, at the lower end, above which a second model affects the first.
const AFFECTED_ABOVE: f64 = 1.03;

pub(super) fn lifecycle(newest: &Newest<'_>) -> Verdict {
    if newest.run(Kind::Lifecycle).is_none() {
        return unknown("not measured");
    }
    if let Some((stage, message)) = newest.failure(Kind::Lifecycle) {
        let error = || verdict(Mark::No, "ERROR", format!("{}: {message}", stage.name()));
        return outside(Kind::Lifecycle, stage, message).unwrap_or_else(error);
    }
    let Some(residue) = Residue::of(newest) else {
        return void(newest, Kind::Lifecycle, "too few cycles were measured");
    };
    let affected = Beside::of(newest);
    let mut detail = residue.words();
    if let Some(beside) = &affected {
        detail += &format!("; {}", beside.words());
    }
    let kept = residue.left > KEEPS_ABOVE * residue.taken;
    match () {
        () if residue.slope.low > LEAKS_ABOVE => verdict(Mark::No, "LEAKS", detail),
        () if kept => verdict(Mark::Partial, "KEEPS", detail),
        () if affected.is_some_and(|beside| beside.slows()) => {
            verdict(Mark::Partial, "AFFECTED", detail)
        }
        () => verdict(Mark::Yes, "RELEASES", detail),
    }
}

/// What unloading leaves.
struct Residue {
    /// Memory after unloading, above that before the first loading, in bytes.
    left: f64,
    /// What the loaded model took, having answered, in bytes.
    taken: f64,
    /// From cycle to cycle.
    slope: Slope,
    cycles: usize,
    epochs: usize,
}

impl Residue {
    fn of(newest: &Newest<'_>) -> Option<Self> {
        let of = |metric| newest.sample(Kind::Lifecycle, metric);
        let middle = |metric| median(&epoch_medians(of(metric)?));
        let (after, base) = (of(Metric::AfterUnload)?, middle(Metric::BaseMemory)?);
        let cycles = cycles(after);
        Some(Self {
            left: (middle(Metric::AfterUnload)? - base).max(0.0),
            taken: middle(Metric::CallMemory)? - base,
            slope: slope(&cycles)?,
            cycles: cycles.len(),
            epochs: after.epochs.len(),
        })
    }

    fn words(&self) -> String {
        let bytes = |value| Metric::AfterUnload.format(value);
        let Slope {
            per_call,
            low,
            high,
            ..
        } = self.slope;
        format!(
            "{} of {} left, {} a cycle [{}, {}] (n={}/{})",
            bytes(self.left),
            bytes(self.taken),
            bytes(per_call),
            bytes(low),
            bytes(high),
            self.cycles,
            self.epochs,
        )
    }
}

/// The memory after each cycle: the median over the processes.
fn cycles(after: &Sample) -> Vec<f64> {
    let most = after.epochs.iter().map(Vec::len).max().unwrap_or(0);
    let nth = |cycle: usize| {
        let values = after.epochs.iter().filter_map(|epoch| epoch.get(cycle));
        median(&values.copied().collect::<Vec<_>>())
    };
    (0..most).filter_map(nth).collect()
}

/// What a second model does to the first.
struct Beside {
    beside: PairedRatio,
    after: PairedRatio,
    /// Memory that it left behind, in bytes.
    left: Option<f64>,
}

impl Beside {
    fn of(newest: &Newest<'_>) -> Option<Self> {
        let of = |metric| newest.sample(Kind::Lifecycle, metric);
        let alone = of(Metric::Inference)?;
        Some(Self {
            beside: paired_ratio(alone, of(Metric::BesideInference)?)?,
            after: paired_ratio(alone, of(Metric::AfterInference)?)?,
            left: of(Metric::NeighbourResidue).and_then(|sample| median(&epoch_medians(sample))),
        })
    }

    fn slows(&self) -> bool {
        let above =
            |ratio: PairedRatio| ratio.interval.is_some_and(|(low, _)| low > AFFECTED_ABOVE);
        above(self.beside) || above(self.after)
    }

    fn words(&self) -> String {
        let Self {
            beside,
            after,
            left,
        } = self;
        let left = left.map_or(String::new(), |bytes| {
            format!(", {} of it left", Metric::NeighbourResidue.format(bytes))
        });
        let epochs = beside.epochs;
        format!("beside another model x{beside}, after it x{after} (n={epochs}){left}")
    }
}

#[cfg(test)]
mod tests {
    use crate::metric::Metric;
    use crate::run::Stage;
    use crate::summary::tests::{failed, measured, status, with};

    #[test]
    fn lifecycle_verdicts() {
        const MIB: f64 = 1_048_576.0;
        let check = |after: [f64; 5], label, detail: &str| {
            let after = after.map(|mib| mib * MIB);
            let (base, call) = ([10.0 * MIB], [110.0 * MIB; 5]);
            let run = measured(
                "lifecycle",
                &[
                    (Metric::BaseMemory, &[&base]),
                    (Metric::CallMemory, &[&call]),
                    (Metric::AfterUnload, &[&after]),
                ],
            );
            let row = with(&[run]);
            assert_eq!(
                (row.lifecycle.label.as_str(), row.lifecycle.detail.as_str()),
                (label, detail)
            );
            assert_eq!(status(&row), "R8 Reliable", "no rule reads it");
        };
        check(
            [12.0; 5],
            "RELEASES",
            "2.00 MiB of 100 MiB left, 0.00 MiB a cycle [0.00 MiB, 0.00 MiB] (n=5/1)",
        );
        check(
            [9.0; 5],
            "RELEASES",
            "0.00 MiB of 100 MiB left, 0.00 MiB a cycle [0.00 MiB, 0.00 MiB] (n=5/1)",
        );
        check(
            [12.0, 13.0, 14.0, 15.0, 16.0],
            "LEAKS",
            "4.00 MiB of 100 MiB left, 1.00 MiB a cycle [1.00 MiB, 1.00 MiB] (n=5/1)",
        );
        check(
            [12.0, 13.0, 13.0, 13.0, 14.0],
            "RELEASES",
            "3.00 MiB of 100 MiB left, 0.42 MiB a cycle [0.00 MiB, 1.00 MiB] (n=5/1)",
        );
        check(
            [100.0; 5],
            "KEEPS",
            "90.0 MiB of 100 MiB left, 0.00 MiB a cycle [0.00 MiB, 0.00 MiB] (n=5/1)",
        );
    }

    #[test]
    fn four_cycles_have_no_slope_and_no_verdict() {
        let few = measured(
            "lifecycle",
            &[
                (Metric::BaseMemory, &[&[1e6]]),
                (Metric::CallMemory, &[&[2e6; 4]]),
                (Metric::AfterUnload, &[&[1e6; 4]]),
            ],
        );
        assert_eq!(with(&[few]).lifecycle.label, "void");
        let broken = failed("lifecycle", Stage::Ask, "call 3: cycle 3: out of memory");
        let row = with(&[broken]);
        assert_eq!(row.lifecycle.label, "ERROR");
        assert_eq!(with(&[]).lifecycle.label, "n/a (not measured)");
    }
}
