//! Sessions on pages: their files, what was true of them, and the list of those of a machine.

use serde::Serialize;
use store::{Facts, Session};

use crate::archive::{Place, commit};
use crate::text::one_line;

/// One thing that is known.
#[derive(Serialize)]
pub(super) struct Fact {
    pub(super) term: String,
    pub(super) detail: String,
}

/// A link to the page of a session.
#[derive(Serialize)]
pub(super) struct Link {
    id: String,
    /// In the folder of such pages.
    file: String,
    at: String,
    /// Commit, branch and profile.
    about: String,
}

/// The file of a session's page, in the folder of such pages; that of its comparison has the same name in another.
pub(super) fn file(session: &Session) -> String {
    format!("{}.html", session.id)
}

/// When a session started, in words.
pub(super) fn at(session: &Session) -> String {
    session.at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A link to a session's page.
pub(super) fn link(session: &Session) -> Link {
    Link {
        id: session.id.to_string(),
        file: file(session),
        at: at(session),
        about: format!(
            "{}, {} profile",
            commit(session),
            one_line(&session.profile)
        ),
    }
}

/// The session that another is compared with: the last one before it of the same suite and profile, else the last
/// one before it.
pub(super) fn previous<'a>(place: &'a Place, session: &Session) -> Option<&'a Session> {
    let own = place
        .sessions
        .iter()
        .position(|other| other.id == session.id)?;
    let before = &place.sessions[..own];
    let alike =
        |other: &&Session| (&other.suite, &other.profile) == (&session.suite, &session.profile);
    before.iter().rev().find(alike).or(before.last())
}

/// What was true of a session.
pub(super) fn facts(session: &Session) -> Vec<Fact> {
    let environment = &session.environment;
    let backends = environment.backends.iter();
    let backends: Vec<String> = backends
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let state = match session.finished {
        Some(_) => "finished",
        None => "cut off, can be resumed",
    };
    let build = if environment.release { "" } else { "debug" };
    let seed = session.asked.seed.map(|seed| seed.to_string());
    let end = session.end_state.as_ref();
    let facts = [
        ("Key", session.machine.key()),
        ("Session", at(session)),
        ("Profile", session.profile.clone()),
        ("Suite", session.suite.clone()),
        ("Source", commit(session)),
        ("Program", environment.harness.clone()),
        ("Compiler", environment.compiler.clone()),
        ("Build", build.to_owned()),
        ("Backends", backends.join(", ")),
        ("System", environment.os_build.clone()),
        ("Power", environment.power.clone()),
        ("Threads", environment.threads.to_string()),
        ("Seed", seed.unwrap_or_default()),
        ("Besides", listed(&environment.facts)),
        ("At the start", listed(&session.state)),
        ("At the end", end.map(listed).unwrap_or_default()),
        ("State", state.to_owned()),
    ];
    let known = facts.into_iter().filter(|(_, detail)| !detail.is_empty());
    known.map(|(term, detail)| fact(term, &detail)).collect()
}

/// `load 0.12, swap used 0 bytes`.
fn listed(facts: &Facts) -> String {
    let each = facts.iter().map(|(name, text)| format!("{name} {text}"));
    each.collect::<Vec<_>>().join(", ")
}

/// A fact, its detail made safe.
pub(super) fn fact(term: &str, detail: &str) -> Fact {
    Fact {
        term: term.to_owned(),
        detail: one_line(detail),
    }
}
