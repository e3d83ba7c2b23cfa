//! The command that measures a row again: printed where a status speaks against a model.

use super::{Row, one_line};
use crate::run::Session;

/// The rules of `status.rs` that speak against a model.
pub const AVOID: [&str; 4] = ["R2", "R3", "R4", "R5"];

/// The command that measures what a row shows again, with the seed, suite and profile of its session.
#[must_use]
pub fn command(row: &Row, session: &Session) -> String {
    let asked = &session.asked;
    let seed = asked.seed.map(|seed| seed.to_string());
    let suite = asked.suite.as_deref();
    let served = row.weights == "served";
    let dummy = (row.weights == "dummy").then_some("dummy");
    let device = (!served).then_some(row.device.as_str());
    let server = served.then(|| asked.server.as_deref().unwrap_or("http://HOST:PORT"));
    let model = model(row);
    let options = [
        ("--suite", suite),
        ("--model", Some(model.as_str())),
        ("--backend", Some(row.backend.as_str())),
        ("--url", server),
        ("--device", device),
        ("--precision", asked.precision.as_deref()),
        ("--profile", Some(session.profile.as_str())),
        ("--weights", dummy),
        ("--seed", seed.as_deref().filter(|seed| *seed != "0")),
    ];
    let given = options
        .iter()
        .filter_map(|(name, value)| Some((name, (*value)?)));
    let given = given.map(|(name, value)| format!(" {name} {}", shell(value)));
    let scenarios = scenarios(&row.status.rule).iter();
    let scenarios = scenarios.map(|name| format!(" --scenario {name}"));
    format!(
        "cargo harness run{}",
        given.chain(scenarios).collect::<String>()
    )
}

/// One line for a row that is to be avoided: which, by what rule, and how to see it again.
#[must_use]
pub fn again(row: &Row, session: &Session) -> Option<String> {
    let status = &row.status;
    AVOID.contains(&status.rule.as_str()).then(|| {
        let (label, rule) = (&status.label, &status.rule);
        format!(
            "{} is {label} ({rule}): {}",
            one_line(&row.model),
            command(row, session)
        )
    })
}

/// As it was named; of a run that does not tell, at its revision where the hub has several.
fn model(row: &Row) -> String {
    match &row.argument {
        Some(argument) => argument.clone(),
        None if row.weights == "published" && !row.revision.is_empty() => {
            format!("{}@{}", row.model, row.revision)
        }
        None => row.model.clone(),
    }
}

/// The scenarios that show again what a rule fired on.
fn scenarios(rule: &str) -> &'static [&'static str] {
    match rule {
        "R2" | "R3" => &["vision"],
        "R4" => &["state-drift"],
        "R5" => &["cold-load", "warm-inference"],
        _ => &[],
    }
}

/// One argument as a POSIX shell reads it back.
fn shell(argument: &str) -> String {
    let line = one_line(argument);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+".contains(c);
    if !line.is_empty() && line.chars().all(plain) {
        return line;
    }
    format!("'{}'", line.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Asked, Environment, Facts, Machine, Stage, UNKNOWN};
    use crate::summary::rows;
    use crate::summary::tests::failed;

    fn session(asked: Asked) -> Session {
        Session {
            id: uuid::Uuid::nil(),
            at: chrono::DateTime::UNIX_EPOCH,
            finished: None,
            plan: String::new(),
            suite: "mine".to_owned(),
            profile: "standard".to_owned(),
            machine: Machine {
                chip: UNKNOWN.to_owned(),
                performance_cores: 1,
                efficiency_cores: 0,
                memory_gib: 1,
                gpus: Vec::new(),
                arch: UNKNOWN.to_owned(),
                os: UNKNOWN.to_owned(),
            },
            environment: Environment::default(),
            asked,
            state: Facts::new(),
            end_state: None,
        }
    }

    /// A row of a model that cannot be loaded, altered.
    fn row(change: impl Fn(&mut crate::Run)) -> Row {
        let mut run = failed("cold-load", Stage::Load, "no tensor");
        change(&mut run);
        rows(&[run]).remove(0)
    }

    #[test]
    fn a_command_holds_what_the_session_was_asked() {
        let check = |row: Row, asked: Asked, expected: &str| {
            let line = again(&row, &session(asked)).unwrap_or_default();
            assert_eq!(
                line,
                format!("{} is Broken (R2): cargo harness run {expected}", row.model)
            );
        };
        let plain =
            "--model tiny --backend candle --device cpu --profile standard --scenario vision";
        check(row(|_| ()), Asked::default(), plain);
        let asked = Asked {
            seed: Some(7),
            suite: Some("my suite.toml".to_owned()),
            precision: Some("f32".to_owned()),
            server: None,
        };
        check(
            row(|run| run.argument = Some("./models/it's".to_owned())),
            asked,
            r"--suite 'my suite.toml' --model './models/it'\''s' --backend candle --device cpu --precision f32 --profile standard --seed 7 --scenario vision",
        );
        check(
            row(|run| run.cell.weights = "published".to_owned()),
            Asked::default(),
            "--model tiny@r1 --backend candle --device cpu --profile standard --scenario vision",
        );
    }

    #[test]
    fn a_server_is_named_by_its_address() {
        let served = row(|run| {
            run.cell.weights = "served".to_owned();
            run.cell.backend = "openai".to_owned();
        });
        let asked = Asked {
            server: Some("http://localhost:8080".to_owned()),
            ..Asked::default()
        };
        assert!(
            command(&served, &session(asked))
                .contains("--backend openai --url http://localhost:8080 --profile")
        );
        assert!(command(&served, &session(Asked::default())).contains("--url http://HOST:PORT"));
    }

    #[test]
    fn a_shown_argument_can_be_pasted() {
        let check = |text, expected: &str| assert_eq!(shell(text), expected);
        check("tiny-smolvlm", "tiny-smolvlm");
        check("a b'c; rm -rf", r"'a b'\''c; rm -rf'");
        check("", "''");
    }
}
