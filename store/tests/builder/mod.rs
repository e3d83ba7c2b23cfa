//! Sessions and runs to test with.
#![allow(dead_code, reason = "each test crate uses its own part")]

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use store::db::{Acknowledgement, Noise};
use store::{
    Answer, Asked, Cell, Environment, Facts, Machine, Metric, Outcome, Remark, RemarkKind, Run,
    Sample, Session, Stage, Uuid, Void,
};

pub(crate) fn moment(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
        + TimeDelta::seconds(1_780_000_000 + second)
        + TimeDelta::nanoseconds(123_456_789)
}

pub(crate) fn machine() -> Machine {
    Machine {
        chip: "Apple M3".to_owned(),
        performance_cores: 4,
        efficiency_cores: 4,
        memory_gib: 16,
        gpus: vec!["Apple M3, 10 cores".to_owned()],
        arch: "aarch64".to_owned(),
        os: "macOS 15".to_owned(),
    }
}

pub(crate) fn facts(name: &str, text: &str) -> Facts {
    Facts::from([(name.to_owned(), text.to_owned())])
}

pub(crate) fn session(number: u32) -> Session {
    Session {
        id: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)),
        at: moment(i64::from(number) * 1000),
        finished: None,
        plan: "plan".to_owned(),
        suite: "embedded".to_owned(),
        profile: "quick".to_owned(),
        machine: machine(),
        environment: Environment {
            commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            branch: Some("main".to_owned()),
            dirty: Some(false),
            backends: BTreeMap::from([("candle-core".to_owned(), "0.11.1".to_owned())]),
            harness: "0.1.0".to_owned(),
            compiler: "rustc 1.95.0".to_owned(),
            os_build: "15.5 (24F74)".to_owned(),
            power: "ac".to_owned(),
            release: true,
            threads: 4,
            facts: facts("features", "candle"),
        },
        asked: Asked {
            seed: Some(u64::MAX),
            suite: Some("my \"suite\".toml".to_owned()),
            precision: Some("f32".to_owned()),
            server: None,
        },
        state: facts("thermal", "nominal"),
        end_state: None,
    }
}

pub(crate) fn run(session: &Session, number: u32) -> Run {
    let samples = vec![
        Sample {
            metric: Metric::Ttft,
            epochs: vec![vec![0.1, 0.3], vec![1.0 / 3.0]],
        },
        Sample {
            metric: Metric::Inference,
            epochs: vec![vec![0.25], vec![]],
        },
    ];
    let reason = "machine slept, \"lid\" closed".to_owned();
    let answer = Answer {
        item: "v1_color".to_owned(),
        arm: "right".to_owned(),
        prompt: "What colour?\n".to_owned(),
        text: "red\u{0} \u{1b}[31m\u{fffd} ✅".to_owned(),
        expected: Some("red".to_owned()),
        right: Some(true),
    };
    Run {
        id: Uuid::from_u128(session.id.as_u128() + (u128::from(number) << 32)),
        session: session.id,
        at: session.at + TimeDelta::seconds(i64::from(number)),
        wall_s: 1.5,
        cell: cell("warm"),
        argument: Some("tiny, \"quoted\"@abc".to_owned()),
        outcome: Outcome::Measured {
            samples,
            voids: vec![
                Void {
                    metric: Some(Metric::Ttft),
                    count: 2,
                    reason,
                },
                Void {
                    metric: None,
                    count: 0,
                    reason: "whole cell".to_owned(),
                },
            ],
        },
        answers: vec![
            answer.clone(),
            Answer {
                expected: None,
                right: None,
                ..answer
            },
        ],
        remarks: vec![
            Remark {
                kind: RemarkKind::Advisory,
                count: 3,
                text: "background load 31 %".to_owned(),
            },
            Remark {
                kind: RemarkKind::Finding,
                count: 0,
                text: "fails: [a, b]; passes: [a], [b]".to_owned(),
            },
        ],
    }
}

pub(crate) fn failed(session: &Session, number: u32) -> Run {
    let outcome = Outcome::Failed {
        stage: Stage::Crash,
        message: "signal 9".to_owned(),
    };
    Run {
        cell: cell("load"),
        outcome,
        answers: Vec::new(),
        remarks: Vec::new(),
        ..run(session, number)
    }
}

fn cell(scenario: &str) -> Cell {
    Cell {
        model: "tiny, \"quoted\"".to_owned(),
        scenario: scenario.to_owned(),
        version: Some(2),
        backend: "candle".to_owned(),
        device: "cpu".to_owned(),
        precision: "f32 (bf16 weights)".to_owned(),
        weights: "embedded".to_owned(),
        revision: "abc".to_owned(),
    }
}

/// A database with two sessions: the first finished, with a measured and a failed run.
pub(crate) fn filled(path: &Path) -> store::Db {
    let mut db = store::Db::open(path).expect("a new database");
    let (one, two) = (session(1), session(2));
    db.begin(&one).expect("begun");
    db.insert(&run(&one, 1)).expect("inserted");
    db.insert(&failed(&one, 2)).expect("inserted");
    db.finish(one.id, moment(1500), &facts("thermal", "fair"))
        .expect("finished");
    db.begin(&two).expect("begun");
    db.insert(&run(&two, 1)).expect("inserted");
    db
}

/// A database with a row in every table: [`filled`], a noise floor, a guide and three historic rows.
pub(crate) fn everything(path: &Path) -> store::Db {
    let mut db = filled(path);
    let floor = Noise {
        at: moment(9),
        metric: Metric::Ttft,
        floor: 0.02,
        pairs: 20,
        harness: "0.1.0".to_owned(),
    };
    db.keep_noise(&machine(), &[floor]).expect("kept");
    let accepted = Acknowledgement {
        series: "0123456789ab".to_owned(),
        run: run(&session(1), 1).id,
        at: moment(10),
        reason: "new kernel".to_owned(),
    };
    db.acknowledge(&accepted).expect("kept");
    let guide = include_str!("../../../datasets/legacy/guide-2025-07-22.md");
    let guide = store::legacy::parse_guide(guide).expect("the guide");
    db.import_guide(&guide).expect("imported");
    let history = include_str!("../../../datasets/legacy/legacy-results.json");
    let history = store::legacy::parse_history(history).expect("the history");
    db.import_history(&history[..3]).expect("imported");
    db
}

/// Everything that can be read of a database, in the order of reading.
pub(crate) fn content(path: &Path) -> String {
    let db = store::Db::open_existing(path).expect("ours");
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
    let runs = db.runs(&store::RunFilter::default()).expect("runs");
    let machines = db.machines().expect("machines");
    let noise = |machine: &Machine| db.noise(&machine.key()).expect("noise");
    let noise: Vec<_> = machines.iter().map(noise).collect();
    let (guides, history) = (db.guides().expect("guides"), db.history().expect("rows"));
    let sessions = db.sessions().expect("sessions");
    let accepted = db.acknowledgements().expect("acknowledgements");
    format!("{accepted:#?}{machines:#?}{noise:#?}{sessions:#?}{runs:#?}{guides:#?}{history:#?}")
}

/// Names of the tables.
pub(crate) fn tables(path: &Path) -> Vec<String> {
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    sql(path, query).lines().map(str::to_owned).collect()
}

/// Runs SQL in the SQLite that is linked in, so that tests need no program; rows as the `sqlite3`
/// program prints them.
pub(crate) fn sql(path: &Path, text: &str) -> String {
    let conn = rusqlite::Connection::open(path).expect("a database");
    conn.pragma_update(None, "foreign_keys", false)
        .expect("as the program has it");
    let mut printed = String::new();
    use rusqlite::fallible_iterator::FallibleIterator;
    let mut batch = rusqlite::Batch::new(&conn, text);
    while let Some(mut statement) = batch.next().expect("SQL") {
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().expect("a row") {
            let cells = (0..columns).map(|column| shown(row.get_ref_unwrap(column)));
            printed += &cells.collect::<Vec<_>>().join("|");
            printed.push('\n');
        }
    }
    printed
}

fn shown(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}
