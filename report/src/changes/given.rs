//! A series that somebody has in a file: JSON, JSON lines or CSV.

use serde_json::{Value, json};
use store::trend::Trend;

use super::{described, size};
use crate::text::one_line;

/// One series of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Given {
    pub id: Option<String>,
    /// One value a night; not a number where there is a gap.
    pub values: Vec<f64>,
    /// Positions before which the past is not comparable.
    pub breaks: Vec<usize>,
}

/// What is wrong in which line, counted from 1.
type Wrong = (usize, String);

/// The series of a text: one JSON document, one a line, or a CSV column.
pub(super) fn read(text: &str) -> Result<Vec<Given>, Wrong> {
    // Some programs begin a file with a byte order mark.
    let text = text.trim_start_matches('\u{feff}');
    let first = text.trim_start().chars().next();
    match first {
        None => Err((1, "the file is empty".to_owned())),
        Some('{' | '[') => match serde_json::from_str(text) {
            Ok(whole) => Ok(vec![one(&whole).map_err(|reason| (1, reason))?]),
            Err(_) => lines(text),
        },
        Some(_) => Ok(vec![column(text)?]),
    }
}

/// JSON lines, one series each.
fn lines(text: &str) -> Result<Vec<Given>, Wrong> {
    let filled = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty());
    let parsed = filled.map(|(at, line)| {
        let value = serde_json::from_str(line).map_err(|error| (at, error.to_string()))?;
        one(&value).map_err(|reason| (at, reason))
    });
    parsed.collect()
}

/// A list of values, or an object with one under `mean` or `values`.
fn one(value: &Value) -> Result<Given, String> {
    let list = ["mean", "values"].iter().find_map(|name| value.get(name));
    let list = list.unwrap_or(value).as_array();
    let list = list.ok_or("it has no list of values: wanted {\"mean\": [1.0, …]}")?;
    let values: Result<Vec<f64>, String> = (0..).zip(list).map(number).collect();
    let breaks = value.get("breaks").and_then(Value::as_array);
    let position = |at: &Value| at.as_u64().and_then(|at| usize::try_from(at).ok());
    let breaks: Option<Vec<usize>> = breaks.into_iter().flatten().map(position).collect();
    Ok(Given {
        id: value.get("id").and_then(Value::as_str).map(str::to_owned),
        values: values?,
        breaks: breaks.ok_or("breaks must be positions, counted from 0")?,
    })
}

fn number((at, value): (usize, &Value)) -> Result<f64, String> {
    match value {
        Value::Null => Ok(f64::NAN),
        _ => value
            .as_f64()
            .ok_or(format!("value {at} is no number: {value}")),
    }
}

/// The cells of a CSV line, without quotes around them; a comma in quotes separates nothing.
fn cells(line: &str) -> Vec<String> {
    let mut quoted = false;
    let between = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    let bare = |cell: &str| {
        let cell = cell.trim();
        let inner = cell
            .strip_prefix('"')
            .and_then(|cell| cell.strip_suffix('"'));
        inner.unwrap_or(cell).trim().to_owned()
    };
    line.split(between).map(bare).collect()
}

/// The column `mean` or `value` of a CSV text, else the last; an empty cell is a gap.
fn column(text: &str) -> Result<Given, Wrong> {
    let mut rows = (1..).zip(text.lines()).peekable();
    let mut wanted = None;
    if let Some((_, line)) = rows.peek() {
        let names = cells(line);
        let is_number = |cell: &String| cell.is_empty() || cell.parse::<f64>().is_ok();
        if !names.last().is_some_and(is_number) {
            wanted = names
                .iter()
                .position(|name| name == "mean" || name == "value");
            rows.next();
        }
    }
    let mut values = Vec::new();
    for (at, line) in rows.filter(|(_, line)| !line.is_empty()) {
        let cells = cells(line);
        let cell = cells
            .get(wanted.unwrap_or(cells.len() - 1))
            .map_or("", String::as_str);
        let value = if cell.is_empty() {
            Ok(f64::NAN)
        } else {
            cell.parse()
        };
        values.push(value.map_err(|_| (at, format!("{:?} is no number", one_line(cell))))?);
    }
    Ok(Given {
        id: None,
        values,
        breaks: Vec::new(),
    })
}

/// One JSON document.
pub(super) fn json(given: &Given, found: &Trend) -> Value {
    let gone = found.withdrawn.iter().map(|gone| {
        json!({ "found": gone.found, "confirmed": gone.confirmed, "withdrawn": gone.withdrawn })
    });
    json!({
        "id": given.id,
        "nights": given.values.len(),
        "noise": found.noise,
        "changes": found.changes.iter().map(described).collect::<Vec<_>>(),
        "withdrawn": gone.collect::<Vec<_>>(),
    })
}

/// A line a series and one a change.
pub(super) fn text(given: &Given, found: &Trend) -> String {
    let name = given.id.as_deref().map(|id| format!("{}: ", one_line(id)));
    let noise = found
        .noise
        .map(|noise| format!(", noise {:.1} %", 100.0 * noise));
    let mut text = format!(
        "{}{} nights{}\n",
        name.unwrap_or_default(),
        given.values.len(),
        noise.unwrap_or_default()
    );
    for point in &found.changes {
        text += &format!(
            "  night {} (between {} and {})  {}  {}  {:.6} to {:.6}, {} nights\n",
            point.index,
            point.range.0,
            point.range.1,
            point.state.name(),
            size(point),
            point.before,
            point.after,
            point.nights
        );
    }
    if found.changes.is_empty() {
        text += "  no change\n";
    }
    for gone in &found.withdrawn {
        text += &format!(
            "  withdrawn: night {}, confirmed on night {}, contradicted on night {}\n",
            gone.found, gone.confirmed, gone.withdrawn
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_file_is_read() {
        let check = |text: &str, expected: &[&[f64]]| {
            let read = read(text).expect("series");
            let values: Vec<&[f64]> = read.iter().map(|given| &given.values[..]).collect();
            assert_eq!(values, expected, "{text}");
        };
        check("[1, 2.5]", &[&[1.0, 2.5]]);
        check("{\"mean\": [1, 2],\n \"unit\": \"ms\"}", &[&[1.0, 2.0]]);
        check("{\"mean\": [1]}\n\n{\"values\": [2]}\n", &[&[1.0], &[2.0]]);
        check("1\n2\n", &[&[1.0, 2.0]]);
        check("day,mean,n\na,1,9\nb,2,9\n", &[&[1.0, 2.0]]);
        check("day,seconds\na,1\nb,2\n", &[&[1.0, 2.0]]);
        check("\u{feff}mean,n\n1,9\n2,9\n", &[&[1.0, 2.0]]);
        check("\u{feff}[1, 2]", &[&[1.0, 2.0]]);
        check("\"a, b\",\"mean\",n\nx,1,9\n", &[&[1.0]]);
        check("\"mean\",\"n\"\n\"1\",9\n2,9\n", &[&[1.0, 2.0]]);
        assert!(read("{\"mean\": [null]}").expect("a gap")[0].values[0].is_nan());
        assert!(read("x\n1\n\"\"\n").expect("a gap")[0].values[1].is_nan());
        assert!(read("x\n1\n\"\n").is_err());
    }

    #[test]
    fn what_is_no_series_is_told_by_line() {
        let check = |text: &str, line: usize, reason: &str| {
            let (at, said) = read(text).expect_err("no series");
            assert!(at == line && said.contains(reason), "{at}: {said}");
        };
        check("", 1, "empty");
        check("{\"id\": 1}", 1, "no list of values");
        check("{\"mean\": [1, \"x\"]}", 1, "value 1 is no number");
        check("{\"mean\": [1]}\n{\"mean\": 3}", 2, "no list of values");
        check("{\"mean\": [1]}\n{", 2, "EOF");
        check("{\"mean\": [1], \"breaks\": [-1]}", 1, "positions");
        check("mean\n1\nmany\n", 3, "\"many\" is no number");
    }
}
