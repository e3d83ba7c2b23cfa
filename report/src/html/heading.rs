//! A model as the heading of its part of a page.

use serde::Serialize;

use super::files::slug;
use super::site::model_file;
use crate::text::one_line;

/// A model of a machine: where it stands on the page, what it is called, where its own page is.
#[derive(Serialize)]
pub(super) struct Heading {
    pub(super) id: String,
    pub(super) name: String,
    /// In the folder of models.
    file: String,
}

impl Heading {
    pub(super) fn new(machine: &str, model: &str) -> Self {
        Self {
            id: slug(model),
            name: one_line(model),
            file: model_file(machine, model),
        }
    }
}
