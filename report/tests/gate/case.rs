//! Nights of a branch and a pull request, with a change planted in it.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use store::{Db, Metric, Outcome, Run, Sample, Session};
use tempfile::{TempDir, tempdir};

use super::fixture;

pub(crate) const CELL: &str = "tiny/warm-inference/candle/cpu";

/// A session of `day` on branch `branch`.
pub(crate) fn session(day: u32, branch: &str) -> Session {
    let mut session = fixture::session(day, "Apple M3");
    session.environment.branch = Some(branch.to_owned());
    session.environment.dirty = Some(false);
    session
}

/// Five processes around `middle`, a tenth of a percent apart.
pub(crate) fn epochs(metric: Metric, middle: f64) -> Sample {
    let epoch = |by: f64| vec![middle * by; 3];
    Sample {
        metric,
        epochs: [0.999, 1.0, 1.001, 1.0005, 0.9995].map(epoch).to_vec(),
    }
}

pub(crate) fn warm(session: &Session, slow: f64) -> Run {
    let samples = vec![
        epochs(Metric::Inference, 0.4 * slow),
        epochs(Metric::Decode, 80.0 / slow),
        Sample {
            metric: Metric::ImageTokens,
            epochs: vec![vec![64.0; 3]; 5],
        },
    ];
    fixture::run(
        session,
        1,
        ("tiny", "warm-inference"),
        fixture::measured(samples),
    )
}

/// Replaces one metric's values of a run.
pub(crate) fn set(run: &mut Run, sample: Sample) {
    if let Outcome::Measured { samples, .. } = &mut run.outcome {
        samples.retain(|other| other.metric != sample.metric);
        samples.push(sample);
    }
}

pub(crate) fn keep(path: &Path, session: &Session, runs: &[Run]) {
    let mut db = Db::open(path).unwrap();
    let mut begun = session.clone();
    begun.finished = None;
    db.begin(&begun).unwrap();
    runs.iter().for_each(|run| db.insert(run).unwrap());
    let none = store::Facts::default();
    db.finish(session.id, session.finished.unwrap(), &none)
        .unwrap();
}

/// A folder with `base.db`, seven nights of main, and `pr.db`, what `change` makes of one more.
pub(crate) struct Case {
    folder: TempDir,
}

impl Case {
    pub(crate) fn new(change: impl Fn(&mut Session, &mut Vec<Run>)) -> Self {
        let folder = tempdir().unwrap();
        for day in 0..7 {
            let main = session(day, "main");
            let restless = 1.0 + 0.004 * f64::from(day % 3);
            keep(
                &folder.path().join("base.db"),
                &main,
                &[warm(&main, restless)],
            );
        }
        let mut pr = session(20, "pr");
        let mut runs = vec![warm(&pr, 1.0)];
        change(&mut pr, &mut runs);
        keep(&folder.path().join("pr.db"), &pr, &runs);
        Self { folder }
    }

    /// One whose runs are slower by a factor.
    pub(crate) fn slower(by: f64) -> Self {
        Self::new(|pr, runs| *runs = vec![warm(pr, by)])
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn report(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("report").unwrap();
        command.current_dir(self.folder.path()).args(arguments);
        command.env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    /// Checks `pr.db` against `base.db` with more arguments; standard output.
    #[track_caller]
    pub(crate) fn check(&self, more: &[&str], code: i32) -> String {
        let mut arguments = vec!["check", "--db", "base.db", "--candidate", "pr.db"];
        arguments.extend(more);
        let ran = self.report(&arguments).assert().code(code);
        String::from_utf8(ran.get_output().stdout.clone()).unwrap()
    }

    /// The row of a metric in the JSON, with its verdict asserted.
    #[track_caller]
    pub(crate) fn row(&self, metric: Option<&str>, verdict: &str, code: i32) -> Value {
        let document: Value = serde_json::from_str(&self.check(&["--json"], code)).unwrap();
        assert_eq!(document["exit_code"], code);
        let metric = metric.map_or(Value::Null, Value::from);
        let rows = document["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["metric"] == metric);
        let row = row.unwrap_or_else(|| panic!("no {metric} in {document}"));
        assert_eq!(row["verdict"], verdict, "{row}");
        row.clone()
    }
}

pub(crate) fn reason(row: &Value) -> &str {
    row["reason"].as_str().unwrap()
}
