//! What a chart looks like, in Plotly's own terms: its axes, and the role of each trace.
//!
//! Traces are written without values: a page keeps those in a shorter form, and its script fills them in together with
//! the colours of the scheme that the reader has chosen.

use plotly::common::{Fill, Font, HoverInfo, Line, Marker, MarkerSymbol, Mode};
use plotly::layout::{Axis, AxisType, DragMode, HoverMode, Margin, RangeMode};
use plotly::{Layout, Scatter, Trace};
use serde::Serialize;

/// What a trace shows; the script finds it by its `meta`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// 95 % intervals of a line, as an area.
    Band,
    /// Where the newest level lies, as far as the machine's own noise.
    Level,
    /// The figures themselves.
    Figures,
    /// Change points.
    Marks,
    /// Refused and failed.
    Gaps,
}

/// The frame of a chart.
#[derive(Serialize)]
pub(super) struct Frame {
    data: Vec<Box<dyn Trace>>,
    layout: Layout,
}

/// What stands along the axes.
pub(super) struct Axes<'a> {
    /// The unit behind each tick.
    pub unit: &'a str,
    /// Below the axis; none for dates.
    pub across: Option<&'a str>,
    /// Whether values are shares of everything.
    pub shares: bool,
}

/// The frame with the traces of these roles, in the order in which they are drawn.
pub(super) fn frame(axes: &Axes<'_>, roles: &[(Role, usize)]) -> Frame {
    Frame {
        data: roles
            .iter()
            .map(|&(role, line)| trace(role, line))
            .collect(),
        layout: layout(axes),
    }
}

fn layout(axes: &Axes<'_>) -> Layout {
    let suffix = match axes.unit {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let y = Axis::new()
        .tick_suffix(&suffix)
        .separate_thousands(true)
        .auto_margin(true)
        .zero_line(false)
        .n_ticks(6);
    let y = if axes.shares {
        y.range(vec![-4.0, 104.0])
    } else {
        y.range_mode(RangeMode::Normal)
    };
    let x = Axis::new().show_grid(false).auto_margin(true).n_ticks(6);
    let x = match axes.across {
        None => x.type_(AxisType::Date),
        Some(title) => x.title(title).type_(AxisType::Linear),
    };
    Layout::new()
        .auto_size(true)
        .show_legend(false)
        .hover_mode(HoverMode::Closest)
        .drag_mode(DragMode::Zoom)
        .margin(Margin::new().left(8).right(12).top(8).bottom(8))
        .font(Font::new().size(12))
        .x_axis(x)
        .y_axis(y)
}

fn trace(role: Role, line: usize) -> Box<dyn Trace> {
    let empty = || {
        Scatter::<String, f64>::new(Vec::new(), Vec::new()).meta(format!("{}:{line}", role.name()))
    };
    match role {
        Role::Band | Role::Level => empty()
            .mode(Mode::Lines)
            .fill(Fill::ToSelf)
            .line(Line::new().width(0.0))
            .hover_info(HoverInfo::Skip),
        Role::Figures => empty()
            .mode(Mode::LinesMarkers)
            .line(Line::new().width(1.5))
            .marker(Marker::new().size(5))
            .hover_info(HoverInfo::Text),
        Role::Marks => empty()
            .mode(Mode::Markers)
            .marker(Marker::new().size(9))
            .hover_info(HoverInfo::Text),
        Role::Gaps => empty()
            .mode(Mode::Markers)
            .marker(Marker::new().size(9).symbol(MarkerSymbol::X))
            .hover_info(HoverInfo::Text),
    }
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Band => "band",
            Self::Level => "level",
            Self::Figures => "figures",
            Self::Marks => "marks",
            Self::Gaps => "gaps",
        }
    }
}
