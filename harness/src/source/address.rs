//! How a model on the hub is named: `owner/name`, or `owner/name@revision`.

use std::fmt;

/// A repository at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `owner/name`.
    pub repository: String,
    /// Which state of it.
    pub revision: Revision,
}

/// A state of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revision {
    /// A commit: 40 hex digits. What it holds never changes.
    Commit(String),
    /// A branch or tag, which the hub or the cache knows the commit of.
    Name(String),
}

impl Revision {
    /// Its spelling.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Commit(text) | Self::Name(text) => text,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.revision.text())
    }
}

impl Address {
    /// A repository at a revision; at its main branch without one.
    ///
    /// # Errors
    /// When one of them cannot be a name on the hub.
    pub fn new(repository: &str, revision: Option<&str>) -> Result<Self, String> {
        let mut parts = repository.split('/');
        let two = matches!((parts.next(), parts.next(), parts.next()), (Some(a), Some(b), None) if is_part(a) && is_part(b));
        if !two {
            return Err(format!("{repository:?} is no repository: OWNER/NAME is"));
        }
        let revision = revision.unwrap_or("main");
        if revision.is_empty() || revision.len() > 255 || !revision.split('/').all(is_part) {
            return Err(format!(
                "{revision:?} is no revision: a commit of 40 hex digits, a branch or a tag is"
            ));
        }
        let revision = match is_commit(revision) {
            true => Revision::Commit(revision.to_owned()),
            false => Revision::Name(revision.to_owned()),
        };
        let repository = repository.to_owned();
        Ok(Self {
            repository,
            revision,
        })
    }
}

/// Whether this is a full commit hash.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    is_hex(text, 40)
}

/// Whether `text` is so many lower-case hex digits.
pub(super) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether it is one step of a path on every system: no separator, nothing hidden, no way up.
/// `--` stands for a slash in the cache's folders, so it is in no name.
fn is_part(part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edges = part.starts_with(['.', '-']) || part.ends_with(['.', '-']);
    (1..=96).contains(&part.len())
        && part.chars().all(plain)
        && !edges
        && !part.contains("..")
        && !part.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_are_taken_apart() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let address = Address::new("org/a.b_c-1", Some(commit)).unwrap();
        assert_eq!(address.revision, Revision::Commit(commit.to_owned()));
        assert_eq!(address.to_string(), format!("org/a.b_c-1@{commit}"));
        let main = Address::new("org/name", None).unwrap();
        assert_eq!(main.revision, Revision::Name("main".to_owned()));
        assert!(Address::new("org/name", Some("refs/pr/1")).is_ok());
    }

    #[test]
    fn what_could_leave_the_cache_is_no_name() {
        for repository in [
            "name", "a/b/c", "/b", "a/", "../b", "a/..", "a/b--c", "a/-b", "a/b?", "",
        ] {
            assert!(Address::new(repository, None).is_err(), "{repository}");
        }
        for revision in ["", "..", "a/../b", "/main", "main/", "-x", "a b", "a%2e"] {
            assert!(Address::new("a/b", Some(revision)).is_err(), "{revision}");
        }
    }
}
