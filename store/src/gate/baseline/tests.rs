use super::*;
use crate::run::{Asked, Environment, Facts, Machine};
use chrono::{DateTime, TimeDelta};
use uuid::Uuid;

fn session(number: u32) -> Session {
    let at = DateTime::UNIX_EPOCH + TimeDelta::days(i64::from(number));
    Session {
        id: Uuid::from_u128(u128::from(number)),
        at,
        finished: Some(at),
        plan: String::new(),
        suite: "embedded".to_owned(),
        profile: "standard".to_owned(),
        machine: Machine {
            chip: "Apple M3".to_owned(),
            performance_cores: 4,
            efficiency_cores: 4,
            memory_gib: 16,
            gpus: Vec::new(),
            arch: "aarch64".to_owned(),
            os: "macOS 15".to_owned(),
        },
        environment: Environment {
            commit: Some(format!("{number:040}")),
            branch: Some("main".to_owned()),
            ..Environment::default()
        },
        asked: Asked::default(),
        state: Facts::default(),
        end_state: None,
    }
}

fn with(number: u32, change: impl Fn(&mut Session)) -> Session {
    let mut session = session(number);
    change(&mut session);
    session
}

#[track_caller]
fn check(offered: &[Session], choice: Choice<'_>, sessions: &[usize], why: &str) -> Baseline {
    let candidate = with(50, |s| s.environment.branch = Some("pr".to_owned()));
    let found = choose(&candidate, offered, choice);
    assert_eq!(
        (found.sessions.as_slice(), found.why.as_str()),
        (sessions, why)
    );
    found
}

const MAIN: Choice<'_> = Choice {
    branch: Some("main"),
    merge_base: None,
};

#[test]
fn the_merge_base_comes_first_then_the_last_of_the_branch() {
    let offered: Vec<Session> = (1..=9).map(session).collect();
    let found = check(
        &offered,
        MAIN,
        &[4, 5, 6, 7, 8],
        "5 sessions last measured on main",
    );
    assert_eq!(found.history.len(), 9);
    let commit = format!("{:040}", 3);
    let base = Choice {
        merge_base: Some(&commit),
        ..MAIN
    };
    check(&offered, base, &[2], "1 session of the merge base");
    let unknown = Choice {
        merge_base: Some("ffffffffff"),
        ..MAIN
    };
    check(
        &offered,
        unknown,
        &[4, 5, 6, 7, 8],
        "5 sessions last measured on main",
    );
}

#[test]
fn nothing_else_is_a_baseline() {
    let none = "no earlier finished session of branch \"main\"";
    let check_unfit = |change: &dyn Fn(&mut Session), why: &str| {
        check(&[with(1, change)], MAIN, &[], why);
    };
    check_unfit(&|s| s.finished = None, none);
    check_unfit(&|s| s.environment.branch = Some("feature".to_owned()), none);
    check_unfit(&|s| s.id = Uuid::from_u128(50), none);
    check_unfit(&|s| s.at += TimeDelta::days(90), none);
    check(&[], MAIN, &[], none);
    check(&[], Choice::default(), &[], "no earlier finished session");
    let other =
        "no earlier session of suite \"embedded\" in profile \"standard\": the last is of suite ";
    check_unfit(
        &|s| s.profile = "quick".to_owned(),
        &format!("{other}\"embedded\" in profile \"quick\""),
    );
    let dirty =
        "no earlier session of a commit: the last is of a work tree with uncommitted changes";
    check_unfit(&|s| s.environment.dirty = Some(true), dirty);
    check_unfit(
        &|s| s.suite = "mine".to_owned(),
        &format!("{other}\"mine\" in profile \"standard\""),
    );
}

#[test]
fn another_machine_is_told() {
    let offered = [with(1, |s| s.machine.chip = "Apple M2".to_owned())];
    let why = "1 session last measured on main, on another machine";
    let found = check(&offered, MAIN, &[0], why);
    assert!(found.apart.is_some() && found.history.is_empty());
    let both = [offered[0].clone(), session(2)];
    let found = check(&both, MAIN, &[1], "1 session last measured on main");
    assert_eq!(found.apart, None);
}

#[test]
fn other_conditions_are_told() {
    let check_apart = |change: &dyn Fn(&mut Session)| {
        let why = "1 session last measured on main, under other conditions";
        let offered = [with(1, change)];
        let found = check(&offered, MAIN, &[0], why);
        assert!(found.apart.is_some() && found.history.is_empty());
        let both = [session(2), offered[0].clone()];
        let found = check(&both, MAIN, &[0], "1 session last measured on main");
        assert_eq!((found.apart, found.history.len()), (None, 1));
    };
    check_apart(&|s| s.environment.release = true);
    check_apart(&|s| s.environment.power = "battery".to_owned());
    check_apart(&|s| s.environment.threads = 2);
}

#[test]
fn uncommitted_changes_are_no_commit() {
    let dirty = |number| with(number, |s| s.environment.dirty = Some(true));
    let commit = format!("{:040}", 2);
    let choice = Choice {
        merge_base: Some(&commit),
        ..MAIN
    };
    let offered = [session(1), dirty(2)];
    let why =
        "1 session last measured on main, for the merge base was measured with uncommitted changes";
    check(&offered, choice, &[0], why);
    // Who names one session means that one.
    check(
        &[dirty(2)],
        Choice::default(),
        &[0],
        "1 session last measured",
    );
    let offered = [dirty(1), dirty(2)];
    let why = "no earlier session of a commit: the last is of a work tree with uncommitted changes";
    check(&offered, Choice::default(), &[], why);
}
