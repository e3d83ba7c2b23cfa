//! The two axes of a chart: which range they show and where a value stands on them.

use store::Unit;

use super::chart::{BOTTOM, LEFT, Label, Point, RIGHT, TOP, Trend, px, seconds};

/// A linear map from values to drawing coordinates.
pub(super) struct Axis {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    step: f64,
}

impl Axis {
    /// From the oldest to the newest mark; a lone one stands in the middle.
    pub(super) fn over_time(trend: &Trend) -> Self {
        let all = || {
            trend
                .points
                .iter()
                .map(|p| p.at)
                .chain(trend.gaps.iter().map(|g| g.at))
        };
        let from = all().min().map_or(0.0, seconds);
        let to = all().max().map_or(0.0, seconds);
        let (from, to) = if to > from {
            (from, to)
        } else {
            (from - 1.0, from + 1.0)
        };
        Self {
            from,
            to,
            start: LEFT + 14.0,
            end: RIGHT - 8.0,
            step: 0.0,
        }
    }

    /// From a little below the lowest to a little above the highest interval end, on round steps.
    ///
    /// The range is never narrower than a tenth of the value, so that noise of a percent looks like
    /// noise; shares always show all of 0 to 100 %.
    pub(super) fn over_values(trend: &Trend) -> Self {
        let plot = |from, to, step| Self {
            from,
            to,
            start: BOTTOM,
            end: TOP,
            step,
        };
        if trend.unit == Unit::Ratio && all_values(trend).all(|v| (0.0..=1.0).contains(&v)) {
            return plot(-0.04, 1.04, 0.5);
        }
        let lowest = all_values(trend).fold(f64::INFINITY, f64::min);
        let highest = all_values(trend).fold(f64::NEG_INFINITY, f64::max);
        if !(lowest.is_finite() && highest.is_finite()) {
            return plot(0.0, 1.0, 0.5);
        }
        let narrowest = match trend.unit {
            Unit::Count => 4.0,
            _ => (0.1 * highest.abs().max(lowest.abs())).max(1e-12),
        };
        let pad = (0.08 * (highest - lowest)).max((narrowest - (highest - lowest)) / 2.0);
        let (from, to) = (lowest - pad, highest + pad);
        let from = if lowest >= 0.0 {
            from.max(-0.04 * (to - from))
        } else {
            from
        };
        plot(from, to, round_step((to - from) / 4.0, to, trend.unit))
    }

    /// Where a value stands, in SVG user units; values beyond the ends stand at the ends.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// Labels at round values, each text once.
    pub(super) fn ticks(&self, unit: Unit) -> Vec<Label> {
        let first = (self.from / self.step).ceil();
        let count = ((self.to / self.step).floor() - first).clamp(0.0, 8.0);
        let mut ticks: Vec<Label> = Vec::new();
        let mut at = 0.0;
        while at <= count {
            let value = (first + at) * self.step;
            // Adding zero turns the negative zero into the positive one.
            let text = unit.format(value + 0.0);
            if ticks.last().is_none_or(|before| before.text != text) {
                ticks.push(Label {
                    x: px(LEFT - 8.0),
                    y: px(self.place(value)),
                    anchor: "end",
                    text,
                });
            }
            at += 1.0;
        }
        ticks
    }
}

fn all_values(trend: &Trend) -> impl Iterator<Item = f64> + '_ {
    let ends = |point: &Point| {
        let (low, high) = point.interval.unwrap_or((point.value, point.value));
        [low, point.value, high]
    };
    trend
        .points
        .iter()
        .flat_map(ends)
        .filter(|value| value.is_finite())
}

/// The next of 1, 2, 2.5 and 5 times a power of ten at or above `step`; of bytes, in the unit in
/// which `top` prints.
fn round_step(step: f64, top: f64, unit: Unit) -> f64 {
    const MIB: f64 = 1_048_576.0;
    let base = match unit {
        Unit::Byte if top.abs() >= 1024.0 * MIB => 1024.0 * MIB,
        Unit::Byte => MIB,
        _ => 1.0,
    };
    let power = 10_f64.powf((step / base).log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .find(|r| r * power * base >= step * 0.999);
    let step = round.unwrap_or(10.0) * power * base;
    if unit == Unit::Count {
        step.max(1.0).round()
    } else {
        step
    }
}
