//! What is shown while files are fetched: a bar on a terminal, two lines a file elsewhere.

use std::io::Write;
use std::time::{Duration, Instant};

use super::Style;
use crate::cli::duration;

/// The display of one download after another.
pub struct Display<W: Write> {
    out: W,
    style: Style,
    name: String,
    bytes: u64,
    /// Where this download began, and how far it is.
    from: u64,
    at: u64,
    start: Instant,
    drawn: Option<Instant>,
}

impl<W: Write> Display<W> {
    /// A display on `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self {
            out,
            style,
            name: String::new(),
            bytes: 0,
            from: 0,
            at: 0,
            start: Instant::now(),
            drawn: None,
        }
    }

    /// A file of so many bytes begins, `have` of them are here.
    pub fn begin(&mut self, name: &str, bytes: u64, have: u64) {
        (self.name, self.bytes) = (name.to_owned(), bytes);
        (self.from, self.at) = (have, have);
        (self.start, self.drawn) = (Instant::now(), None);
        if self.style == Style::Plain {
            let resumed = match have {
                0 => String::new(),
                have => format!(", {} here already", size(have)),
            };
            self.line(&format!("{name}  {}{resumed} ...", size(bytes)));
        }
    }

    /// So many bytes are here.
    pub fn at(&mut self, at: u64) {
        self.at = at;
        self.from = self.from.min(at);
        let Style::Live { .. } = self.style else {
            return;
        };
        let often = Duration::from_millis(100);
        if self.drawn.is_none_or(|last| last.elapsed() >= often) {
            self.drawn = Some(Instant::now());
            let text = self.bar();
            // A display that cannot be written must not end the download.
            let _ = write!(self.out, "\r\x1b[K{text}").and_then(|()| self.out.flush());
        }
    }

    /// Something went wrong that is tried again.
    pub fn trouble(&mut self, why: &str) {
        let name = self.name.clone();
        self.line(&format!("{name}  {why}: trying again"));
    }

    /// The file is here.
    pub fn end(&mut self) {
        let took = duration::format(self.start.elapsed());
        let text = format!("{}  {}  ({took})", self.name, size(self.bytes));
        self.line(&text);
    }

    /// The file is given up: leaves a clean line for the reason.
    pub fn abandon(&mut self) {
        if let Style::Live { .. } = self.style {
            let _ = write!(self.out, "\r\x1b[K").and_then(|()| self.out.flush());
        }
    }

    fn bar(&self) -> String {
        const WIDTH: u64 = 24;
        let share = |of: u64| {
            (u128::from(self.at) * u128::from(of) / u128::from(self.bytes.max(1))) as usize
        };
        let full = share(WIDTH).min(WIDTH as usize);
        let seconds = self.start.elapsed().as_secs_f64().max(1e-3);
        let rate = (self.at - self.from) as f64 / seconds;
        let left = match rate > 0.0 {
            true => {
                let left = self.bytes.saturating_sub(self.at) as f64 / rate;
                let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
                format!(", {} left", duration::format(left))
            }
            false => String::new(),
        };
        format!(
            "{}  [{}{}] {:3} %  {} of {}, {}/s{left}",
            self.name,
            "#".repeat(full),
            ".".repeat(WIDTH as usize - full),
            share(100),
            size(self.at),
            size(self.bytes),
            size(rate as u64)
        )
    }

    fn line(&mut self, text: &str) {
        let clear = match self.style {
            Style::Live { .. } => "\r\x1b[K",
            Style::Plain => "",
        };
        let _ = writeln!(self.out, "{clear}{text}").and_then(|()| self.out.flush());
    }
}

/// Bytes in decimal units, as hubs and disks count them.
#[must_use]
pub fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        b if b < 1e3 => format!("{b} B"),
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b if b < 1e9 => format!("{:.1} MB", b / 1e6),
        b => format!("{:.2} GB", b / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(style: Style) -> String {
        let mut display = Display::new(Vec::new(), style);
        display.begin("model.safetensors", 4_000_000_000, 1_000_000_000);
        display.at(2_000_000_000);
        display.trouble("the connection broke");
        display.at(4_000_000_000);
        display.end();
        String::from_utf8(display.out).unwrap()
    }

    #[test]
    fn without_a_terminal_there_are_plain_lines() {
        let text = shown(Style::Plain);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "model.safetensors  4.00 GB, 1.00 GB here already ..."
        );
        assert_eq!(
            lines[1],
            "model.safetensors  the connection broke: trying again"
        );
        assert!(
            lines[2].starts_with("model.safetensors  4.00 GB  ("),
            "{text}"
        );
        assert!(lines.len() == 3 && !text.contains(['\r', '\x1b']));
    }

    #[test]
    fn on_a_terminal_there_is_a_bar() {
        let text = shown(Style::Live { colour: false });
        let bar = "[############............]  50 %  2.00 GB of 4.00 GB, ";
        assert!(text.contains(bar), "{text}");
    }
}
