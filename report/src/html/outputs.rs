//! What a model said in its newest runs, beside what was expected and the prompt as it was rendered.

use serde::Serialize;
use store::{Answer, Run};

use super::model::Subject;
use crate::text::one_line;

/// Answers of one run on a model's page, and characters of a prompt: the rest is in the database.
const ANSWERS: usize = 24;
const PROMPT: usize = 1200;

/// The answers of one run.
#[derive(Serialize)]
pub(super) struct Outputs {
    title: String,
    about: String,
    answers: Vec<AnswerView>,
}

#[derive(Serialize)]
struct AnswerView {
    item: String,
    arm: String,
    text: String,
    expected: String,
    verdict: &'static str,
    tone: &'static str,
    prompt: String,
}

/// The newest run of each scenario and variant that kept answers; wrong answers first.
pub(super) fn outputs(subject: &Subject<'_>) -> Vec<Outputs> {
    let own = subject.place.runs.iter().rev();
    let own = own.filter(|run| run.cell.model == subject.model && !run.answers.is_empty());
    let mut seen: Vec<[&str; 5]> = Vec::new();
    let mut found = Vec::new();
    for run in own {
        let cell = &run.cell;
        let key = [
            cell.scenario.as_str(),
            &cell.backend,
            &cell.device,
            &cell.precision,
            &cell.weights,
        ];
        if !seen.contains(&key) {
            seen.push(key);
            found.push(of_run(run, ANSWERS));
        }
    }
    found
}

/// At most this many answers of one run, wrong ones first.
pub(super) fn of_run(run: &Run, most: usize) -> Outputs {
    let mut answers: Vec<&Answer> = run.answers.iter().collect();
    answers.sort_by_key(|answer| answer.right != Some(false));
    let known = answers
        .iter()
        .filter(|answer| answer.right.is_some())
        .count();
    let right = answers
        .iter()
        .filter(|answer| answer.right == Some(true))
        .count();
    let left = answers.len().saturating_sub(most);
    let left = match left {
        0 => String::new(),
        left => format!(" {most} are shown, wrong ones first; {left} more are in the database."),
    };
    let cell = &run.cell;
    Outputs {
        title: one_line(&format!(
            "{}, {} {}",
            cell.scenario, cell.backend, cell.device
        )),
        about: format!(
            "{right} of {known} right on {}.{left}",
            run.at.format("%Y-%m-%d %H:%M UTC")
        ),
        answers: answers
            .iter()
            .take(most)
            .map(|answer| view(answer))
            .collect(),
    }
}

fn view(answer: &Answer) -> AnswerView {
    let (verdict, tone) = match answer.right {
        Some(true) => ("right", "good"),
        Some(false) => ("wrong", "bad"),
        None => ("not scored", ""),
    };
    AnswerView {
        item: one_line(&answer.item),
        arm: one_line(&answer.arm),
        text: one_line(&cut(&answer.text)),
        expected: answer
            .expected
            .as_deref()
            .map_or_else(String::new, one_line),
        verdict,
        tone,
        prompt: lines(&cut(&answer.prompt)),
    }
}

/// The first characters of a text, and how many more there are.
fn cut(text: &str) -> String {
    let left = text.chars().count().saturating_sub(PROMPT);
    match left {
        0 => text.to_owned(),
        left => {
            let first: String = text.chars().take(PROMPT).collect();
            format!("{first} … {left} more characters")
        }
    }
}

/// Line breaks stay, other controls go.
fn lines(text: &str) -> String {
    let clean: Vec<String> = text.lines().map(one_line).collect();
    clean.join("\n")
}
