//! The summary as a table of texts, and tables of texts as aligned lines.

use super::status::load_figure;
use super::{Row, Verdict};
use crate::metric::Metric;
use crate::stats::Figure;

/// Headers: the guide's seven columns in its order, then ours.
const HEADERS: [&str; 16] = [
    "Model",
    "Vision",
    "Pure Text",
    "Avg Inference (s)",
    "Load Time (s)",
    "Memory Diff (GB)",
    "Status",
    "TTFT",
    "Vision encode",
    "Prefill",
    "Decode",
    "Peak memory",
    "Drift",
    "Context",
    "J/token",
    "n",
];

/// What the signs beside a figure's counts mean, a line each.
pub const MARKS: [&str; 3] = [
    "† provisional: fewer than three processes",
    "‡ wide: the interval is over 2 % of a decode rate, or 5 % of another time or rate",
    "* noisy: over a tenth of the trials lie far from the median of their process",
];

/// The summary table: headers and one list of cells per row. Every figure carries spread and `n`
/// (see [`Figure`]), or says `void: reason` or `n/a`. The unit of a column in brackets is left
/// out of its cells; GB means 1024³ bytes here.
#[must_use]
pub fn summary_table(rows: &[Row]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let kin = |row: &Row| -> Vec<&Row> {
        let same = rows.iter().filter(|other| other.model == row.model);
        same.collect()
    };
    (
        HEADERS.to_vec(),
        rows.iter()
            .map(|row| cells(row, &name(row, &kin(row))))
            .collect(),
    )
}

fn cells(row: &Row, name: &str) -> Vec<String> {
    let plain = |metric| figure_or_why(row, metric, Figure::to_string);
    vec![
        name.to_owned(),
        judged(&row.vision),
        judged(&row.text),
        figure_or_why(row, Metric::Inference, |figure| {
            figure.with_value(&digits(figure.median))
        }),
        load(row),
        figure_or_why(row, Metric::LoadMemory, |figure| {
            figure.with_value(&digits(figure.median / 1_073_741_824.0))
        }),
        format!("{} ({})", row.status.label, row.status.rule),
        plain(Metric::Ttft),
        plain(Metric::VisionEncode),
        plain(Metric::Prefill),
        plain(Metric::Decode),
        plain(peak(row)),
        judged(&row.drift),
        judged(&row.context),
        figure_or_why(row, Metric::EnergyPerToken, |figure| {
            figure.with_value(&digits(figure.median))
        }),
        count(row),
    ]
}

/// Whose peak memory stands in the table: a server's is known only while it answers, and a GPU with
/// memory of its own holds the model there.
fn peak(row: &Row) -> Metric {
    match row.weights.as_str() {
        "served" => Metric::InferPeak,
        _ if row.figures.contains_key(&Metric::DeviceMemory) => Metric::DeviceMemory,
        _ => Metric::PeakMemory,
    }
}

/// The model; with backend and device where it has several rows, and with the precision where these differ in it;
/// marked where weights are dummies.
fn name(row: &Row, kin: &[&Row]) -> String {
    let place = match kin {
        [_] => String::new(),
        _ => format!(" · {} {}", row.backend, row.device),
    };
    // One that failed before loading knows none.
    let known = |row: &&&Row| !row.precision.is_empty();
    let differ = kin
        .iter()
        .filter(known)
        .any(|other| other.precision != row.precision);
    let precision = match differ && !row.precision.is_empty() {
        true => format!(", {}", row.precision),
        false => String::new(),
    };
    let dummy = if row.weights == "dummy" {
        " (dummy weights)"
    } else {
        ""
    };
    format!("{}{place}{precision}{dummy}", row.model)
}

fn judged(verdict: &Verdict) -> String {
    format!("{} {}", verdict.mark.sign(), verdict.label)
}

fn load(row: &Row) -> String {
    let Some(figure) = load_figure(&row.figures) else {
        return figure_or_why(row, Metric::LoadWarm, Figure::to_string);
    };
    let cache = match figure.metric {
        Metric::LoadWarm => "warm",
        Metric::LoadCold => "cold",
        _ => "cache unknown",
    };
    figure.with_value(&format!("{} {cache}", digits(figure.median)))
}

/// The figure as `print` prints it; else why it was refused; else `n/a`.
fn figure_or_why(row: &Row, metric: Metric, print: impl Fn(&Figure) -> String) -> String {
    if let Some(figure) = row.figures.get(&metric) {
        return print(figure);
    }
    let refused = row.voids.iter().find(|void| void.metric == Some(metric));
    refused.map_or_else(|| "n/a".to_owned(), |void| format!("void: {}", void.reason))
}

/// Trials / epochs of inference, `failed` where it failed.
fn count(row: &Row) -> String {
    match row.figures.get(&Metric::Inference) {
        Some(figure) => format!("{}/{}", figure.trials, figure.epochs),
        None if row.failures.is_empty() => "0".to_owned(),
        None => "failed".to_owned(),
    }
}

/// A number without its unit: three digits, more places the smaller it is.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 || v == 0.0 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    format!("{value:.places$}")
}

/// Columns of text beyond which a table is cut and goes on below, its first column repeated.
const WIDE: usize = 170;

/// Aligned plain text: two blanks between columns, a rule under the headers, no blanks at the end
/// of lines. Control characters, which could move a terminal's cursor, are replaced. A table wider
/// than 170 columns goes on below.
#[must_use]
pub fn text_table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let clean = |text: &str| text.replace(char::is_control, "\u{fffd}");
    let header: Vec<String> = headers.iter().map(|text| clean(text)).collect();
    let body = rows
        .iter()
        .map(|row| row.iter().map(|text| clean(text)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(body).collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|text| display_width(text)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let blocks = blocks(&widths);
    let texts: Vec<String> = blocks
        .iter()
        .map(|block| aligned(&lines, &widths, block))
        .collect();
    texts.join("\n")
}

/// Which columns stand side by side: the first in every block, the others once, in order.
fn blocks(widths: &[usize]) -> Vec<Vec<usize>> {
    let mut blocks = Vec::new();
    let mut block = Vec::new();
    let mut used = 0;
    for (column, &width) in widths.iter().enumerate() {
        if block.len() > 1 && used + width > WIDE {
            blocks.push(std::mem::replace(&mut block, vec![0]));
            used = widths[0] + 2;
        }
        block.push(column);
        used += width + 2;
    }
    blocks.push(block);
    blocks
}

fn aligned(lines: &[Vec<String>], widths: &[usize], block: &[usize]) -> String {
    let widths: Vec<usize> = block.iter().map(|&column| widths[column]).collect();
    let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let cell = |&column: &usize| line.get(column).cloned().unwrap_or_default();
        push_line(
            &mut text,
            &block.iter().map(cell).collect::<Vec<_>>(),
            &widths,
        );
        if number == 0 {
            push_line(&mut text, &rule, &widths);
        }
    }
    text
}

fn push_line(text: &mut String, cells: &[String], widths: &[usize]) {
    let mut line = String::new();
    for (cell, &width) in cells.iter().zip(widths) {
        line.push_str(cell);
        line.push_str(&" ".repeat(width + 2 - display_width(cell).min(width)));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// Columns that a text takes on a terminal: emoji and CJK two, joiners and marks none.
#[must_use]
pub fn display_width(text: &str) -> usize {
    let mut total = 0;
    let mut last = 0;
    for c in text.chars() {
        // The emoji selector widens the sign before it: ⚠️ takes two columns, ⚠ one.
        let width = if c == '\u{fe0f}' {
            2 - last.clamp(0, 2)
        } else {
            char_width(c)
        };
        total += width;
        last = if c == '\u{fe0f}' { 2 } else { width };
    }
    total
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x231a..=0x231b
        | 0x23e9..=0x23ec
        | 0x2705
        | 0x270a..=0x270b
        | 0x2728
        | 0x274c
        | 0x274e
        | 0x2753..=0x2755
        | 0x2757
        | 0x2795..=0x2797
        | 0x2b1b..=0x2b1c
        | 0x2b50
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Run, Stage};
    use crate::summary::rows;
    use crate::summary::tests::{failed, sound};

    #[test]
    fn rows_of_a_model_say_in_what_precision_where_they_differ() {
        let mut served = sound();
        for cell in served.iter_mut().map(|run| &mut run.cell) {
            (cell.backend, cell.device) = ("openai".to_owned(), "llama.cpp".to_owned());
            (cell.precision, cell.weights) = ("Q4_1, as served".to_owned(), "served".to_owned());
        }
        // A row that failed before it loaded anything knows no precision, and differs from none.
        let mut unknown = vec![failed("vision", Stage::Load, "no such file")];
        unknown[0].cell.backend = "mlx".to_owned();
        unknown[0].cell.precision.clear();
        let names = |runs: &[Vec<Run>]| -> Vec<String> {
            let (_, cells) = summary_table(&rows(&runs.concat()));
            cells
                .into_iter()
                .map(|mut row| row.swap_remove(0))
                .collect()
        };
        assert_eq!(
            names(&[sound(), unknown.clone()]),
            ["tiny · candle cpu", "tiny · mlx cpu"]
        );
        assert_eq!(
            names(&[sound(), served, unknown]),
            [
                "tiny · candle cpu, f32",
                "tiny · openai llama.cpp, Q4_1, as served",
                "tiny · mlx cpu"
            ]
        );
    }

    #[test]
    fn emoji_take_two_columns() {
        assert_eq!(display_width("✅ SEES"), 7);
        assert_eq!(display_width("⚠️"), 2);
        assert_eq!(display_width("⚠"), 1);
        assert_eq!(display_width("–"), 1);
        assert_eq!(display_width("模型"), 4);
        assert_eq!(display_width("e\u{301}"), 1);
    }

    #[test]
    fn columns_are_aligned_by_display_width() {
        let rows = [
            vec!["a".to_owned(), "✅ x".to_owned()],
            vec!["bbb".to_owned(), "y".to_owned()],
        ];
        let rows = rows.map(|mut row| {
            row.push("z".to_owned());
            row
        });
        let text = text_table(&["m", "v", "n"], &rows);
        assert_eq!(
            text,
            "m    v     n\n---  ----  -\na    ✅ x  z\nbbb  y     z\n"
        );
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = text_table(&["m"], &[vec!["a\u{1b}[2J\nb".to_owned()]]);
        assert_eq!(text, "m\n-------\na\u{fffd}[2J\u{fffd}b\n");
    }

    #[test]
    fn uneven_rows_do_not_panic() {
        let rows = [vec![], vec!["a".to_owned(), "b".to_owned()]];
        assert_eq!(text_table(&["x"], &rows), "x\n-  -\n\na  b\n");
        assert_eq!(text_table(&[], &[]), "\n\n");
    }

    #[test]
    fn numbers_keep_three_digits() {
        let printed: Vec<_> = [123.4, 12.34, 1.234, 0.1234, 0.01234, 0.0]
            .map(digits)
            .to_vec();
        assert_eq!(printed, ["123", "12.3", "1.23", "0.123", "0.0123", "0.00"]);
    }
}
