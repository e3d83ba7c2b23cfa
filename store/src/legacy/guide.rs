//! Reads the Markdown guide, line by line and strictly: what it accepts can be rendered again
//! byte for byte, so anything that would be lost is an error.

use chrono::{NaiveDate, NaiveDateTime};

use super::{Guide, GuideNote, GuideRow};
use crate::error::{Error, Result};

const HEADER: &str = "| Model | Vision | Pure Text | Avg Inference (s) | Load Time (s) | Memory Diff (GB) | Status |";
const RULE: &str = "|-------|--------|-----------|-------------------|---------------|------------------|--------|";

/// Reads a guide.
///
/// # Errors
/// [`Error::Guide`] with the first line (from 1) that differs from the format.
pub fn parse_guide(text: &str) -> Result<Guide> {
    let mut lines = Lines {
        lines: text.split('\n').collect(),
        next: 0,
    };
    let title = lines.between("# ", "")?.to_owned();
    lines.expect("")?;
    let date = lines.read("## 📊 **Quick Summary** (", ")", "a date", |text| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
    })?;
    lines.expect_all(&["", "### **Capability Overview**", HEADER, RULE])?;
    let mut rows = table(&mut lines)?;
    lines.expect_all(&["", "---", "", "## **Model Loading Methods**", ""])?;
    for row in &mut rows {
        loading_method(&mut lines, row)?;
    }
    lines.expect_all(&["---", "", "## **Recommendations**"])?;
    let recommendations = notes(&mut lines, "- **", ":** ")?;
    lines.expect_all(&["", "---", "", "## **Known Issues**"])?;
    let issues = notes(&mut lines, "- ", ": ")?;
    lines.expect_all(&["", "---", ""])?;
    let updated = lines.read("**Last Updated:** ", "  ", "a date and time", |text| {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()
    })?;
    let environment = lines.between("**Test Environment:** ", "")?.to_owned();
    lines.end()?;
    Ok(Guide {
        title,
        date,
        updated,
        environment,
        rows,
        recommendations,
        issues,
    })
}

/// The rows of the capability table; the model ids come later in the document.
fn table(lines: &mut Lines<'_>) -> Result<Vec<GuideRow>> {
    let mut rows = Vec::new();
    while lines.peek().starts_with('|') {
        let cells: Vec<&str> = lines.between("| ", " |")?.split(" | ").collect();
        let &[model, vision, text, inference, load, memory, status] = cells.as_slice() else {
            return Err(lines.wrong(format!("{} cells, wanted 7", cells.len())));
        };
        rows.push(GuideRow {
            model: lines.text(model)?,
            model_id: String::new(),
            vision: lines.mark(vision)?,
            text: lines.mark(text)?,
            inference_s: lines.two_decimals(inference)?,
            load_s: lines.two_decimals(load)?,
            memory_gb: lines.two_decimals(memory)?,
            status: lines.text(status)?,
        });
    }
    if rows.is_empty() {
        lines.next += 1;
        return Err(lines.wrong("wanted a row of the table"));
    }
    Ok(rows)
}

/// One `### model` with its code block, which repeats the figures of the table.
fn loading_method(lines: &mut Lines<'_>, row: &mut GuideRow) -> Result<()> {
    lines.expect(&format!("### {}", row.model))?;
    lines.expect("```python")?;
    let id = lines.between("model_id = \"", "\"")?;
    row.model_id = lines.text(id)?;
    lines.expect(&format!(
        "# Load time: {:.2}s | Avg Inference: {:.2}s | Memory Diff: {:.2}GB",
        row.load_s, row.inference_s, row.memory_gb
    ))?;
    lines.expect_all(&["```", ""])
}

/// A list of `{open}label{close}text` lines.
fn notes(lines: &mut Lines<'_>, open: &str, close: &str) -> Result<Vec<GuideNote>> {
    let mut notes = Vec::new();
    while lines.peek().starts_with("- ") {
        let line = lines.between(open, "")?;
        let Some((label, text)) = line.split_once(close) else {
            return Err(lines.wrong(format!("wanted `{open}label{close}text`")));
        };
        notes.push(GuideNote {
            label: lines.text(label)?,
            text: lines.text(text)?,
        });
    }
    Ok(notes)
}

/// A cursor that knows its line number.
struct Lines<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    /// An error about the line read last.
    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Guide {
            line: self.next.max(1),
            reason: reason.into(),
        }
    }

    fn peek(&self) -> &'a str {
        self.lines.get(self.next).copied().unwrap_or_default()
    }

    fn take(&mut self) -> Result<&'a str> {
        let line = self.lines.get(self.next).copied();
        self.next += 1;
        line.ok_or_else(|| self.wrong("the guide ends too early"))
    }

    fn expect(&mut self, expected: &str) -> Result<()> {
        match self.take()? {
            line if line == expected => Ok(()),
            line => Err(self.wrong(format!("wanted {expected:?}, found {:?}", shortened(line)))),
        }
    }

    fn expect_all(&mut self, expected: &[&str]) -> Result<()> {
        expected.iter().try_for_each(|line| self.expect(line))
    }

    /// What stands between `open` and `close` on the next line.
    fn between(&mut self, open: &str, close: &str) -> Result<&'a str> {
        let line = self.take()?;
        let inner = line
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close));
        inner.filter(|inner| !inner.is_empty()).ok_or_else(|| {
            self.wrong(format!(
                "wanted `{open}…{close}`, found {:?}",
                shortened(line)
            ))
        })
    }

    /// What stands between `open` and `close` on the next line, as a value.
    fn read<T>(
        &mut self,
        open: &str,
        close: &str,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let text = self.between(open, close)?;
        parse(text).ok_or_else(|| self.wrong(format!("{:?} is not {what}", shortened(text))))
    }

    fn end(&mut self) -> Result<()> {
        if self.next < self.lines.len() {
            self.next += 1;
            return Err(self.wrong("text after the end of the guide"));
        }
        Ok(())
    }

    /// A text without blanks around it and without control characters.
    fn text(&self, text: &str) -> Result<String> {
        if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            return Err(self.wrong(format!(
                "{:?} is empty or has stray blanks",
                shortened(text)
            )));
        }
        Ok(text.to_owned())
    }

    fn mark(&self, cell: &str) -> Result<bool> {
        match cell {
            "✅" => Ok(true),
            "❌" => Ok(false),
            other => Err(self.wrong(format!("{:?} is neither ✅ nor ❌", shortened(other)))),
        }
    }

    /// A number that prints again as it was written.
    fn two_decimals(&self, cell: &str) -> Result<f64> {
        let same = |number: &f64| number.is_finite() && format!("{number:.2}") == cell;
        cell.parse().ok().filter(same).ok_or_else(|| {
            self.wrong(format!(
                "{:?} is no number with two decimals",
                shortened(cell)
            ))
        })
    }
}

/// At most 60 characters of a hostile line.
fn shortened(line: &str) -> String {
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../datasets/legacy/guide-2025-07-22.md");

    /// The error after replacing `from` by `to`, once, in the real guide.
    fn check(from: &str, to: &str, expected: &str) {
        let broken = GUIDE.replacen(from, to, 1);
        assert_ne!(broken, GUIDE, "{from:?} is in the guide");
        assert_eq!(
            parse_guide(&broken).expect_err("refused").to_string(),
            expected
        );
    }

    #[test]
    fn reads_the_real_guide() {
        let guide = parse_guide(GUIDE).expect("the committed guide");
        assert_eq!(guide.title, "VLM Model Loading Reference Guide");
        assert_eq!(guide.date.to_string(), "2025-07-22");
        assert_eq!(guide.updated.to_string(), "2025-07-22 13:01:28");
        assert_eq!(guide.environment, "MacBook Air M3 (16GB RAM)");
        assert_eq!(
            (
                guide.rows.len(),
                guide.recommendations.len(),
                guide.issues.len()
            ),
            (5, 5, 3)
        );
        let moondream = &guide.rows[2];
        assert_eq!(
            (moondream.vision, moondream.text, moondream.memory_gb),
            (true, false, -1.15)
        );
        assert_eq!(moondream.model_id, "vikhyatk/moondream2");
        assert_eq!(guide.recommendations[4].label, "Avoid for Production");
        assert_eq!(guide.issues[0].label, "LLaVA-MLX");
    }

    #[test]
    fn errors_name_the_line() {
        check(
            "(2025-07-22)",
            "(July)",
            "guide, line 3: \"July\" is not a date",
        );
        check(
            "| 6.20 | 1.02",
            "| 6.2 | 1.02",
            "guide, line 8: \"6.2\" is no number with two decimals",
        );
        check(
            " | ✅ | 6.20",
            " | yes | 6.20",
            "guide, line 8: \"yes\" is neither ✅ nor ❌",
        );
        check(
            " | Best Overall |",
            " |",
            "guide, line 8: 6 cells, wanted 7",
        );
        check(
            "5.34s |",
            "5.43s |",
            "guide, line 33: wanted \"# Load time: 5.34s | Avg Inference: 5.89s | Memory Diff: -1.15GB\", found \"# Load time: 5.43s | Avg Inference: 5.89s | Memory Diff: -1.…\"",
        );
        check(
            "- LLaVA-MLX: ",
            "- LLaVA-MLX ",
            "guide, line 60: wanted `- label: text`",
        );
        check(
            "(16GB RAM)",
            "(16GB RAM)\n",
            "guide, line 68: text after the end of the guide",
        );
    }

    #[test]
    fn every_cut_is_an_error_and_none_panics() {
        let last = GUIDE.rfind("MacBook").expect("the last line");
        for (end, _) in GUIDE.char_indices().take_while(|(end, _)| *end <= last) {
            assert!(parse_guide(&GUIDE[..end]).is_err(), "cut at byte {end}");
        }
    }
}
