//! What a candidate is compared with, and what it must not be.

use store::db::Acknowledgement;
use store::series::Group;
use store::{Db, Metric, Outcome, Run, Session, Void};

use super::case::{Case, keep, reason, session, set, warm};
use super::fixture;

#[test]
fn the_baseline_is_chosen() {
    let case = Case::slower(1.10);
    let commit = session(3, "main").environment.commit.unwrap();
    let text = case.check(&["--merge-base", &commit], 1);
    assert!(
        text.contains("base: 1 session of the merge base: 03c0ffee00 on main"),
        "{text}"
    );
    case.check(&["--baseline", "base.db"], 1);
    case.check(&["--baseline", &session(2, "main").id.to_string()], 1);
    assert!(
        case.check(&["--baseline", "trunk"], 3)
            .contains("no earlier finished session of branch")
    );
    let dirty = session(8, "main");
    let mut changed = dirty.clone();
    changed.environment.dirty = Some(true);
    keep(&case.file("base.db"), &changed, &[warm(&changed, 1.1)]);
    let commit = dirty.environment.commit.unwrap();
    let text = case.check(&["--merge-base", &commit], 1);
    assert!(
        text.contains("base: 5 sessions last measured on main, for the merge base was"),
        "{text}"
    );
    // The candidate is not its own baseline.
    let alone = case.check(&["--baseline", "pr.db"], 3);
    assert!(alone.contains("no baseline"), "{alone}");
}

#[test]
fn a_figure_that_the_base_should_have_had_has_no_baseline() {
    let case = Case::slower(1.0);
    let main = session(8, "main");
    let base = |name: &str, metric: Option<Metric>| {
        let mut run = warm(&main, 1.0);
        if let Outcome::Measured { samples, voids } = &mut run.outcome {
            samples.retain(|sample| sample.metric != Metric::Decode);
            voids.extend(metric.map(|metric| Void {
                metric: Some(metric),
                count: 15,
                reason: "machine slept".to_owned(),
            }));
        }
        keep(&case.file(name), &main, &[run]);
    };
    base("void.db", Some(Metric::Decode));
    let text = case.check(&["--baseline", "void.db"], 3);
    assert!(
        text.contains("decode: no baseline for decode: void: machine slept"),
        "{text}"
    );
    // What it did not know yet is no lack of it.
    base("new.db", Some(Metric::Ttft));
    let text = case.check(&["--baseline", "new.db"], 0);
    assert!(!text.contains("decode"), "{text}");
}

#[test]
fn what_the_machine_did_is_never_judged() {
    let plain = Case::slower(1.0);
    let told = |run: &mut Run| {
        fixture::trials()
            .into_iter()
            .for_each(|sample| set(run, sample))
    };
    let expected = plain.check(&["--json"], 0);
    // Known on one side alone, it is not missing on the other.
    let head = Case::new(|_, runs| told(&mut runs[0]));
    assert_eq!(head.check(&["--json"], 0), expected);
    let main = session(8, "main");
    let mut run = warm(&main, 1.0);
    told(&mut run);
    keep(&plain.file("told.db"), &main, &[run]);
    let text = plain.check(&["--baseline", "told.db"], 0);
    assert!(!text.contains("trial"), "{text}");
}

#[test]
fn what_was_accepted_begins_the_baseline_anew() {
    let case = Case::slower(1.1);
    for day in 7..9 {
        let main = session(day, "main");
        keep(&case.file("base.db"), &main, &[warm(&main, 1.1)]);
    }
    let before = case.check(&[], 1);
    assert!(before.contains("REGRESSED: 2 regressed"), "{before}");
    let mut db = Db::open(&case.file("base.db")).unwrap();
    let first = session(7, "main");
    let run = warm(&first, 1.1);
    for metric in [Metric::Inference, Metric::Decode] {
        let accepted = Acknowledgement {
            series: Group::of(&first, &run.cell).key(metric),
            run: run.id,
            at: fixture::at(9),
            reason: "exact softmax".to_owned(),
        };
        db.acknowledge(&accepted).unwrap();
    }
    drop(db);
    let text = case.check(&[], 0);
    assert!(text.starts_with("pass: 3 pass"), "{text}");
    let which =
        "; base: the last 2 of 5 sessions, since the change of 2025-11-10 that was accepted";
    assert!(text.contains(which), "{text}");
    // What branched off before is still compared with what it branched off from.
    let commit = session(3, "main").environment.commit.unwrap();
    case.check(&["--merge-base", &commit], 1);
}

#[test]
fn what_the_branch_gained_is_not_lost_again_unseen() {
    let check = |nights: std::ops::Range<u32>, (branch, head): (f64, f64), code, expected: &str| {
        let case = Case::slower(head);
        for day in nights {
            let main = session(day, "main");
            keep(&case.file("base.db"), &main, &[warm(&main, branch)]);
        }
        let text = case.check(&[], code);
        assert!(text.contains(expected), "{text}");
    };
    let gained = "base: the last 2 of 5 sessions, since it got better by 15 % on 2025-11-10";
    check(7..9, (0.85, 0.92), 1, gained);
    check(7..9, (0.85, 0.85), 0, gained);
    check(7..9, (0.85, 0.92), 1, "REGRESSED: 2 regressed");
    check(7..10, (0.85, 0.92), 1, "the last 3 of 5 sessions");
    // One night alone, and what got worse, begin nothing.
    check(7..8, (0.85, 0.92), 0, "improved: 2 improved");
    check(7..9, (1.1, 1.1), 1, "REGRESSED: 2 regressed");
}

#[test]
fn what_must_not_be_compared_is_refused() {
    let check = |change: &dyn Fn(&mut Session, &mut Vec<Run>), expected: &str| {
        let row = Case::new(change).row(None, "missing", 3);
        assert!(reason(&row).contains(expected), "{row}");
    };
    check(
        &|_, runs| runs[0].cell.revision = "sha256:ffff".to_owned(),
        "other weights",
    );
    check(
        &|_, runs| runs[0].cell.weights = "dummy".to_owned(),
        "other kind of weights",
    );
    check(
        &|_, runs| runs[0].cell.precision = "f16".to_owned(),
        "other precision",
    );
    check(
        &|_, runs| runs[0].cell.version = Some(2),
        "other version of the scenario: 1 before, 2 now",
    );
    check(
        &|_, runs| runs[0].cell.version = None,
        "other version of the scenario: 1 before, not known now",
    );
    check(
        &|pr, _| pr.profile = "full".to_owned(),
        "in profile \"full\"",
    );
    check(&|pr, _| pr.suite = "mine".to_owned(), "of suite \"mine\"");
    check(
        &|pr, _| pr.environment.release = false,
        "under other conditions",
    );
    check(
        &|pr, _| pr.environment.power = "battery".to_owned(),
        "under other conditions",
    );
    check(
        &|pr, _| pr.at = fixture::at(0) - chrono::TimeDelta::days(9),
        "no earlier finished session",
    );
}

#[test]
fn every_machine_and_suite_of_the_commit_is_judged() {
    let check = |change: &dyn Fn(&mut Session), code: i32, expected: &str| {
        let case = Case::slower(1.0);
        let mut main = session(7, "main");
        main.suite = "mine".to_owned();
        keep(&case.file("base.db"), &main, &[warm(&main, 1.0)]);
        let mut before = session(19, "pr");
        before.environment.commit = session(20, "pr").environment.commit;
        change(&mut before);
        keep(&case.file("pr.db"), &before, &[warm(&before, 1.5)]);
        let text = case.check(&[], code);
        assert!(text.contains(expected), "{text}");
    };
    let mine = "; suite \"mine\" in profile \"quick\" on Apple M3";
    check(&|before| before.suite = "mine".to_owned(), 1, mine);
    let machine = "; suite \"embedded\" in profile \"quick\" on Apple M2";
    check(
        &|before| before.machine.chip = "Apple M2".to_owned(),
        3,
        machine,
    );
    // What another commit measured is no part of the candidate.
    let another = |before: &mut Session| {
        before.suite = "mine".to_owned();
        before.environment.commit = None;
    };
    check(&another, 0, "pass: ");
}
