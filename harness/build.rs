//! Writes into the program what it was built from: compiler, source tree, commit, library versions, and
//! the datasets, so that an installed program needs no source tree.
//!
//! A value that cannot be found out is left out; `environment.rs` reads them with `option_env!`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "src/environment/git.rs"]
mod git;

fn main() {
    let Some(package) = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) else {
        return;
    };
    let Some(tree) = package.parent() else { return };
    git::SOURCES.iter().for_each(|path| watch(&tree.join(path)));
    emit("VLM_BENCH_TREE", tree.to_str().map(ToOwned::to_owned));
    emit("VLM_BENCH_COMPILER", compiler());
    let lock = lock([tree, &package]);
    emit("VLM_BENCH_BACKENDS", Some(backends(&lock)));
    emit("VLM_BENCH_FEATURES", Some(features()));
    emit(
        "VLM_BENCH_LOCK",
        Some(key_of(&lock)).filter(|_| !lock.is_empty()),
    );
    find_mlx_at_run_time();
    bundle(&package.join("datasets"));
    if let Some(commit) = git::commit(tree) {
        watch_git(tree);
        emit("VLM_BENCH_COMMIT", Some(commit));
        emit("VLM_BENCH_BRANCH", git::branch(tree));
        emit(
            "VLM_BENCH_DIRTY",
            git::dirty(tree).map(|dirty| dirty.to_string()),
        );
    }
}

fn emit(name: &str, value: Option<String>) {
    if let Some(value) = value.filter(|value| !value.contains('\n')) {
        println!("cargo::rustc-env={name}={value}");
    }
}

/// What a run may need of the datasets.
const BUNDLED: [&str; 6] = [
    "checkpoints",
    "photographs",
    "published",
    "scenes",
    "shapes",
    "suites",
];

/// Writes `bundle.rs`: every file of the datasets by its name, for `include!` in `main.rs`, and a key that
/// changes with them. `datasets` beside this file is a link to the folder of the repository; a package holds the
/// files themselves.
fn bundle(datasets: &Path) {
    let mut files = Vec::new();
    for folder in BUNDLED.map(|name| datasets.join(name)) {
        watch(&folder);
        collect(&folder, &mut files);
    }
    let missing = "no file there: it should be a link to the repository's datasets";
    assert!(!files.is_empty(), "{}: {missing}", datasets.display());
    files.sort();
    let mut key = Key::new();
    let mut list = String::new();
    for path in &files {
        let name = path
            .strip_prefix(datasets)
            .unwrap_or(path)
            .to_string_lossy();
        key.add(name.as_bytes());
        key.add(&fs::read(path).unwrap_or_default());
        let path = path.to_string_lossy();
        list.push_str(&format!("    ({name:?}, include_bytes!({path:?})),\n"));
    }
    let text = format!(
        "const BUNDLE: harness::source::bundle::Bundle = harness::source::bundle::Bundle {{\n    \
         key: \"{:016x}\",\n    files: &[\n{list}    ],\n}};\n",
        key.0
    );
    let out = std::env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    fs::write(out.join("bundle.rs"), text).expect("OUT_DIR can be written");
}

/// Every file below a folder, none where it cannot be read.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

/// FNV-1a over 64 bits: tells versions of files apart, and guards against nothing.
struct Key(u64);

impl Key {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Runs this again when `path` changes. A missing one is left out: Cargo takes it for changed, each
/// time.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// `candle, cuda`: the switches of this package that are on.
fn features() -> String {
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let on = variables.filter_map(|name| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase()));
    let mut on: Vec<String> = on.filter(|name| name != "default").collect();
    on.sort();
    on.join(", ")
}

/// What tells versions of a text apart, here of the lock file: of all libraries that are built in.
fn key_of(text: &str) -> String {
    let mut key = Key::new();
    key.add(text.as_bytes());
    format!("{:016x}", key.0)
}

fn compiler() -> Option<String> {
    let output = Command::new(std::env::var_os("RUSTC")?)
        .arg("--version")
        .output()
        .ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Built anew when another commit is checked out. A work tree that shares its repository keeps its
/// HEAD elsewhere, so git is asked for the places.
fn watch_git(tree: &Path) {
    let branch = git::ask(tree, &["symbolic-ref", "HEAD"]);
    let files = ["HEAD", "logs/HEAD", "packed-refs"]
        .into_iter()
        .chain(branch.as_deref());
    for file in files {
        if let Some(path) = git::ask(tree, &["rev-parse", "--git-path", file]) {
            watch(&tree.join(path));
        }
    }
}

/// The list of dependencies: the repository's, else the one that a package brings along.
fn lock(folders: [&Path; 2]) -> String {
    let locks = folders.iter().map(|folder| folder.join("Cargo.lock"));
    let mut texts = locks.filter_map(|path| fs::read_to_string(path).ok());
    texts.next().unwrap_or_default()
}

/// `candle-core=0.11.1,candle-nn=0.11.1`: the libraries of the backends that are switched on.
fn backends(lock: &str) -> String {
    let on = |feature: &str| std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let candle = ["candle-core", "candle-nn"]
        .into_iter()
        .filter(|_| on("CANDLE"));
    let mlx = ["mlx-rs", "mlx-sys"].into_iter().filter(|_| on("MLX"));
    let version = |name| Some(format!("{name}={}", locked_version(lock, name)?));
    // mlx-sys says which MLX it builds; its own numbers are others.
    let native = std::env::var("DEP_MLX_VERSION").map(|version| format!("mlx={version}"));
    candle
        .chain(mlx)
        .filter_map(version)
        .chain(native)
        .collect::<Vec<_>>()
        .join(",")
}

/// On Linux MLX is a shared library in a folder of its own, see `tools/mlx-linux.sh`: every program
/// of this package remembers where, for itself and for the libraries it brings along.
fn find_mlx_at_run_time() {
    if let Ok(folders) = std::env::var("DEP_MLX_LIB") {
        println!("cargo::rustc-link-arg=-Wl,--disable-new-dtags,-rpath,{folders}");
    }
}

fn locked_version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry)?;
    rest.split('"').next()
}
