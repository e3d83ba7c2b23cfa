//! The small text files beside a checkpoint's weights: read whole, with a limit.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// More than any published configuration or tokenizer takes (the largest, a tokenizer, has 11 MB).
pub(crate) const MAX_BYTES: u64 = 64 << 20;

/// The text of `path`.
///
/// # Errors
/// [`Error::Read`] when it cannot be read or is no UTF-8, [`Error::Format`] when it is too long to be what it says.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let read = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_BYTES {
        return Err(format_error(
            path,
            format!("{bytes} bytes are too many, at most {MAX_BYTES} are read"),
        ));
    }
    fs::read_to_string(path).map_err(read)
}

/// What the JSON in `path` holds.
///
/// # Errors
/// As [`read_text`]; [`Error::Format`] when it is no JSON, or holds something else.
pub(crate) fn read_json<J: DeserializeOwned>(path: &Path) -> Result<J> {
    serde_json::from_str(&read_text(path)?).map_err(|error| {
        let invalid = if error.is_data() {
            ""
        } else {
            "this is no valid JSON: "
        };
        format_error(path, format!("{invalid}{error}"))
    })
}

/// An [`Error::Format`] about `path`.
pub(crate) fn format_error(path: &Path, detail: impl Display) -> Error {
    Error::Format {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}
