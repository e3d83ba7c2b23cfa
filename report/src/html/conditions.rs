//! Where the conditions changed under which a model was measured: a level may change with them, and the model be the same.

use std::collections::BTreeSet;

use store::Session;

use super::lines::Turn;
use crate::text::one_line;

/// Most changes on a page: the newest.
const MOST: usize = 100;

/// What is known of a session's conditions, by name. The commit is not among them: every night has another.
fn known(session: &Session) -> Vec<(String, String)> {
    let environment = &session.environment;
    let build = if environment.release {
        "release"
    } else {
        "debug"
    };
    let named = [
        ("system", environment.os_build.clone()),
        ("compiler", environment.compiler.clone()),
        ("program", environment.harness.clone()),
        ("power", environment.power.clone()),
        ("threads", environment.threads.to_string()),
        ("build", build.to_owned()),
    ];
    let named = named.map(|(name, value)| (name.to_owned(), value));
    let backends = environment.backends.iter();
    let backends = backends.map(|(name, version)| (name.clone(), version.clone()));
    let facts = environment.facts.clone();
    named.into_iter().chain(backends).chain(facts).collect()
}

/// Sessions whose conditions differ from those of the one before of the same suite, profile and branch, oldest first;
/// positions are those in `sessions`.
pub(super) fn turns(sessions: &[(usize, &Session)]) -> Vec<Turn> {
    let mut turns = Vec::new();
    for (place, (at, session)) in sessions.iter().enumerate() {
        let like = |other: &&(usize, &Session)| is_like(other.1, session);
        let before = sessions[..place].iter().rev().find(like);
        let text = before.map_or_else(String::new, |(_, before)| differences(before, session));
        if !text.is_empty() {
            turns.push(Turn { at: *at, text });
        }
    }
    turns.drain(..turns.len().saturating_sub(MOST));
    turns
}

fn is_like(one: &Session, two: &Session) -> bool {
    one.suite == two.suite
        && one.profile == two.profile
        && one.environment.branch == two.environment.branch
}

/// `candle-core 0.11.0 to 0.11.1, power battery to ac`.
fn differences(before: &Session, after: &Session) -> String {
    let (before, after) = (known(before), known(after));
    let names: BTreeSet<&String> = before.iter().chain(&after).map(|(name, _)| name).collect();
    let value = |all: &'_ [(String, String)], name: &String| {
        let found = all.iter().find(|(known, _)| known == name);
        found.map_or_else(String::new, |(_, value)| value.clone())
    };
    let word = |name: &&String| {
        let (was, is) = (value(&before, name), value(&after, name));
        (was != is).then(|| match (was.is_empty(), is.is_empty()) {
            (true, _) => format!("{name} now {is}"),
            (_, true) => format!("{name} {was} no more"),
            _ => format!("{name} {was} to {is}"),
        })
    };
    let words: Vec<String> = names.iter().filter_map(word).collect();
    one_line(&words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{Asked, Environment, Facts, Machine};

    fn session(profile: &str, power: &str, backends: &[(&str, &str)]) -> Session {
        let backends = backends.iter();
        let environment = Environment {
            commit: None,
            branch: None,
            dirty: None,
            backends: backends
                .map(|&(name, version)| (name.to_owned(), version.to_owned()))
                .collect(),
            harness: "0.1.0".to_owned(),
            compiler: "rustc 1.95.0".to_owned(),
            os_build: "macOS 15.6".to_owned(),
            power: power.to_owned(),
            release: true,
            threads: 4,
            facts: Facts::default(),
        };
        Session {
            id: store::Uuid::from_u128(1),
            at: chrono::DateTime::UNIX_EPOCH,
            finished: None,
            plan: String::new(),
            suite: "embedded".to_owned(),
            profile: profile.to_owned(),
            machine: Machine {
                chip: "chip".to_owned(),
                performance_cores: 4,
                efficiency_cores: 0,
                memory_gib: 16,
                gpus: Vec::new(),
                arch: "aarch64".to_owned(),
                os: "macOS 15".to_owned(),
            },
            environment,
            asked: Asked::default(),
            state: Facts::default(),
            end_state: None,
        }
    }

    #[test]
    fn a_turn_tells_what_is_other_than_in_the_last_session_alike() {
        let sessions = [
            session("quick", "ac", &[("candle", "0.11.0")]),
            session("full", "battery", &[("candle", "0.11.0")]),
            session("quick", "ac", &[("candle", "0.11.0")]),
            session(
                "quick",
                "battery",
                &[("candle", "0.11.1"), ("mlx", "0.33.0")],
            ),
            session("quick", "battery", &[("mlx", "0.33.0")]),
        ];
        let sessions: Vec<(usize, &Session)> = sessions.iter().enumerate().collect();
        let found: Vec<(usize, String)> = turns(&sessions)
            .into_iter()
            .map(|turn| (turn.at, turn.text))
            .collect();
        let expected = [
            (
                3,
                "candle 0.11.0 to 0.11.1, mlx now 0.33.0, power ac to battery",
            ),
            (4, "candle 0.11.1 no more"),
        ];
        assert_eq!(found, expected.map(|(at, text)| (at, text.to_owned())));
    }
}
