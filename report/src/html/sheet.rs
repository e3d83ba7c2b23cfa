//! What the page of any two sessions reads: small scripts that each hand over one object. A page opened from a folder may
//! load scripts that lie beside it, but may read no file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use store::Session;
use store::gate::{Judgement, Row, line, sorted};

use super::heading::Heading;
use super::json;
use super::outcome::{Outcome, tone};
use super::run_page::{FigureView, Model};
use crate::text::one_line;

/// Folder of the scripts.
const FOLDER: &str = "compare/data";

/// How many of the sessions before it the newest one is judged against; others are against the one before.
const JUDGED: usize = 6;

/// Whether a session is judged against an older one of its machine, by their places, the newest first.
pub(super) fn is_judged(head: usize, base: usize) -> bool {
    base > head && base - head <= if head == 0 { JUDGED } else { 1 }
}

/// The pairs that are judged among so many sessions: head and base.
pub(super) fn judged(sessions: usize) -> impl Iterator<Item = (usize, usize)> {
    let bases = move |head: usize| (head + 1..sessions).take(JUDGED);
    let pairs = (0..sessions).flat_map(move |head| bases(head).map(move |base| (head, base)));
    pairs.filter(|&(head, base)| is_judged(head, base))
}

/// Different texts, each kept once.
#[derive(Default)]
struct Texts {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Texts {
    fn place(&mut self, text: &str) -> usize {
        if let Some(&at) = self.places.get(text) {
            return at;
        }
        let at = self.all.len();
        self.all.push(text.to_owned());
        self.places.insert(text.to_owned(), at);
        at
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.all.serialize(serializer)
    }
}

/// The figures of one session.
#[derive(Default, Serialize)]
pub(super) struct Figures<'a> {
    models: Vec<&'a Heading>,
    /// Name in rows of a comparison, name below its model, place of the model.
    cells: Vec<(&'a str, &'a str, usize)>,
    metrics: Texts,
    /// Places of cell and metric, the figure, what it rests on, and its number.
    rows: Vec<(usize, usize, &'a str, String, Option<f64>)>,
}

/// What came of comparing two sessions.
#[derive(Serialize)]
pub(super) struct Verdicts {
    #[serde(flatten)]
    outcome: Outcome,
    cells: Texts,
    metrics: Texts,
    /// Verdicts with their tones.
    verdicts: Vec<(String, &'static str)>,
    reasons: Texts,
    /// Places of cell, metric and verdict, the change, what such figures detect, place of the reason; the worst first.
    rows: Vec<(usize, usize, usize, String, String, usize)>,
}

impl<'a> Figures<'a> {
    /// Those of the models on a session's page.
    pub(super) fn of(models: &'a [Model]) -> Self {
        let mut sheet = Self::default();
        for model in models {
            for cell in &model.cells {
                let at = sheet.cells.len();
                sheet
                    .cells
                    .push((&cell.key, &cell.name, sheet.models.len()));
                for figure in &cell.figures {
                    let metric = sheet.metrics.place(figure.name);
                    let row = (
                        at,
                        metric,
                        figure.value.as_str(),
                        support(figure),
                        figure.number,
                    );
                    sheet.rows.push(row);
                }
            }
            sheet.models.push(&model.heading);
        }
        sheet
    }
}

fn support(figure: &FigureView) -> String {
    let parts = [&figure.interval, &figure.counts].map(String::as_str);
    let known: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    known.join(", ")
}

impl Verdicts {
    pub(super) fn of(judgement: &Judgement) -> Self {
        let mut sheet = Self {
            outcome: Outcome::of(judgement),
            cells: Texts::default(),
            metrics: Texts::default(),
            verdicts: Vec::new(),
            reasons: Texts::default(),
            rows: Vec::new(),
        };
        for row in sorted(judgement) {
            sheet.add(row);
        }
        sheet
    }

    fn add(&mut self, row: &Row) {
        let [verdict, cell, metric, _, _, change, detects] = &line(row)[..] else {
            return;
        };
        let known = self.verdicts.iter().position(|(known, _)| known == verdict);
        let verdict = known.unwrap_or_else(|| {
            self.verdicts.push((verdict.clone(), tone(row.verdict)));
            self.verdicts.len() - 1
        });
        let row = (
            self.cells.place(cell),
            self.metrics.place(metric),
            verdict,
            change.clone(),
            detects.clone(),
            self.reasons.place(&one_line(&row.reason)),
        );
        self.rows.push(row);
    }
}

/// The script of a session, or of two by base and head: its path and text.
pub(super) fn script(name: &str, sheet: &impl Serialize) -> (PathBuf, String) {
    let path = Path::new(FOLDER).join(format!("{name}.js"));
    // JSON is a value of the language too, and a name is made of ids alone.
    (
        path,
        format!("takeSheet(\"{name}\", {});\n", json::block(sheet)),
    )
}

/// The name of the script of two sessions.
pub(super) fn pair(base: &Session, head: &Session) -> String {
    format!("{}_{}", base.id, head.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_is_judged_against_the_one_before_and_the_newest_against_more() {
        let check = |sessions: usize, expected: &[(usize, usize)]| {
            assert_eq!(judged(sessions).collect::<Vec<_>>(), expected);
        };
        check(1, &[]);
        check(3, &[(0, 1), (0, 2), (1, 2)]);
        assert_eq!(judged(7).count(), 6 + 5);
        let of = |wanted: usize| judged(100).filter(|&(head, _)| head == wanted).count();
        assert_eq!([of(0), of(50), of(99)], [JUDGED, 1, 0]);
    }

    #[test]
    fn a_script_ends_where_it_should() {
        let (path, text) = script("a", &["</script>\u{2028}"]);
        assert_eq!(path, Path::new("compare/data/a.js"));
        assert_eq!(
            text,
            "takeSheet(\"a\", [\"\\u003c/script\\u003e\\u2028\"]);\n"
        );
    }
}
