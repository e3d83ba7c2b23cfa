//! Runs the blocks of a page as their reader would, or asks our programs whether they understand them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The three programs, of one build.
pub(crate) fn programs() -> &'static [(&'static str, PathBuf); 3] {
    static PROGRAMS: OnceLock<[(&str, PathBuf); 3]> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let harness = assert_cmd::cargo::cargo_bin!("harness").to_owned();
        let beside = |name| harness.with_file_name(name);
        let (store, report) = (beside("store"), beside("report"));
        // Cargo builds these two for their own tests; a test of this crate alone has to ask for them.
        if built(&store).min(built(&report)) < newest(&root(), &["store", "report", "templates"]) {
            build(&harness);
        }
        [("harness", harness), ("store", store), ("report", report)]
    })
}

fn built(program: &Path) -> SystemTime {
    let data = fs::metadata(program).and_then(|data| data.modified());
    data.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn newest(dir: &Path, names: &[&str]) -> SystemTime {
    let below = names.iter().flat_map(|name| files(&dir.join(name)));
    let times = below.filter_map(|path| path.metadata().ok()?.modified().ok());
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What programs are built from below a folder: tests are not.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let entries = entries.filter(|path| !path.ends_with("tests") && !path.ends_with("benches"));
    let mut found = Vec::new();
    for path in entries {
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn build(harness: &Path) {
    let folder = harness.parent().unwrap();
    let profile = match folder.ends_with("debug") {
        true => "dev",
        false => folder.file_name().unwrap().to_str().unwrap(),
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args([
            "build",
            "--locked",
            "-p",
            "store",
            "-p",
            "report",
            "--profile",
            profile,
        ])
        .arg("--target-dir")
        .arg(folder.parent().unwrap())
        .current_dir(root())
        .status()
        .unwrap();
    assert!(done.success(), "store and report cannot be built");
}

/// What a reader has: a home folder with a clone of the repository, and the programs installed.
pub(crate) struct Reader {
    home: tempfile::TempDir,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for folder in ["bin", "vlm-bench"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for (name, program) in programs() {
            std::os::unix::fs::symlink(program, at("bin").join(name)).unwrap();
        }
        let datasets = root().canonicalize().unwrap().join("datasets");
        std::os::unix::fs::symlink(datasets, at("vlm-bench/datasets")).unwrap();
        fs::copy(root().join("results.db"), at("vlm-bench/results.db")).unwrap();
        fs::write(at("here"), home.path().to_str().unwrap()).unwrap();
        Self { home }
    }

    /// Goes where every page but the first begins: to the folder that the first one made.
    pub(crate) fn turn_page(&self) {
        let own = self.home.path().join("bench");
        if own.is_dir() {
            fs::write(self.home.path().join("here"), own.to_str().unwrap()).unwrap();
        }
    }

    /// Runs a block where the last one ended. Output and errors come together.
    pub(crate) fn run(&self, block: &str) -> Output {
        let here = self.home.path().join("here");
        let folder = fs::read_to_string(&here).unwrap();
        let mut path = self.home.path().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut bash = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            let name_of = name.to_string_lossy();
            let foreign = ["HF_", "XDG_", "GITHUB_", "VLM_BENCH_"];
            if foreign.iter().any(|start| name_of.starts_with(start)) || name_of == "COLUMNS" {
                bash.env_remove(&name);
            }
        }
        bash.args(["-eu", "-c", &script(block)])
            .current_dir(folder.trim())
            .env("HOME", self.home.path())
            .env("PATH", path)
            .env("HERE", here)
            .env("HF_HUB_OFFLINE", "1")
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    }
}

/// The block with a check of every exit code that a comment names: `harness doctor  # exit 0 or 1`.
fn script(block: &str) -> String {
    let mut script = "exec 2>&1\ntrap 'pwd > \"$HERE\"' EXIT\n".to_owned();
    for line in block.replace("\\\n", " ").lines() {
        script += &match line.split_once("# exit ") {
            Some((command, codes)) => {
                let words = codes.split(|c: char| !c.is_ascii_alphanumeric());
                let codes: Vec<_> = words.filter(|word| word.parse::<u8>().is_ok()).collect();
                let codes = codes.join("|");
                format!(
                    "set +e\n{command}\ncode=$?\nset -e\ncase $code in {codes}) ;; \
                     *) echo \"exit code $code, not {codes}\"; exit 99 ;; esac\n"
                )
            }
            None => format!("{line}\n"),
        };
    }
    script
}

/// What our programs refuse in a script, and what is no shell at all. Nothing but them is started, and they
/// are asked for help with the same words: an option or command that is gone is an error even then.
pub(crate) fn refused(script: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (stubs, refused) = (dir.path().join("bin"), dir.path().join("refused"));
    fs::create_dir(&stubs).unwrap();
    for (name, program) in programs() {
        let stub = format!(
            "#!/bin/sh\nsaid=$('{}' \"$@\" --help 2>&1) || {{ echo {name} \"$@\"; echo \"$said\"; }} >> '{}'\n",
            program.display(),
            refused.display()
        );
        write_program(&stubs.join(name), &stub);
    }
    write_program(&stubs.join("cargo"), CARGO);
    let path = dir.path().join("script");
    fs::write(&path, format!("{WRAPPERS}{script}")).unwrap();
    let parsed = Command::new("bash").arg("-n").arg(&path).output().unwrap();
    if !parsed.status.success() {
        return String::from_utf8_lossy(&parsed.stderr).into_owned();
    }
    let bash = which("bash");
    Command::new(bash)
        .arg(&path)
        .current_dir(dir.path())
        .env("PATH", &stubs)
        .output()
        .unwrap();
    fs::read_to_string(refused).unwrap_or_default()
}

/// Programs that start the one named behind their options, and one whose words are asked for. Folders of the
/// text need not exist.
const WRAPPERS: &str = "cd() { :; }
git() { echo 0123456789abcdef0123456789abcdef01234567; }
sudo() { \"$@\"; }
caffeinate() { while [ \"${1#-}\" != \"$1\" ]; do shift; done; \"$@\"; }
";

/// Our aliases of cargo, and `cargo … run -p harness … -- WORDS`.
const CARGO: &str = r#"#!/bin/sh
case " $* " in
" harness "*) shift; exec harness "$@" ;;
" reports "*) shift; exec report "$@" ;;
" store "*) shift; exec store "$@" ;;
*" --example "*) ;;
*" run "*" -p harness "*" -- "*) while [ "$1" != -- ]; do shift; done; shift; exec harness "$@" ;;
esac
"#;

fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn which(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&path).map(|dir| dir.join(name));
    places.find(|path| path.is_file()).unwrap()
}
