//! The gate from two commits on: built, measured, judged, by its script alone.

use std::fs;

use super::gate::{build, comment};
use super::{Desk, TINY, programs, root};

/// A copy of the gate, so that it judges this repository.
const GATE: &str = "tools/gate.sh";

const WAIVER: &str = r#"[[waiver]]
metric = "inference"
cell = "*"
reason = "exact softmax"
expires = 2999-12-31
allowed_change = 0.20
"#;

impl Desk {
    /// A repository of two commits; `cargo` copies the program that lies in each.
    fn commits(base: &str, head: &str) -> Self {
        let desk = Self::new();
        desk.git(&["init", "--quiet"]);
        fs::write(
            desk.path(".gitignore"),
            "/bin\n/cargo.log\n/gate\n/target\n",
        )
        .unwrap();
        fs::create_dir(desk.path("tools")).unwrap();
        fs::copy(root().join(GATE), desk.path(GATE)).unwrap();
        for program in [base, head] {
            desk.script("program", program);
            desk.git(&["add", "--all"]);
            desk.git(&["commit", "--quiet", "--allow-empty", "--message", "x"]);
        }
        let programs = programs().display();
        let cargo = format!(
            "echo \"$@\" >> '{}'; out=$CARGO_TARGET_DIR/release; mkdir -p \"$out\"
            cp program \"$out/harness\" && cp '{programs}/report' '{programs}/store' \"$out/\"",
            desk.path("cargo.log").display()
        );
        desk.script("bin/cargo", &cargo);
        desk
    }

    #[track_caller]
    fn gate(&self, arguments: &[&str], code: i32) -> String {
        let script = self.path(GATE);
        let mut command = self.command(script.to_str().unwrap());
        command
            .env("CARGO_TARGET_DIR", self.path("target"))
            .env("GATE_FEATURES", "harness/mlx");
        let output = command.args(arguments).output().unwrap();
        let said = super::said(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }

    /// Builds and measures; what the verdict says.
    #[track_caller]
    fn gated(&self, code: i32) -> String {
        self.gate(&["build", "HEAD~1", "gate"], 0);
        let text = ["--offline", "--model", TINY, "--scenario", "text-only"];
        self.gate(&[&["counters", "gate"][..], &text].concat(), 0);
        self.gate(&["duet", "gate", "--offline", "--model", TINY], 0);
        self.gate(&["verdict", "gate"], code)
    }
}

#[test]
fn a_commit_that_makes_it_slower_fails_until_it_is_waived() {
    let desk = Desk::commits(&build("0.100"), &build("0.110"));
    let said = desk.gated(1);
    assert!(said.contains("REGRESSED: 1 regressed"), "{said}");
    assert!(said.contains("+10.0 % [+10.0, +10.0]"), "{said}");
    let comment_of = || comment(&desk, &["counters", "duet"]);
    assert!(comment_of().contains("REGRESSED: 1 regressed"));
    fs::write(desk.path("waivers.toml"), WAIVER).unwrap();
    let said = desk.gated(0);
    assert!(said.contains("exact softmax"), "{said}");
    let told = comment_of();
    assert!(
        told.contains("exact softmax") && !told.contains("REGRESSED"),
        "{told}"
    );
    fs::write(desk.path("waivers.toml"), WAIVER.replace("0.20", "0.05")).unwrap();
    for told in [desk.gated(1), comment_of()] {
        assert!(told.contains("(waivers.toml:1) allows 5.0 %"), "{told}");
    }
}

#[test]
fn a_commit_that_changes_nothing_passes() {
    let desk = Desk::commits(&build("0.100"), &build("0.100"));
    let said = desk.gated(0);
    assert!(said.contains("pass: "), "{said}");
    let asked = desk.text("cargo.log");
    assert_eq!(
        asked.matches(" --features harness/mlx\n").count(),
        2,
        "{asked}"
    );
}

#[test]
fn a_base_that_measures_nothing_is_missing() {
    let said = Desk::commits("exit 1", &build("0.100")).gated(3);
    assert!(said.contains("base.db: is no file"), "{said}");
}
