//! Figures that a machine need not be able to tell: no counter of energy, no proof of what was in the page cache.
//!
//! That one of two runs lacks them is no fault of what was measured, so nothing is broken; but nothing is known either,
//! and what is not known must not pass.

use super::judge::samples;
use crate::metric::Metric;
use crate::run::{NO_ENERGY, Run};

/// Whether a metric is read from a counter of the machine, to which this program may lose access.
pub(super) const fn is_counted(metric: Metric) -> bool {
    matches!(metric, Metric::EnergyPerImage | Metric::EnergyPerToken)
}

/// Why a machine did not tell a figure that runs were to have: nothing of them is broken, and nothing is known. None
/// for figures that a machine must tell.
pub(super) fn untold(runs: &[&Run], metric: Metric) -> Option<String> {
    match metric {
        Metric::LoadCold | Metric::LoadWarm => {
            let unproved = !samples(runs, Metric::LoadUnknown).is_empty();
            unproved.then(|| "the state of the page cache was not proved".to_owned())
        }
        _ if is_counted(metric) => {
            let mut remarks = runs.iter().rev().flat_map(|run| &run.remarks);
            let told = remarks.find(|remark| remark.text.starts_with(NO_ENERGY))?;
            Some(told.text.clone())
        }
        _ => None,
    }
}
