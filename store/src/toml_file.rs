//! The TOML files that people write: read whole, and refused by file, line and field.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// More than anybody writes by hand.
const MAX_BYTES: u64 = 64 << 20;

/// A file's text, kept for the lines of what is wrong in it. Errors are texts of one line.
#[derive(Debug)]
pub struct TomlFile {
    path: PathBuf,
    text: String,
}

impl TomlFile {
    /// Reads a file of at most 64 MiB.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, String> {
        let cannot = |error| format!("{}: cannot read: {error}", path.display());
        let bytes = fs::metadata(path).map_err(cannot)?.len();
        if bytes > MAX_BYTES {
            let path = path.display();
            return Err(format!(
                "{path}: {bytes} bytes are too many, at most {MAX_BYTES} are read"
            ));
        }
        Ok(Self {
            text: fs::read_to_string(path).map_err(cannot)?,
            path: path.to_owned(),
        })
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the file says.
    ///
    /// # Errors
    /// `FILE:LINE: FIELD: what is wrong`, the field where the cause does not name it itself.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, String> {
        toml::from_str(&self.text).map_err(|error| {
            let message = error.message().trim().replace('\n', ", ");
            let Some(span) = error.span() else {
                return format!("{}: {message}", self.path.display());
            };
            let field = match self.field_before(span.start) {
                Some(field) if !message.contains("field `") => format!("{field}: "),
                _ => String::new(),
            };
            format!("{}: {field}{message}", self.place(span.start))
        })
    }

    /// `FILE:LINE` of a byte of the text.
    #[must_use]
    pub fn place(&self, offset: usize) -> String {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        format!("{}:{line}", self.path.display())
    }

    /// `FILE:LINE` of a field of the item that begins at a byte of the text; of the item, where the
    /// field is not there or does not begin its line.
    #[must_use]
    pub fn place_of(&self, item: usize, field: &str) -> String {
        let mut at = item;
        for line in self.text.get(item..).unwrap_or("").split_inclusive('\n') {
            if at > item && line.starts_with('[') {
                break;
            }
            let rest = line.trim_start().strip_prefix(field);
            if rest.is_some_and(|rest| rest.trim_start().starts_with('=')) {
                return self.place(at);
            }
            at += line.len();
        }
        self.place(item)
    }

    /// The key whose value begins at a byte of the text.
    fn field_before(&self, offset: usize) -> Option<&str> {
        let before = self.text.get(..offset)?.trim_end();
        let before = before.strip_suffix('=')?.trim_end();
        let bare = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let key = before.rsplit(|c| !bare(c)).next()?;
        (!key.is_empty()).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "name")]
        _name: String,
        #[serde(default, rename = "part")]
        _parts: Vec<Part>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[serde(rename = "size")]
        _size: u32,
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_field() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        let check = |text: &str, wanted: &str| {
            std::fs::write(&path, text).unwrap();
            let error = TomlFile::read(&path).unwrap().parse::<Outer>();
            let error = error.unwrap_err();
            let rest = error.strip_prefix(path.to_str().unwrap()).unwrap();
            assert!(rest.starts_with(wanted), "{error}");
            assert!(!error.contains('\n'), "{error}");
        };
        check("\nname = 3", ":2: name: invalid type: integer `3`");
        check(
            "name = \"a\"\ncolour = 1",
            ":2: unknown field `colour`, expected",
        );
        check("name = \"a\"\n\n[[part]]\n", ":3: missing field `size`");
        check(
            "part = [{ size = 1 }, { size = \"b\" }]\nname = \"\"",
            ":1: size: invalid type",
        );
        check(
            "name = \"a\"\n[[part]]\nsize = -1",
            ":3: size: invalid value",
        );
        check("name = ", ":1: ");
        check("name", ":1: ");
    }
}
