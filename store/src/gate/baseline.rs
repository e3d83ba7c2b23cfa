//! What a candidate is compared with: the merge base, else what the target branch last was, on the
//! same machine and measured the same way. Nothing else.

use crate::run::Session;

/// Sessions of the target branch that make a baseline.
const LAST: usize = 5;

/// Sessions that tell how the machine varies.
const HISTORY: usize = 30;

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Choice<'a> {
    /// Target branch; none for any.
    pub branch: Option<&'a str>,
    /// The commit that base and head have in common, in full or its first digits.
    pub merge_base: Option<&'a str>,
}

/// What a candidate is to be compared with, by numbers into the sessions that were offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The sessions, oldest first; empty where there is none.
    pub sessions: Vec<usize>,
    /// Sessions of the same machine and branch, oldest first, for how it varies.
    pub history: Vec<usize>,
    /// What keeps clocks from being compared, `on another machine`; none where nothing does.
    pub apart: Option<&'static str>,
    /// Which they are, or why there are none, in words.
    pub why: String,
}

/// Chooses from `offered`, which is in order of time.
#[must_use]
pub fn choose(candidate: &Session, offered: &[Session], choice: Choice<'_>) -> Baseline {
    let branch = |session: &Session| {
        choice
            .branch
            .is_none_or(|branch| session.environment.branch.as_deref() == Some(branch))
    };
    let merge = |session: &Session| {
        choice
            .merge_base
            .is_some_and(|commit| is_commit(session, commit))
    };
    let numbered = offered.iter().enumerate();
    let known = numbered.filter(|(_, session)| usable(candidate, session));
    let known: Vec<(usize, &Session)> = known.filter(|(_, s)| branch(s) || merge(s)).collect();
    // A work tree with changes is of no commit: it serves only where nothing else was named.
    let named = choice.branch.is_none() && choice.merge_base.is_none() && offered.len() == 1;
    let fit = |session: &Session| {
        unfit(candidate, session).is_none_or(|_| named && is_like(candidate, session))
    };
    let here = |session: &Session| session.machine.key() == candidate.machine.key();
    let conditions =
        |session: &Session| session.environment.conditions() == candidate.environment.conditions();
    let fitting = |keep: &dyn Fn(&Session) -> bool| -> Vec<(usize, &Session)> {
        known
            .iter()
            .filter(|(_, session)| fit(session) && keep(session))
            .copied()
            .collect()
    };
    let nearest: [(&dyn Fn(&Session) -> bool, _); 3] = [
        (&|session| here(session) && conditions(session), None),
        (&here, Some("under other conditions")),
        (&|_| true, Some("on another machine")),
    ];
    let mut pools = nearest.iter().map(|(keep, apart)| (fitting(keep), *apart));
    let (pool, apart) = pools.find(|(pool, _)| !pool.is_empty()).unwrap_or_default();
    if pool.is_empty() {
        return none(candidate, &known, choice);
    }
    let at_base: Vec<usize> = pool
        .iter()
        .filter(|(_, s)| merge(s))
        .map(|(at, _)| *at)
        .collect();
    let all: Vec<usize> = pool.iter().map(|(at, _)| *at).collect();
    let last = |most: usize| all[all.len().saturating_sub(most)..].to_vec();
    let (sessions, why) = match at_base.is_empty() {
        false => (at_base, "of the merge base".to_owned()),
        true => (last(LAST), recent(choice)),
    };
    let place = apart.map_or_else(String::new, |apart| format!(", {apart}"));
    Baseline {
        why: format!("{} {why}{place}", counted(sessions.len())),
        history: match apart {
            None => last(HISTORY),
            Some(_) => Vec::new(),
        },
        sessions,
        apart,
    }
}

/// Finished, earlier than the candidate, and not the candidate itself: a regressed run must not become its
/// own baseline.
fn usable(candidate: &Session, session: &Session) -> bool {
    session.id != candidate.id && session.finished.is_some() && session.at <= candidate.at
}

fn is_like(candidate: &Session, session: &Session) -> bool {
    (&session.suite, &session.profile) == (&candidate.suite, &candidate.profile)
}

/// Why a session of the right branch is no baseline for the candidate.
fn unfit(candidate: &Session, session: &Session) -> Option<String> {
    if !is_like(candidate, session) {
        return Some(format!(
            "no earlier session of suite {:?} in profile {:?}: the last is of suite {:?} in profile {:?}",
            candidate.suite, candidate.profile, session.suite, session.profile
        ));
    }
    let dirty = session.environment.dirty == Some(true);
    dirty.then(|| {
        "no earlier session of a commit: the last is of a work tree with uncommitted changes"
            .to_owned()
    })
}

fn is_commit(session: &Session, wanted: &str) -> bool {
    let commit = session.environment.commit.as_deref().unwrap_or_default();
    wanted.len() >= 7 && commit.starts_with(wanted)
}

fn counted(sessions: usize) -> String {
    match sessions {
        1 => "1 session".to_owned(),
        n => format!("{n} sessions"),
    }
}

fn recent(choice: Choice<'_>) -> String {
    match choice.branch {
        Some(branch) => format!("last measured on {branch}"),
        None => "last measured".to_owned(),
    }
}

/// Why there is no baseline.
fn none(candidate: &Session, known: &[(usize, &Session)], choice: Choice<'_>) -> Baseline {
    let why = match known.last() {
        None => match choice.branch {
            Some(branch) => format!("no earlier finished session of branch {branch:?}"),
            None => "no earlier finished session".to_owned(),
        },
        Some(_) => {
            let reasons = known
                .iter()
                .rev()
                .map(|(_, session)| unfit(candidate, session));
            reasons.flatten().next().unwrap_or_default()
        }
    };
    Baseline {
        sessions: Vec::new(),
        history: Vec::new(),
        apart: None,
        why,
    }
}

#[cfg(test)]
mod tests;
