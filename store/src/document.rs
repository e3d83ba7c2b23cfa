//! The unit that travels between machines: one session with its runs as one line of JSON.

use serde::{Deserialize, Serialize};

use crate::db::Acknowledgement;
use crate::error::{Error, Result};
use crate::run::{Run, Session};

/// What [`Document::format`] says.
pub const FORMAT: &str = "vlm-bench session";

/// The newest [`Document::version`] that this program reads, and the one it writes.
pub const VERSION: u32 = 2;

/// An exported session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// [`FORMAT`], so that the file describes itself.
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Key of the session's machine, for readers without our hash.
    pub machine_key: String,
    /// The session.
    pub session: Session,
    /// Its runs, oldest first.
    pub runs: Vec<Run>,
    /// Changes that began with one of these runs and that somebody accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledgements: Vec<Acknowledgement>,
}

impl Document {
    /// A document of the current version.
    #[must_use]
    pub fn new(session: Session, runs: Vec<Run>) -> Self {
        let machine_key = session.machine.key();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            machine_key,
            session,
            runs,
            acknowledgements: Vec::new(),
        }
    }

    /// The same with those acceptances that are about its runs.
    #[must_use]
    pub fn with(mut self, accepted: &[Acknowledgement]) -> Self {
        let own = accepted.iter().filter(|accepted| self.holds(accepted));
        self.acknowledgements = own.cloned().collect();
        self
    }

    fn holds(&self, accepted: &Acknowledgement) -> bool {
        self.runs.iter().any(|run| run.id == accepted.run)
    }

    /// Reads the documents of a file, one after the other.
    ///
    /// # Errors
    /// [`Error::Document`] with the one (from 1) that does not decode, is of a later version, or
    /// holds a run of another session.
    pub fn parse(text: &str) -> Result<Vec<Self>> {
        let values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
        let numbered = values.zip(1..);
        let read = |(value, document): (serde_json::Result<_>, usize)| {
            let value = value.map_err(|error| error.to_string());
            value
                .and_then(checked)
                .map_err(|reason| Error::Document { document, reason })
        };
        numbered.map(read).collect()
    }
}

/// One document, its mark and version first: a later version may have other fields.
fn checked(value: serde_json::Value) -> Result<Document, String> {
    if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
        return Err(format!("its \"format\" is not {FORMAT:?}"));
    }
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version <= u64::from(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "version {version}, wanted {VERSION}: update vlm-bench"
            ));
        }
        None => return Err("its \"version\" is missing".to_owned()),
    }
    let document: Document = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let session = document.session.id;
    if let Some(run) = document.runs.iter().find(|run| run.session != session) {
        return Err(format!("run {} belongs to another session", run.id));
    }
    let mut accepted = document.acknowledgements.iter();
    match accepted.find(|accepted| !document.holds(accepted)) {
        Some(accepted) => Err(format!(
            "it accepts a change at run {}, which is not in it",
            accepted.run
        )),
        None => Ok(document),
    }
}
