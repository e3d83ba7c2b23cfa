//! The small text files beside a checkpoint's weights: read whole, with a limit.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Error, Result};

/// More than any published configuration or tokenizer takes (the largest, a tokenizer, has 11 MB).
const MAX_BYTES: u64 = 64 << 20;

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

/// The JSON value in `path`.
///
/// # Errors
/// As [`read_text`]; [`Error::Format`] when it is no JSON.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    serde_json::from_str(&read_text(path)?)
        .map_err(|error| format_error(path, format!("this is no valid JSON: {error}")))
}

/// An [`Error::Format`] about `path`.
pub(crate) fn format_error(path: &Path, detail: impl Into<String>) -> Error {
    Error::Format {
        path: path.to_owned(),
        detail: detail.into(),
    }
}
