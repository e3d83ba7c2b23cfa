//! The database through its API, on real files.

mod builder;

use std::fs;

use builder::{facts, failed, filled, machine, moment, run, session};
use store::db::Imported;
use store::{Db, Document, HistoricRow, Outcome, Run, RunFilter, Session};
use tempfile::tempdir;

#[test]
fn what_is_stored_is_read_again_exactly() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(filled(&path));
    let db = Db::open_existing(&path).expect("ours");
    let (one, two) = (session(1), session(2));
    let ended = Session {
        finished: Some(moment(1500)),
        end_state: Some(facts("thermal", "fair")),
        ..one.clone()
    };
    assert_eq!(db.sessions().expect("sessions"), [ended, two.clone()]);
    let all = [run(&one, 1), failed(&one, 2), run(&two, 1)];
    assert_eq!(db.runs(&RunFilter::default()).expect("runs"), all);
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
    assert_eq!(
        fs::read_dir(dir.path()).expect("a folder").count(),
        1,
        "no side files"
    );
}

#[test]
fn filters_narrow() {
    let dir = tempdir().expect("a folder");
    let db = filled(&dir.path().join("results.db"));
    let count = |filter: RunFilter| db.runs(&filter).expect("runs").len();
    let none = RunFilter::default;
    assert_eq!(
        count(RunFilter {
            session: Some(session(1).id),
            ..none()
        }),
        2
    );
    assert_eq!(
        count(RunFilter {
            scenario: Some("load".to_owned()),
            ..none()
        }),
        1
    );
    assert_eq!(
        count(RunFilter {
            machine: Some(machine().key()),
            ..none()
        }),
        3
    );
    assert_eq!(
        count(RunFilter {
            machine: Some("other".to_owned()),
            ..none()
        }),
        0
    );
    assert_eq!(
        count(RunFilter {
            model: Some("none".to_owned()),
            ..none()
        }),
        0
    );
}

#[test]
fn only_the_newest_session_of_a_plan_can_be_resumed() {
    let dir = tempdir().expect("a folder");
    let mut db = filled(&dir.path().join("results.db"));
    let key = machine().key();
    let found = |db: &Db, plan: &str| db.unfinished(plan, &key).expect("sessions");
    assert_eq!(
        found(&db, "plan").map(|session| session.id),
        Some(session(2).id)
    );
    assert_eq!(found(&db, "another plan"), None);
    assert_eq!(
        db.unfinished("plan", "another machine").expect("sessions"),
        None
    );
    db.finish(session(2).id, moment(3000), &facts("swap", "0 bytes"))
        .expect("finished");
    assert_eq!(found(&db, "plan"), None);
}

#[test]
fn runs_that_must_not_be_stored_are_refused_whole() {
    let dir = tempdir().expect("a folder");
    let mut db = filled(&dir.path().join("results.db"));
    let one = session(1);
    let mut refused = |run: Run| db.insert(&run).expect_err("refused").to_string();
    let known = run(&one, 1);
    assert_eq!(
        refused(known.clone()),
        format!(
            "run {} refused: it, or one of its metrics, is there already",
            known.id
        )
    );
    let stray = run(&session(9), 7);
    assert_eq!(
        refused(stray.clone()),
        format!(
            "run {} refused: its session is not in the database",
            stray.id
        )
    );
    let mut broken = run(&one, 8);
    if let Outcome::Measured { samples, .. } = &mut broken.outcome {
        samples[0].epochs[0][0] = f64::NAN;
    }
    assert_eq!(
        refused(broken.clone()),
        format!(
            "run {} refused: ttft holds a value that is not finite",
            broken.id
        )
    );
    let mut twice = run(&one, 9);
    if let Outcome::Measured { samples, .. } = &mut twice.outcome {
        samples.push(samples[0].clone());
    }
    assert!(refused(twice).ends_with("one of its metrics, is there already"));
    assert_eq!(
        db.runs(&RunFilter::default()).expect("runs").len(),
        3,
        "no half a run"
    );
    assert!(
        db.finish(session(9).id, moment(0), &facts("swap", "0 bytes"))
            .is_err()
    );
    assert!(db.begin(&one).is_err());
}

#[test]
fn the_beginning_of_a_runs_id_names_its_session() {
    let dir = tempdir().expect("a folder");
    let db = filled(&dir.path().join("results.db"));
    let owners = |digits: &str| db.owners(digits).expect("sessions");
    let whole = run(&session(2), 1).id.to_string();
    assert_eq!(owners(&whole), [session(2).id]);
    assert_eq!(owners(&whole.to_uppercase()), [session(2).id]);
    assert_eq!(owners(&whole[..8]), [session(1).id, session(2).id]);
    assert!(owners("ffffffff").is_empty() && owners("%").is_empty());
}

#[test]
fn imports_are_idempotent() {
    let dir = tempdir().expect("a folder");
    let mut db = Db::open(&dir.path().join("results.db")).expect("a new database");
    let guide = include_str!("../../datasets/legacy/guide-2025-07-22.md");
    let guide = store::legacy::parse_guide(guide).expect("the guide");
    let history = include_str!("../../datasets/legacy/legacy-results.json");
    let history = store::legacy::parse_history(history).expect("the history");
    let first = Imported {
        added: 290,
        known: 0,
    };
    assert_eq!(db.import_history(&history).expect("imported"), first);
    let again = Imported {
        added: 0,
        known: 290,
    };
    assert_eq!(db.import_history(&history).expect("imported"), again);
    for added in [1, 0] {
        let imported = db.import_guide(&guide).expect("imported");
        assert_eq!(
            imported,
            Imported {
                added,
                known: 1 - added
            }
        );
    }
    assert_eq!(db.guides().expect("guides"), [guide]);
    let by_id = |mut rows: Vec<HistoricRow>| {
        rows.sort_by_key(HistoricRow::id);
        rows
    };
    assert_eq!(by_id(db.history().expect("rows")), by_id(history));
    assert_eq!(
        db.runs(&RunFilter::default()).expect("runs"),
        [],
        "history is no run"
    );
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
}

#[test]
fn sessions_travel_and_meet_again() {
    let dir = tempdir().expect("a folder");
    let source = filled(&dir.path().join("a.db"));
    let mut target = Db::open(&dir.path().join("b.db")).expect("a new database");
    let one = source.sessions().expect("sessions").remove(0);
    let of_one = RunFilter {
        session: Some(one.id),
        ..RunFilter::default()
    };
    let runs = source.runs(&of_one).expect("runs");
    // First a part of it, still unfinished; then all of it.
    let part = Document::new(
        Session {
            finished: None,
            ..one.clone()
        },
        runs[..1].to_vec(),
    );
    let imported = target.import_session(&part).expect("imported");
    assert_eq!(imported, Imported { added: 1, known: 0 });
    let whole = Document::new(one.clone(), runs.clone());
    let imported = target.import_session(&whole).expect("imported");
    assert_eq!(imported, Imported { added: 1, known: 1 });
    assert_eq!(
        target.sessions().expect("sessions"),
        std::slice::from_ref(&one)
    );
    assert_eq!(target.runs(&RunFilter::default()).expect("runs"), runs);
    let other = Session {
        suite: "other".to_owned(),
        ..one.clone()
    };
    let error = target
        .import_session(&Document::new(other, runs))
        .expect_err("refused");
    assert_eq!(
        error.to_string(),
        format!(
            "session {} refused: the database holds another content under this id",
            one.id
        )
    );
}

#[test]
fn several_writers_wait_for_each_other() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    let write = |writer: u32| {
        let mut db = Db::open(&path).expect("open, whoever creates it");
        let session = session(writer);
        db.begin(&session).expect("begun");
        (1..=20).for_each(|number| db.insert(&run(&session, number)).expect("inserted"));
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..4)
            .map(|writer| scope.spawn(move || write(writer)))
            .collect();
        handles
            .into_iter()
            .for_each(|handle| handle.join().expect("no panic"));
    });
    let db = Db::open_existing(&path).expect("ours");
    assert_eq!(db.runs(&RunFilter::default()).expect("runs").len(), 80);
    assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
}

#[test]
fn a_reader_is_served_while_a_writer_is_open() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    let mut writer = filled(&path);
    let reader = Db::open_existing(&path).expect("ours");
    writer.insert(&run(&session(2), 5)).expect("inserted");
    assert_eq!(reader.runs(&RunFilter::default()).expect("runs").len(), 4);
}
