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

impl Choice<'_> {
    /// Whether a session is of the branch or the merge base.
    fn offers(self, session: &Session) -> bool {
        let own = session.environment.branch.as_deref();
        self.branch.is_none_or(|branch| own == Some(branch)) || self.is_merge_base(session)
    }

    fn is_merge_base(self, session: &Session) -> bool {
        let commit = session.environment.commit.as_deref().unwrap_or_default();
        let is_it = |wanted: &str| wanted.len() >= 7 && commit.starts_with(wanted);
        self.merge_base.is_some_and(is_it)
    }
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
    let numbered = offered.iter().enumerate();
    let known = numbered.filter(|(_, session)| usable(candidate, session));
    let known: Pool<'_> = known
        .filter(|(_, session)| choice.offers(session))
        .collect();
    // A work tree with changes is of no commit: it serves only where nothing else was named.
    let named = choice.branch.is_none() && choice.merge_base.is_none() && offered.len() == 1;
    let fit = |session: &Session| match unfit(candidate, session) {
        None => true,
        Some(_) => named && is_like(candidate, session),
    };
    let fitting = known.iter().filter(|(_, session)| fit(session));
    let (pool, apart) = nearest(candidate, fitting.copied().collect());
    if pool.is_empty() {
        return none(candidate, &known, choice);
    }
    let at_base: Vec<usize> = pool
        .iter()
        .filter(|(_, session)| choice.is_merge_base(session))
        .map(|(at, _)| *at)
        .collect();
    let all: Vec<usize> = pool.iter().map(|(at, _)| *at).collect();
    let last = |most: usize| all[all.len().saturating_sub(most)..].to_vec();
    let (sessions, why) = match at_base.is_empty() {
        false => (at_base, "of the merge base".to_owned()),
        true => (last(LAST), recent(&known, choice)),
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

/// Sessions by their numbers.
type Pool<'a> = Vec<(usize, &'a Session)>;

/// Those of the candidate's machine and conditions, else of its machine, else all; and what keeps clocks of
/// them from being compared.
fn nearest<'a>(candidate: &Session, all: Pool<'a>) -> (Pool<'a>, Option<&'static str>) {
    let of = |session: &Session| session.environment.conditions();
    let here = |(_, session): &(usize, &Session)| session.machine.key() == candidate.machine.key();
    let own: Pool<'_> = all.iter().copied().filter(here).collect();
    let like = own.iter().copied();
    let like: Pool<'_> = like
        .filter(|(_, session)| of(session) == of(candidate))
        .collect();
    match (like.is_empty(), own.is_empty()) {
        (false, _) => (like, None),
        (true, false) => (own, Some("under other conditions")),
        (true, true) => (all, Some("on another machine")),
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

/// Whether it was measured with changes that are of no commit.
fn is_dirty(session: &Session) -> bool {
    session.environment.dirty == Some(true)
}

/// Why a session of the right branch is no baseline for the candidate.
fn unfit(candidate: &Session, session: &Session) -> Option<String> {
    if !is_like(candidate, session) {
        return Some(format!(
            "no earlier session of suite {:?} in profile {:?}: the last is of suite {:?} in profile {:?}",
            candidate.suite, candidate.profile, session.suite, session.profile
        ));
    }
    is_dirty(session).then(|| {
        "no earlier session of a commit: the last is of a work tree with uncommitted changes"
            .to_owned()
    })
}

fn counted(sessions: usize) -> String {
    match sessions {
        1 => "1 session".to_owned(),
        n => format!("{n} sessions"),
    }
}

fn recent(known: &[(usize, &Session)], choice: Choice<'_>) -> String {
    let last = match choice.branch {
        Some(branch) => format!("last measured on {branch}"),
        None => "last measured".to_owned(),
    };
    let mut base = known
        .iter()
        .filter(|(_, session)| choice.is_merge_base(session));
    match base.any(|(_, session)| is_dirty(session)) {
        true => format!("{last}, for the merge base was measured with uncommitted changes"),
        false => last,
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
