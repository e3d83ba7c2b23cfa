//! What git says of a source tree. `build.rs` compiles this file too: both must ask the same.

use std::path::Path;
use std::process::{Command, Stdio};

/// What decides how the program behaves, from the root of the tree. A change of anything else, such
/// as a test or the database that a run writes, leaves the tree clean.
pub(crate) const SOURCES: [&str; 10] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "harness/Cargo.toml",
    "harness/build.rs",
    "harness/src",
    "rust-toolchain.toml",
    "store/Cargo.toml",
    "store/migrations",
    "store/src",
];

/// The commit that is checked out, 40 hex digits; `None` where `tree` is no repository of its own
/// but an unpacked copy inside another one.
pub(crate) fn commit(tree: &Path) -> Option<String> {
    let prefix_and_commit = ask(tree, &["rev-parse", "--show-prefix", "HEAD"])?;
    (!prefix_and_commit.contains('\n')).then_some(prefix_and_commit)
}

/// The branch that is checked out, if any. What `cargo install --git` checks out, and marks, is on a branch of
/// Cargo's own naming, whichever was asked for.
pub(crate) fn branch(tree: &Path) -> Option<String> {
    if tree.join(".cargo-ok").exists() {
        return None;
    }
    ask(tree, &["symbolic-ref", "--short", "HEAD"])
}

/// Whether the sources hold uncommitted changes or new files.
pub(crate) fn dirty(tree: &Path) -> Option<bool> {
    let arguments = [&["status", "--porcelain", "--"], &SOURCES[..]].concat();
    ask(tree, &arguments).map(|changes| !changes.is_empty())
}

/// The output of a git command that succeeded; it takes no lock and asks no question.
pub(crate) fn ask(tree: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command
        .env("GIT_OPTIONAL_LOCKS", "0")
        .arg("-C")
        .arg(tree)
        .args(arguments);
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
