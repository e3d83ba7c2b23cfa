//! Values of one run that lie far from the median of their process, with what the machine did then.

use serde::Serialize;
use store::Run;
use store::outliers::{Outlier, Outliers, noisy, outliers};
use store::stats::{Figure, figure};

/// The outliers of a cell.
#[derive(Serialize)]
pub(super) struct Far {
    /// How many there are, and which figures that makes noisy.
    title: String,
    rows: Vec<Row>,
    /// How many are not listed.
    more: usize,
}

#[derive(Serialize)]
struct Row {
    metric: &'static str,
    place: String,
    value: String,
    times: String,
    machine: String,
}

/// None where nothing lies far from the others.
pub(super) fn far(run: &Run) -> Option<Far> {
    let Outliers { listed, more } = outliers(run);
    let row = |outlier: &Outlier| Row {
        metric: outlier.metric.name(),
        place: outlier.place(),
        value: outlier.metric.format(outlier.value),
        times: outlier.times(),
        machine: outlier.machine(),
    };
    (!listed.is_empty()).then(|| Far {
        title: title(run, listed.len() + more),
        rows: listed.iter().map(row).collect(),
        more,
    })
}

/// `26 values far from the others; NOISY: decode`.
fn title(run: &Run, count: usize) -> String {
    let values = if count == 1 { "value" } else { "values" };
    let figures: Vec<Figure> = run.samples().iter().filter_map(figure).collect();
    let noisy = noisy(&figures).map_or_else(String::new, |names| format!("; {names}"));
    format!("{count} {values} far from the others{noisy}")
}
