//! The data model of vlm-bench and the SQLite file that keeps it.
//!
//! Pure, without SQL: [`run`] (what was measured), [`metric`] (what a figure means and how it is
//! printed), [`stats`], [`outliers`], [`summary`], [`trend`], [`watch`] and [`gate`] (what is derived when runs are
//! read). Only [`db`] knows SQL.

pub mod bench;
pub mod cores;
pub mod db;
pub mod document;
pub mod error;
pub mod gate;
pub mod legacy;
pub mod manual;
pub mod markdown;
pub mod metric;
pub mod outliers;
pub mod print;
pub mod run;
pub mod series;
pub mod stats;
pub mod summary;
pub mod toml_file;
pub mod trend;
pub mod watch;

pub use db::{Db, Imported, RunFilter};
pub use document::Document;
pub use error::{Error, Result};
pub use legacy::{Guide, GuideNote, GuideRow, HistoricRow};
pub use metric::{Direction, Metric, Unit};
pub use run::{
    Answer, Asked, BY_DESIGN, Cell, Environment, Facts, Machine, NO_ENERGY, NO_TURNS, Outcome,
    Remark, RemarkKind, Run, Sample, Session, Stage, Void,
};
pub use uuid::Uuid;
