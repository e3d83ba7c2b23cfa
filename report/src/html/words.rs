//! How changes are said on pages: the words of `report changes`.

use store::Metric;
use store::trend::ChangePoint;
use store::watch::Finding;

/// `+9.8 %`; the levels tell more where the first is zero.
pub(super) fn size(point: &ChangePoint) -> String {
    point.size.map_or_else(
        || "from zero".to_owned(),
        |size| format!("{:+.1} %", 100.0 * size),
    )
}

/// `81.2 tok/s to 73.1 tok/s, -9.8 % [-11.5, -8.1], confirmed by 5 nights`.
pub(super) fn change(metric: Metric, finding: &Finding) -> String {
    let (point, unit) = (&finding.point, metric.spec().unit);
    let small = if finding.is_small {
        ", below the smallest change of interest"
    } else {
        ""
    };
    format!(
        "{} to {}, {}, {}, {} night{}{small}",
        unit.format(point.before),
        unit.format(point.after),
        crate::changes::size(point),
        point.state.name(),
        point.nights,
        if point.nights == 1 { "" } else { "s" },
    )
}
