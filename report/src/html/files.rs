//! Files of the site: how they are written and what they are called.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Longest readable part of a file name.
const READABLE: usize = 60;

/// Writes a file into a folder that is made if it is not there.
///
/// # Errors
/// [`Error::Write`] with the path that could not be written.
pub(super) fn write_file(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let made = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    made.map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

/// Makes the folder of the site.
///
/// # Errors
/// [`Error::Write`] with the folder.
pub(super) fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|source| Error::Write {
        path: folder.to_owned(),
        source,
    })
}

/// A name made safe for files, addresses and ids: small letters, digits and single dashes. One that is not safe as it
/// is gets eight hex digits of its hash behind a low line, which no other name has, so that no two names meet.
pub(super) fn slug(name: &str) -> String {
    let mut safe = String::new();
    for c in name.to_lowercase().chars().take(READABLE) {
        match c {
            'a'..='z' | '0'..='9' => safe.push(c),
            _ if safe.is_empty() || safe.ends_with('-') => (),
            _ => safe.push('-'),
        }
    }
    let safe = safe.trim_end_matches('-');
    if safe == name && !name.is_empty() {
        return safe.to_owned();
    }
    let digest = Sha256::digest(name.as_bytes());
    let tail: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{safe}_{tail}").trim_start_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_safe_and_tells_names_apart() {
        let check = |name: &str, expected: &str| assert_eq!(slug(name), expected);
        check("tiny-smolvlm-500m", "tiny-smolvlm-500m");
        check("SmolVLM-500M", "smolvlm-500m_8d377815");
        check("../../etc/passwd", "etc-passwd_3754d6cb");
        check("", "e3b0c442");
        assert_ne!(slug("a_b"), slug("a b"));
        assert!(slug(&"ü<script>".repeat(500)).len() < 80);
    }
}
