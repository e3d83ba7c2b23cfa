//! The scale on which levels are compared: changes are relative.

use crate::stats::median;

/// How values of one series are transformed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Logarithms, where every value is above zero.
    Log,
    /// Shares of the typical size, where some are not.
    Share(f64),
}

impl Scale {
    /// The scale of finite values.
    pub(super) fn of(values: &[f64]) -> Self {
        if values.iter().all(|&value| value > 0.0) {
            return Self::Log;
        }
        let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        // Mostly zero: the largest is all there is to compare with.
        let typical = median(&sizes).filter(|&size| size > 0.0).unwrap_or(largest);
        Self::Share(if typical > 0.0 { typical } else { 1.0 })
    }

    /// A value on this scale.
    pub(super) fn to(self, value: f64) -> f64 {
        match self {
            Self::Log => value.ln(),
            Self::Share(typical) => value / typical,
        }
    }

    /// A value of this scale in the unit of the series.
    pub(super) fn back(self, scaled: f64) -> f64 {
        match self {
            Self::Log => scaled.exp(),
            Self::Share(typical) => scaled * typical,
        }
    }

    /// A difference from `before` as a share of it; none from zero.
    pub(super) fn relative(self, before: f64, difference: f64) -> Option<f64> {
        match self {
            Self::Log => Some(difference.exp_m1()),
            Self::Share(_) => (before != 0.0).then(|| difference / before.abs()),
        }
    }
}
