//! What people read of vlm-bench: the summary table, the dated guide, the trend page and the
//! gate's verdicts.
//!
//! Everything here is derived when it is read, from the raw samples in the database, by the rules of
//! [`store::summary`], [`store::trend`], [`store::watch`] and [`store::gate`]. Nothing here measures or judges, and
//! only [`changes::acknowledge`] writes to the database. Foreign text (model answers, names, branches, paths,
//! failure messages) is escaped where it enters a document.

mod archive;
pub mod changes;
mod columns;
mod error;
pub mod gate;
pub mod guide;
pub mod html;
mod notes;
mod pipe;
pub mod table;
mod template;
mod text;

pub use archive::Archive;
pub use error::{Error, Result};
pub use template::Templates;
