//! The nightly sequence: measured, verified, exported, kept on a branch, shown, told in an issue.

use std::fs;
use std::process::Command;

use chrono::TimeDelta;
use store::{Document, Metric, Outcome, Uuid};

use super::{Desk, TINY, programs, root};

const NIGHTLY: &str = "tools/nightly.sh";
const ISSUE: &str = ".github/scripts/issue.sh";

impl Desk {
    /// A repository with a remote.
    fn repository() -> Self {
        let desk = Self::new();
        desk.git(&["init", "--quiet"]);
        desk.git(&["init", "--quiet", "--bare", "remote"]);
        desk.git(&["commit", "--quiet", "--allow-empty", "--message", "x"]);
        desk
    }

    fn night(&self, folder: &str) {
        let scenario = ["--scenario", "cold-load", "--model", TINY];
        self.run(NIGHTLY, &[&["measure", folder][..], &scenario].concat(), 0);
    }

    fn kept(&self) -> (String, usize) {
        let commits = self.git(&["-C", "remote", "rev-list", "--count", "results"]);
        let files = self.git(&["-C", "remote", "ls-tree", "-r", "--name-only", "results"]);
        (commits, files.lines().count())
    }
}

#[test]
fn nights_are_kept_without_history_and_shown() {
    let desk = Desk::repository();
    for (night, files) in [("one", 1), ("two", 2)] {
        desk.night(night);
        desk.run(NIGHTLY, &["collect", night, "remote"], 0);
        desk.run(NIGHTLY, &["keep", night, "remote"], 0);
        assert_eq!(desk.kept(), ("1".to_owned(), files));
    }
    // Again is nothing new, and the work tree's own index is as it was.
    assert!(
        desk.run(NIGHTLY, &["keep", "two", "remote"], 0)
            .contains("nothing new")
    );
    assert_eq!(desk.git(&["diff", "--cached", "--name-only"]), "");
    assert!(desk.path("two/site/index.html").is_file());
    assert!(
        desk.text("two/changes.md")
            .contains("## vlm-bench: no open change")
    );
    assert_eq!(desk.text("two/news").trim(), "0");
    let log = desk.text("two/import.log");
    assert_eq!(
        log.matches("1 session with 1 run, 1 added, 0 known")
            .count(),
        2,
        "{log}"
    );
}

#[test]
fn a_damaged_file_costs_its_own_session_alone() {
    let desk = Desk::repository();
    desk.night("one");
    let whole = fs::read_dir(desk.path("one/runs")).unwrap().next().unwrap();
    let bytes = fs::read(whole.unwrap().path()).unwrap();
    fs::write(desk.path("one/runs/cut.json"), &bytes[..bytes.len() / 2]).unwrap();
    fs::write(desk.path("one/runs/empty.json"), "").unwrap();
    desk.run(NIGHTLY, &["keep", "one", "remote"], 0);
    desk.night("two");
    let mut collect = desk.command(NIGHTLY);
    collect.args(["collect", "two", "remote"]);
    collect.env("GITHUB_STEP_SUMMARY", desk.path("summary.md"));
    let output = collect.output().unwrap();
    let said = super::said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let summary = desk.text("summary.md");
    for text in [&said, &summary] {
        for name in ["cut.json is left out: ", "empty.json is left out: "] {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
    let log = desk.text("two/import.log");
    assert_eq!(
        log.matches("1 session with 1 run, 1 added").count(),
        2,
        "{log}"
    );
    assert!(desk.path("two/site/index.html").is_file());
    assert_eq!(desk.text("two/news").trim(), "0");
}

#[test]
fn a_run_that_stops_keeps_what_is_stored() {
    let desk = Desk::repository();
    desk.night("night");
    fs::remove_dir_all(desk.path("night/runs")).unwrap();
    desk.run(NIGHTLY, &["measure", "night", "--model", "gpt"], 2);
    assert_eq!(fs::read_dir(desk.path("night/runs")).unwrap().count(), 1);
}

#[test]
fn a_night_without_a_remote_fails() {
    let desk = Desk::repository();
    fs::create_dir_all(desk.path("night/runs")).unwrap();
    let said = desk.run(NIGHTLY, &["keep", "night", "nowhere"], 128);
    assert!(said.contains("nowhere"), "{said}");
}

/// Nights like the first, day by day; from night 20 on loading takes longer by a factor.
fn shift(desk: &Desk, by: f64) {
    let folder = desk.path("night/runs");
    let first = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = fs::read_to_string(&first).unwrap();
    fs::remove_file(first).unwrap();
    for night in 0..30_u32 {
        let mut document = Document::parse(&text).unwrap().remove(0);
        let slow = if night < 20 { 1.0 } else { by } * (1.0 + 0.004 * f64::from(night % 4));
        let later = TimeDelta::days(i64::from(night) - 40);
        let session = &mut document.session;
        session.id = Uuid::from_u128(session.id.as_u128() + u128::from(night));
        session.at += later;
        session.finished = session.finished.map(|at| at + later);
        for run in &mut document.runs {
            run.id = Uuid::from_u128(run.id.as_u128() + u128::from(night));
            (run.session, run.at) = (document.session.id, run.at + later);
            if let Outcome::Measured { samples, .. } = &mut run.outcome {
                samples.retain(|sample| sample.metric == Metric::LoadWarm);
                for value in samples.iter_mut().flat_map(|s| &mut s.epochs).flatten() {
                    *value = 0.1 * slow;
                }
            }
        }
        let name = format!("night-{night:02}.json");
        fs::write(folder.join(name), serde_json::to_string(&document).unwrap()).unwrap();
    }
}

#[test]
fn a_change_is_told_in_one_issue() {
    let desk = Desk::repository();
    desk.night("night");
    shift(&desk, 1.3);
    // What gh knows is in the file `issue`; what it is told to do, in `log`.
    let gh = r#"case "$1 $2" in
        "issue list") cat issue 2> /dev/null ;;
        "issue view") cat body ;;
        "issue create") echo "7 OPEN" > issue; cp "$8" body; echo create >> log ;;
        "issue edit") cp "$5" body; echo edit >> log ;;
        "issue close") echo "7 CLOSED" > issue; echo close >> log ;;
        *) echo "$1 $2" >> log ;;
    esac
    true"#;
    desk.script("bin/gh", gh);
    let told = || {
        desk.run(ISSUE, &["read", "night"], 0);
        desk.run(NIGHTLY, &["collect", "night", "remote"], 0);
        desk.run(ISSUE, &["write", "night"], 0);
        let log = fs::read_to_string(desk.path("log")).unwrap_or_default();
        let _ = fs::remove_file(desk.path("log"));
        (log, desk.text("night/news").trim().to_owned())
    };
    assert_eq!(
        told(),
        ("label create\ncreate\n".to_owned(), "1".to_owned())
    );
    let text = desk.text("night/changes.md");
    for part in [
        "1 open change\n",
        " regression on ",
        "load\\_warm",
        "+30.",
        "confirmed, 10 nights",
    ] {
        assert!(
            text.contains(part) || text.replace("\\_", "_").contains(&part.replace("\\_", "_")),
            "{part}: {text}"
        );
    }
    // The next night has nothing new to tell; an issue that somebody closed stays closed.
    assert_eq!(told(), (String::new(), "0".to_owned()));
    fs::write(desk.path("issue"), "7 CLOSED\n").unwrap();
    assert_eq!(told(), (String::new(), "0".to_owned()));
    // A database without the change closes what is open.
    fs::write(desk.path("issue"), "7 OPEN\n").unwrap();
    fs::remove_dir_all(desk.path("night/runs")).unwrap();
    assert_eq!(told().0, "close\n");
}

/// The scripts are copied, so that the list of what is accepted is this repository's.
#[test]
fn a_change_that_the_repository_accepts_is_not_open() {
    let desk = Desk::repository();
    fs::create_dir(desk.path("tools")).unwrap();
    for script in [NIGHTLY, "tools/results.sh"] {
        fs::copy(root().join(script), desk.path(script)).unwrap();
    }
    let nightly = desk.path(NIGHTLY).display().to_string();
    desk.night("night");
    shift(&desk, 1.3);
    let collect = || desk.run(&nightly, &["collect", "night", "remote"], 0);
    collect();
    let text = desk.text("night/changes.md");
    assert!(text.contains("1 open change\n"), "{text}");
    assert!(text.contains("`acknowledged.txt`"), "{text}");
    let ids = text.lines().next().unwrap();
    let id = ids.trim_start_matches("<!-- vlm-bench changes: ");
    let id = &id[..12];
    let list = format!(
        "# reviewed\n\n{id}  2026-11-20  exact softmax, #41\n0123456789ab  2026-01-01  of long ago\n{id}  undated"
    );
    fs::write(desk.path("acknowledged.txt"), list).unwrap();
    let said = collect();
    assert!(
        said.contains("::warning title=nightly::acknowledged.txt: ")
            && said.contains("0123456789ab"),
        "{said}"
    );
    assert!(said.contains("invalid value 'undated'"), "{said}");
    let text = desk.text("night/changes.md");
    assert!(text.contains("no open change"), "{text}");
    assert_eq!(desk.text("night/news").trim(), "0");
    let mut changes = Command::new(programs().join("report"));
    changes
        .args(["changes", "--db"])
        .arg(desk.path("night/all.db"));
    let listed = super::said(&changes.output().unwrap());
    assert!(listed.contains("exact softmax, #41"), "{listed}");
}
