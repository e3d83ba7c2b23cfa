//! What README.md says of the schema and its queries is run, so that it cannot rot.

mod builder;

use std::path::Path;
use std::process::Command;

use builder::{facts, moment, run, session, sql};
use store::{Answer, Db, Metric, Outcome, Run, Sample, Session};
use tempfile::tempdir;

const README: &str = include_str!("../README.md");

/// The database of the worked queries: two days, one model, a little slower on the second.
fn example(path: &Path) {
    let mut db = Db::open(path).expect("a new database");
    for (day, slower) in [(1_u32, 1.0), (2, 1.1)] {
        let session = Session {
            at: moment(86_400 * i64::from(day)),
            ..session(day)
        };
        db.begin(&session).expect("begun");
        let warm = |epochs: &[[f64; 2]]| {
            let epochs = epochs
                .iter()
                .map(|trials| trials.map(|t| t * slower).to_vec())
                .collect();
            vec![Sample {
                metric: Metric::Ttft,
                epochs,
            }]
        };
        let samples = warm(&[[0.0612, 0.0620], [0.0600, 0.0628]]);
        db.insert(&plain(&session, 1, ("warm", samples, Vec::new())))
            .expect("inserted");
        let answers = ["right", "blank"].map(answers).concat();
        db.insert(&plain(&session, 2, ("vision", Vec::new(), answers)))
            .expect("inserted");
        db.finish(session.id, session.at, &facts("thermal", "nominal"))
            .expect("finished");
    }
}

fn plain(session: &Session, number: u32, parts: (&str, Vec<Sample>, Vec<Answer>)) -> Run {
    let (scenario, samples, answers) = parts;
    let mut run = run(session, number);
    run.cell.model = "tiny-smolvlm-500m-instruct".to_owned();
    run.cell.scenario = scenario.to_owned();
    Run {
        outcome: Outcome::Measured {
            samples,
            voids: Vec::new(),
        },
        answers,
        ..run
    }
}

/// Two items: with the right picture both are answered, with a blank one the second by luck.
fn answers(arm: &str) -> Vec<Answer> {
    let said = |item: &str, text: &str, expected: &str| Answer {
        item: item.to_owned(),
        arm: arm.to_owned(),
        prompt: "…".to_owned(),
        text: text.to_owned(),
        expected: Some(expected.to_owned()),
        right: Some(text == expected),
    };
    let first = if arm == "right" { "red" } else { "white" };
    vec![
        said("v1_color", first, "red"),
        said("v2_shape", "circle", "circle"),
    ]
}

/// The code blocks of a language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let opening = format!("\n```{language}\n");
    let parts = README.split(opening.as_str()).skip(1);
    parts
        .filter_map(|part| Some(part.split_once("\n```\n")?.0))
        .collect()
}

#[test]
fn the_worked_queries_give_the_printed_output() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    example(&path);
    let (queries, outputs) = (blocks("sql"), blocks("text"));
    assert_eq!((queries.len(), outputs.len()), (3, 3));
    for (query, expected) in queries.iter().zip(outputs) {
        let (_, rows) = expected.split_once('\n').expect("headers and rows");
        assert_eq!(sql(&path, query).trim_end(), rows, "{query}");
        let Some(printed) = by_program(&path, query) else {
            continue;
        };
        assert_eq!(printed.trim_end(), expected, "{query}");
    }
}

/// What the `sqlite3` program prints, headers included; none where it is not installed, which is
/// an error where `CI` is set.
fn by_program(path: &Path, query: &str) -> Option<String> {
    let done = Command::new("sqlite3")
        .arg("-header")
        .arg(path)
        .arg(query)
        .output();
    match done {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{query}\n{said}");
            Some(String::from_utf8_lossy(&done.stdout).into_owned())
        }
        Err(error) if std::env::var_os("CI").is_some() => panic!("sqlite3: {error}: install it"),
        Err(_) => {
            eprintln!("no sqlite3 program here: queries run in the linked library alone");
            None
        }
    }
}

#[test]
fn every_table_and_column_is_documented() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    example(&path);
    let tables = sql(&path, "SELECT name FROM sqlite_schema WHERE type = 'table'");
    for table in tables.lines() {
        let heading = format!("\n### `{table}`");
        let section = README.split_once(&heading).map(|(_, rest)| rest);
        let section = section.unwrap_or_else(|| panic!("{table} is not in README.md"));
        let section = section.split("\n### ").next().unwrap_or_default();
        let columns = sql(
            &path,
            &format!("SELECT name FROM pragma_table_info('{table}')"),
        );
        for column in columns.lines() {
            let row = format!("`{column}`");
            assert!(
                section.contains(&row),
                "{table}.{column} is not in README.md"
            );
        }
    }
}

#[test]
fn the_printed_schema_version_and_mark_are_true() {
    let dir = tempdir().expect("a folder");
    let path = dir.path().join("results.db");
    example(&path);
    let version = sql(&path, "PRAGMA user_version");
    let mark = sql(&path, "PRAGMA application_id");
    assert!(README.contains(&format!("`user_version` is {}", version.trim())));
    assert!(README.contains(&format!("`application_id` is {}", mark.trim())));
}
