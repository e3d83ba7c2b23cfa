//! The scale on which levels are compared: changes are relative.

/// How values of one series are transformed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Logarithms, where every value is above zero.
    Log,
    /// Shares of the first value that is not zero, where some are not above it.
    Share(f64),
}

impl Scale {
    /// The scale of finite values.
    pub(super) fn of(values: &[f64]) -> Self {
        if values.iter().all(|&value| value > 0.0) {
            return Self::Log;
        }
        // The first, so that later nights do not change how earlier ones were judged.
        let first = values
            .iter()
            .map(|value| value.abs())
            .find(|&size| size > 0.0);
        Self::Share(first.unwrap_or(1.0))
    }

    /// A value on this scale.
    pub(super) fn to(self, value: f64) -> f64 {
        match self {
            Self::Log => value.ln(),
            Self::Share(first) => value / first,
        }
    }

    /// A value of this scale in the unit of the series.
    pub(super) fn back(self, scaled: f64) -> f64 {
        match self {
            Self::Log => scaled.exp(),
            Self::Share(first) => scaled * first,
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
