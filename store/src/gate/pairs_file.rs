//! Pairs as CSV: what `harness ab` writes and `report check --pairs` reads.
//!
//! Columns by name, in any order: `base` and `head`; where they are there also `cell`, `metric` and
//! `session`. Without a metric, values are times of a request ([`Metric::Inference`]): less is better,
//! 3 % is worth a verdict.

use std::fmt::Write as _;

use super::pairs::{Pair, Series};
use crate::metric::Metric;

/// Most bytes of a line.
const LONGEST: usize = 1 << 16;

/// What a series without a name is called.
const UNNAMED: &str = "pairs";

/// Reads pairs. Lines that are empty or begin with `#` are left out.
///
/// # Errors
/// `LINE: COLUMN: what is wrong`, to be preceded by the file's name.
pub fn parse(text: &str) -> Result<Vec<Series>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.lines());
    let mut lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let (_, header) = lines
        .next()
        .ok_or("1: empty, wanted the columns base,head")?;
    let columns = Columns::of(header)?;
    let mut all = Collected::default();
    for (number, line) in lines {
        columns
            .take(line, &mut all)
            .map_err(|error| format!("{number}: {error}"))?;
    }
    match all.series.is_empty() {
        true => Err("1: base: no pair in the file".to_owned()),
        false => Ok(all.series),
    }
}

/// Series so far, and what each of their sessions is called.
#[derive(Default)]
struct Collected {
    series: Vec<Series>,
    sessions: Vec<Vec<String>>,
}

impl Collected {
    fn add(&mut self, cell: &str, metric: Metric, session: &str, pair: Pair) {
        let known = self
            .series
            .iter()
            .position(|s| s.cell == cell && s.metric == metric);
        let at = known.unwrap_or_else(|| {
            self.sessions.push(Vec::new());
            self.series.push(Series {
                cell: cell.to_owned(),
                metric,
                sessions: Vec::new(),
            });
            self.series.len() - 1
        });
        let names = &mut self.sessions[at];
        let number = names
            .iter()
            .position(|name| name == session)
            .unwrap_or_else(|| {
                names.push(session.to_owned());
                self.series[at].sessions.push(Vec::new());
                names.len() - 1
            });
        self.series[at].sessions[number].push(pair);
    }
}

/// Where each column stands.
struct Columns {
    count: usize,
    base: usize,
    head: usize,
    cell: Option<usize>,
    metric: Option<usize>,
    session: Option<usize>,
}

impl Columns {
    fn of(header: &str) -> Result<Self, String> {
        let names = fields(header).map_err(|error| format!("1: {error}"))?;
        let names: Vec<String> = names
            .iter()
            .map(|name| name.trim().to_lowercase())
            .collect();
        let at = |wanted: &str| names.iter().position(|name| name == wanted);
        let needed = |wanted: &str| {
            at(wanted).ok_or_else(|| format!("1: {wanted}: no such column; wanted base,head"))
        };
        Ok(Self {
            count: names.len(),
            base: needed("base")?,
            head: needed("head")?,
            cell: at("cell"),
            metric: at("metric"),
            session: at("session"),
        })
    }

    fn take(&self, line: &str, all: &mut Collected) -> Result<(), String> {
        let fields = fields(line)?;
        if fields.len() != self.count {
            return Err(format!("{} fields, wanted {}", fields.len(), self.count));
        }
        let number = |name: &str, at: usize| {
            let value = fields[at].trim().parse::<f64>();
            let value = value.map_err(|_| format!("{name}: {:?} is not a number", fields[at]))?;
            match value > 0.0 && value.is_finite() {
                true => Ok(value),
                false => Err(format!("{name}: {value} is not above zero")),
            }
        };
        let text = |at: Option<usize>| at.map_or("", |at| fields[at].as_str());
        let metric = match text(self.metric).trim() {
            "" => Metric::Inference,
            name => name.parse().map_err(|error| format!("metric: {error}"))?,
        };
        let cell = match text(self.cell) {
            "" => UNNAMED,
            cell => cell,
        };
        let (base, head) = (number("base", self.base)?, number("head", self.head)?);
        all.add(cell, metric, text(self.session).trim(), Pair { base, head });
        Ok(())
    }
}

/// The fields of a line, as RFC 4180 has them; a quoted field must end on its line.
fn fields(line: &str) -> Result<Vec<String>, String> {
    if line.len() > LONGEST {
        return Err(format!("longer than {LONGEST} bytes"));
    }
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if quoted {
        return Err("a quoted field does not end".to_owned());
    }
    fields.push(field);
    Ok(fields)
}

/// Writes pairs so that [`parse`] reads them back; line breaks in a name become blanks.
#[must_use]
pub fn write(all: &[Series]) -> String {
    let mut text = "cell,metric,session,base,head\n".to_owned();
    for series in all {
        let cell = crate::summary::one_line(&series.cell).replace('"', "\"\"");
        for (session, pairs) in (1..).zip(&series.sessions) {
            for Pair { base, head } in pairs {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "\"{cell}\",{},{session},{base},{head}", series.metric);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let series = parse("# by hand\nhead,base\n1.1,1\n\n1.2,1.0\n").unwrap();
        assert_eq!((series.len(), series[0].metric), (1, Metric::Inference));
        let pair = |base, head| Pair { base, head };
        assert_eq!(series[0].sessions, [[pair(1.0, 1.1), pair(1.0, 1.2)]]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let pair = |base, head| Pair { base, head };
        let series = |cell: &str, metric| Series {
            cell: cell.to_owned(),
            metric,
            sessions: vec![vec![pair(1.5, 0.1), pair(2.0, 1e-9)], vec![pair(3.0, 4.0)]],
        };
        let all = [
            series("a, \"b\"", Metric::Decode),
            series("c", Metric::Ttft),
        ];
        assert_eq!(parse(&write(&all)).unwrap(), all);
    }

    #[test]
    fn errors_name_line_and_column() {
        let check = |text: &str, expected: &str| assert_eq!(parse(text).unwrap_err(), expected);
        check("", "1: empty, wanted the columns base,head");
        check(
            "base,tail\n1,2",
            "1: head: no such column; wanted base,head",
        );
        check("base,head\n", "1: base: no pair in the file");
        check("base,head\n1,2,3", "2: 3 fields, wanted 2");
        check("base,head\n1,2\n1,x", "3: head: \"x\" is not a number");
        check("base,head\n1,nan", "2: head: NaN is not above zero");
        check("base,head\n0,1", "2: base: 0 is not above zero");
        check("base,head\n1,1e999", "2: head: inf is not above zero");
        check(
            "base,head,metric\n1,1,speed",
            "2: metric: unknown metric \"speed\"",
        );
        check("base,head\n\"1,1", "2: a quoted field does not end");
    }
}
