//! Whether a change made anything worse: a verdict for each cell and metric, with its reason.
//!
//! Three ways to compare, one way to decide. [`pairs`]: both programs in turn on one machine, the
//! sharpest. `blocked`: stored runs, one side after the other, where the machine's own past says how
//! far two nights differ. `exact` and `score`: counters and answers, which no clock disturbs. All
//! rows are decided together by `decide`, so that many rows raise no more false alarms than one.
//! Pure.

mod annotate;
pub mod baseline;
mod blocked;
mod comment;
mod decide;
mod document;
mod exact;
mod history;
mod judge;
mod level;
pub mod pairs;
pub mod pairs_file;
mod row;
mod score;
pub mod signed;
mod text;
mod untold;
pub mod waiver;
pub mod waiver_file;

pub use annotate::github;
pub use baseline::{Baseline, Choice, choose};
pub use comment::{Comment, markdown};
pub use document::{document, parse};
pub use judge::{Accepted, Elsewhere, Side, Sides, counters, is_clock, judge, name};
pub use row::{Extent, Judgement, Row, Verdict};
pub use text::{headers, line, lines, reasons, sorted, text};
