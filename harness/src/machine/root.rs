//! The files in which Linux describes itself, under a root that tests can choose.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// More than the kernel ever says: `/proc/cpuinfo` of a thousand cores has about 2 MB.
const LIMIT: u64 = 4 << 20;

/// Where `proc`, `sys` and `etc` lie: `/`, or a tree made by a test.
#[derive(Debug)]
pub(crate) struct Root(PathBuf);

impl Root {
    /// The running system.
    #[cfg(not(target_os = "macos"))]
    pub(crate) fn system() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A tree under `folder`.
    #[cfg(test)]
    pub(crate) fn under(folder: &std::path::Path) -> Self {
        Self(folder.to_owned())
    }

    /// A file's text without blanks around it; `None` where it is missing, unreadable or empty.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(self.0.join(path))
            .ok()?
            .take(LIMIT)
            .read_to_end(&mut bytes)
            .ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A file's text as a number.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.parse().ok()
    }

    /// The names in a folder, in order; none where it is missing.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join(folder))
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}
