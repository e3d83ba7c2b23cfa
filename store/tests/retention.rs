//! `prune`: what goes, what stays, and that no printed figure moves.

mod builder;

use std::path::Path;

use builder::{content, everything, failed, moment, run, session, sql};
use store::db::{Acknowledgement, Pruned, Retention};
use store::stats::figure;
use store::{Db, Metric, Outcome, Run, RunFilter, Sample, Session};
use tempfile::tempdir;

const DAY: i64 = 86_400;

/// A session a day of one series, ten days.
fn nightly(path: &Path) -> Db {
    let mut db = Db::open(path).expect("a new database");
    for day in 0..10 {
        let night = night(day);
        db.begin(&night).expect("begun");
        db.insert(&run(&night, 1)).expect("inserted");
        db.insert(&failed(&night, 2)).expect("inserted");
    }
    db
}

fn night(day: u32) -> Session {
    Session {
        at: moment(DAY * i64::from(day)),
        ..session(day)
    }
}

fn retention(since_day: i64, newest: u32) -> Retention {
    Retention {
        since: moment(DAY * since_day),
        newest,
        protected: [].into(),
    }
}

/// The days whose measured run was thinned.
fn thinned(db: &Db) -> Vec<i64> {
    let runs = db.runs(&RunFilter::default()).expect("runs");
    let thinned = runs.iter().filter(|run| run.is_thinned());
    thinned.map(|run| (run.at - moment(0)).num_days()).collect()
}

#[test]
fn young_newest_and_protected_runs_stay_whole() {
    let check = |retention: Retention, days: &[i64]| {
        let dir = tempdir().expect("a folder");
        let mut db = nightly(&dir.path().join("results.db"));
        let dry = db.prunable(&retention).expect("told");
        assert!(thinned(&db).is_empty(), "nothing written yet");
        assert_eq!(db.prune(&retention).expect("pruned"), dry);
        assert_eq!((thinned(&db).as_slice(), dry.runs), (days, days.len()));
        assert_eq!(db.verify().expect("readable"), Vec::<String>::new());
        let again = db.prune(&retention).expect("pruned");
        assert_eq!(again, Pruned::default(), "nothing is left to drop");
    };
    check(retention(5, 0), &[0, 1, 2, 3, 4]);
    check(retention(5, 7), &[0, 1, 2]);
    check(retention(5, 10), &[]);
    check(retention(0, 0), &[]);
    let protected = [run(&night(1), 1).id, night(3).id].into();
    let some = Retention {
        protected,
        ..retention(5, 0)
    };
    check(some, &[0, 2, 4]);
}

#[test]
fn what_is_told_is_what_goes() {
    let check = |alter: &dyn Fn(&mut Run), told: (usize, usize, usize)| {
        let dir = tempdir().expect("a folder");
        let mut db = Db::open(&dir.path().join("results.db")).expect("a new database");
        let night = night(0);
        db.begin(&night).expect("begun");
        // Two runs that answered alike share a sheet.
        for number in 1..=2 {
            let mut run = run(&night, number);
            alter(&mut run);
            db.insert(&run).expect("inserted");
        }
        let dry = db.prunable(&retention(5, 0)).expect("told");
        assert_eq!((dry.runs, dry.trials, dry.answers), told);
        assert_eq!(db.prune(&retention(5, 0)).expect("pruned"), dry);
    };
    let with = |run: &mut Run, metric: Metric, epochs: &[&[f64]]| {
        if let Outcome::Measured { samples, .. } = &mut run.outcome {
            let epochs = epochs.iter().map(|trials| trials.to_vec()).collect();
            *samples = vec![Sample { metric, epochs }];
        }
    };
    let epochs: &[&[f64]] = &[&[], &[0.5, 0.25, 1.0 / 3.0], &[4.0], &[], &[1.0, 1.0]];
    check(&|_| (), (2, 2, 4));
    check(&|run| with(run, Metric::Ttft, epochs), (2, 6, 4));
    check(&|run| with(run, Metric::Ttft, &[]), (2, 0, 4));
    check(&|run| with(run, Metric::CallMemory, epochs), (2, 0, 4));
    // Around no trial that is left; circumstances of longer spans stay.
    check(
        &|run| with(run, Metric::TrialBackgroundCpu, epochs),
        (2, 12, 4),
    );
    check(&|run| with(run, Metric::BackgroundCpu, epochs), (2, 0, 4));
    check(
        &|run| with(run, Metric::VisionRight, &[&[1.0, 0.0]]),
        (2, 0, 4),
    );
    check(&|run| run.answers.clear(), (2, 2, 0));
    let nothing_to_drop = |run: &mut Run| {
        run.answers.clear();
        with(run, Metric::Ttft, &[&[1.0], &[], &[2.0]]);
    };
    check(&nothing_to_drop, (0, 0, 0));
    check(
        &|run| run.cell.scenario = "state-drift".to_owned(),
        (0, 0, 0),
    );
}

#[test]
fn a_run_that_another_table_names_stays_whole() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    drop(nightly(&path));
    // As a later migration may add them.
    let (one, two) = (run(&night(2), 1).id, night(4).id);
    let later = format!(
        "CREATE TABLE mark (id TEXT PRIMARY KEY, run INTEGER REFERENCES run (number));
         CREATE TABLE note (session TEXT REFERENCES session (id), text TEXT);
         INSERT INTO mark SELECT 'm', number FROM run WHERE id = '{one}';
         INSERT INTO note VALUES ('{two}', 'kept')"
    );
    sql(&path, &later);
    let mut db = Db::open(&path).expect("ours");
    db.prune(&retention(5, 0)).expect("pruned");
    assert_eq!(thinned(&db), [0, 1, 3]);
    let mut db = nightly(&dir.path().join("accepted.db"));
    let accepted = Acknowledgement {
        series: "0123456789ab".to_owned(),
        run: run(&night(3), 1).id,
        at: moment(0),
        reason: "new kernel".to_owned(),
    };
    db.acknowledge(&accepted).expect("kept");
    db.prune(&retention(5, 0)).expect("pruned");
    assert_eq!(thinned(&db), [0, 1, 2, 4]);
}

#[test]
fn no_figure_moves_and_what_is_no_trial_stays() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    let mut db = nightly(&path);
    let of = |db: &Db| -> Run { db.runs(&RunFilter::default()).expect("runs").remove(0) };
    let before = of(&db);
    db.prune(&retention(9, 0)).expect("pruned");
    let after = of(&db);
    let sample = after.sample(Metric::Ttft).expect("kept");
    assert_eq!(sample.epochs, [vec![0.2], vec![1.0 / 3.0]]);
    for (old, new) in before.samples().iter().zip(after.samples()) {
        let (old, new) = (figure(old), figure(new));
        let shown = |figure: Option<store::stats::Figure>| figure.map(|f| (f.median, f.interval));
        assert_eq!(shown(old), shown(new));
    }
    assert_eq!(after.voids(), before.voids());
    assert_eq!(after.answers, []);
    let (kept, new) = after.remarks.split_at(before.remarks.len());
    assert_eq!(kept, before.remarks);
    let text = "thinned by retention: 1 trials, 2 answers; an epoch holds its median";
    assert_eq!((new[0].text.as_str(), new[0].count), (text, 1));
}

#[test]
fn state_drift_keeps_every_call() {
    let dir = tempdir().expect("a folder");
    let mut db = nightly(&dir.path().join("results.db"));
    let mut drift = run(&night(0), 3);
    drift.cell.scenario = "state-drift".to_owned();
    db.insert(&drift).expect("inserted");
    db.prune(&retention(5, 0)).expect("pruned");
    assert_eq!(db.run(drift.id).expect("readable"), Some(drift));
}

#[test]
fn thinned_runs_travel_and_meet_their_whole_selves() {
    let dir = tempdir().expect("a folder");
    let whole = nightly(&dir.path().join("whole.db"));
    let mut thin = nightly(&dir.path().join("thin.db"));
    thin.prune(&retention(9, 0)).expect("pruned");
    let document = |db: &Db| {
        let of = RunFilter {
            session: Some(night(0).id),
            ..RunFilter::default()
        };
        store::Document::new(night(0), db.runs(&of).expect("runs"))
    };
    let (of_whole, of_thin) = (document(&whole), document(&thin));
    let mut whole = whole;
    let imported = thin.import_session(&of_whole).expect("known");
    assert_eq!((imported.added, imported.known), (0, 2));
    let imported = whole.import_session(&of_thin).expect("known");
    assert_eq!((imported.added, imported.known), (0, 2));
}

#[test]
fn space_is_given_back_and_nothing_else_changes() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    let mut db = everything(&path);
    let before = content(&path);
    db.vacuum().expect("smaller");
    drop(db);
    assert_eq!(content(&path), before);
}
