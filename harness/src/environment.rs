//! What software and power were like when a session started.

mod facts;
mod git;

use std::collections::BTreeMap;
use std::path::Path;

use store::Environment;

use crate::conditions::{Power, power};

pub use facts::state;

/// Threads that the backends compute with: `RAYON_NUM_THREADS` where the user set it, else the fast
/// cores that this process may use. Slow cores would only make the fast ones wait.
#[must_use]
pub fn threads() -> u32 {
    let set = std::env::var("RAYON_NUM_THREADS").ok();
    let set = set
        .and_then(|text| text.parse().ok())
        .filter(|&threads| threads > 0);
    let allowed = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let allowed = u32::try_from(allowed).unwrap_or(u32::MAX);
    set.unwrap_or(match crate::machine::detect().performance_cores {
        0 => allowed,
        fast => fast.min(allowed),
    })
}

/// The environment of a session whose backends may use `threads` threads.
///
/// Never fails: what cannot be found out is `None` or `unknown`.
#[must_use]
pub fn detect(threads: u32) -> Environment {
    let source = Source::built().seen_now();
    Environment {
        commit: source.commit,
        branch: source.branch,
        dirty: source.dirty,
        backends: parse_backends(option_env!("VLM_BENCH_BACKENDS").unwrap_or_default()),
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        compiler: option_env!("VLM_BENCH_COMPILER")
            .unwrap_or("unknown")
            .to_owned(),
        os_build: os_build(),
        power: power().map_or("unknown", Power::name).to_owned(),
        release: !cfg!(debug_assertions),
        threads,
        facts: facts::facts(),
    }
}

/// The system's full version.
pub(crate) fn os_build() -> String {
    system::os_build()
}

/// The source that this program was built from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    tree: Option<&'static str>,
    commit: Option<String>,
    branch: Option<String>,
    dirty: Option<bool>,
}

impl Source {
    /// As it was when the program was built.
    fn built() -> Self {
        Self {
            tree: option_env!("VLM_BENCH_TREE"),
            commit: option_env!("VLM_BENCH_COMMIT").map(ToOwned::to_owned),
            branch: option_env!("VLM_BENCH_BRANCH").map(ToOwned::to_owned),
            dirty: option_env!("VLM_BENCH_DIRTY").and_then(|dirty| dirty.parse().ok()),
        }
    }

    /// Branch and uncommitted changes as they are now, where the tree is still at the commit that
    /// was built. A tree that moved on says nothing about this program.
    fn seen_now(self) -> Self {
        let Some(tree) = self.tree.map(Path::new) else {
            return self;
        };
        let head = git::commit(tree);
        if head.is_none() || head != self.commit {
            return self;
        }
        Self {
            branch: git::branch(tree),
            // Changes that were built in stay in the program when they are undone in the tree.
            dirty: self.dirty.max(git::dirty(tree)),
            ..self
        }
    }
}

/// `name=version` pairs, parted by commas.
fn parse_backends(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

#[cfg(not(target_os = "macos"))]
use linux as system;
#[cfg(target_os = "macos")]
use macos as system;

#[cfg(any(not(target_os = "macos"), test))]
mod linux {
    use crate::machine::linux::{os_release, os_release_value};
    use crate::machine::root::Root;

    #[cfg(not(target_os = "macos"))]
    pub(super) fn os_build() -> String {
        os_build_of(&Root::system())
    }

    /// `Debian GNU/Linux 12 (bookworm), kernel 6.1.0-18-arm64`.
    pub(super) fn os_build_of(root: &Root) -> String {
        let release = os_release(root);
        let name = os_release_value(&release, "PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned());
        match root.read("proc/sys/kernel/osrelease") {
            Some(kernel) => format!("{name}, kernel {kernel}"),
            None => name,
        }
    }
}

#[cfg(target_os = "macos")]
mod macos {
    use crate::machine::macos::text;

    /// `macOS 15.6.1 (24G90), Darwin 24.6.0`.
    pub(super) fn os_build() -> String {
        let or_unknown = |name| text(name).unwrap_or_else(|| "unknown".to_owned());
        let (version, build) = (
            or_unknown(c"kern.osproductversion"),
            or_unknown(c"kern.osversion"),
        );
        format!(
            "macOS {version} ({build}), Darwin {}",
            or_unknown(c"kern.osrelease")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::root::Root;

    #[test]
    fn the_program_knows_what_it_was_built_with() {
        let environment = detect(2);
        assert!(
            environment.compiler.starts_with("rustc "),
            "{environment:?}"
        );
        assert_eq!(environment.threads, 2);
        assert_eq!(
            environment.backends.contains_key("candle-core"),
            cfg!(feature = "candle")
        );
        if let Some(commit) = environment.commit {
            assert!(
                commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                "{commit}"
            );
        }
    }

    #[test]
    fn a_tree_that_moved_on_or_went_away_says_nothing() {
        let commit = Some("0".repeat(40));
        let gone = Source {
            tree: Some("/nowhere"),
            commit,
            branch: None,
            dirty: Some(false),
        };
        assert_eq!(gone.clone().seen_now(), gone);
        let here = Some(env!("CARGO_MANIFEST_DIR"));
        let moved = Source { tree: here, ..gone };
        assert_eq!(moved.clone().seen_now(), moved);
    }

    #[test]
    fn a_folder_inside_a_repository_is_not_that_repository() {
        assert_eq!(git::commit(Path::new(env!("CARGO_MANIFEST_DIR"))), None);
    }

    #[test]
    fn a_checkout_of_cargos_own_is_of_no_known_branch() {
        let dir = tempfile::tempdir().unwrap();
        git::ask(dir.path(), &["init", "--quiet", "--initial-branch", "main"]).unwrap();
        assert_eq!(git::branch(dir.path()).as_deref(), Some("main"));
        std::fs::write(dir.path().join(".cargo-ok"), "").unwrap();
        assert_eq!(git::branch(dir.path()), None);
    }

    #[test]
    fn the_system_is_named_with_its_kernel() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::under(dir.path());
        assert_eq!(linux::os_build_of(&root), "Linux");
        std::fs::create_dir_all(dir.path().join("etc")).unwrap();
        std::fs::create_dir_all(dir.path().join("proc/sys/kernel")).unwrap();
        std::fs::write(
            dir.path().join("etc/os-release"),
            "PRETTY_NAME=\"Debian 12\"\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("proc/sys/kernel/osrelease"), "6.1.0\n").unwrap();
        assert_eq!(linux::os_build_of(&root), "Debian 12, kernel 6.1.0");
    }
}
