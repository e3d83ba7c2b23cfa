//! Server-sent events, one at a time, as they arrive.

use std::io::{BufRead, BufReader, Read};

use crate::message::{Line, read_line};

/// Longest line, in bytes.
const MAX_LINE: usize = 1 << 20;

/// Most bytes of one answer.
const MAX_BYTES: usize = 64 << 20;

/// A stream of events.
pub(super) struct Events<R: Read> {
    from: BufReader<R>,
    left: usize,
}

impl<R: Read> Events<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from: BufReader::new(from),
            left: MAX_BYTES,
        }
    }

    /// The data of the next event that has any; none at the end.
    ///
    /// Comments and other fields are passed over. An event that the end cuts short is given out: some
    /// servers leave out the last blank line.
    ///
    /// # Errors
    /// When the connection breaks or stalls, or a line or the whole is too long.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut data: Option<Vec<u8>> = None;
        loop {
            let Some(line) = self.line()? else {
                return Ok(data);
            };
            if line.is_empty() {
                if data.is_some() {
                    return Ok(data);
                }
                continue;
            }
            let Some(rest) = line.strip_prefix(b"data:") else {
                continue;
            };
            let text = rest.strip_prefix(b" ").unwrap_or(rest);
            match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(text);
                }
                None => data = Some(text.to_vec()),
            }
        }
    }

    /// One line without its end; none at the stream's.
    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        match read_line(&mut self.from, MAX_LINE) {
            Ok(Line::Text(mut line)) => {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                let spent = line.len() + 1;
                self.left = self
                    .left
                    .checked_sub(spent)
                    .ok_or_else(|| format!("the stream is longer than {} MiB", MAX_BYTES >> 20))?;
                Ok(Some(line))
            }
            Ok(Line::TooLong) => Err(format!(
                "the stream holds a line of more than {} KiB",
                MAX_LINE >> 10
            )),
            Ok(Line::End) => Ok(None),
            Err(error) => Err(format!("the stream broke off: {error}")),
        }
    }

    /// Reads what is left, so that the server sees its answer taken. Bounded, and its end is no matter.
    pub(super) fn drain(&mut self) {
        while let Ok(bytes) = self.from.fill_buf() {
            let count = bytes.len();
            if count == 0 || count > self.left {
                return;
            }
            self.left -= count;
            self.from.consume(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out its bytes in parts of this size, as a network does.
    struct Parts<'a>(&'a [u8], usize);

    impl Read for Parts<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(bytes: &[u8], part: usize) -> Result<Vec<String>, String> {
        let mut events = Events::new(Parts(bytes, part));
        let mut found = Vec::new();
        while let Some(data) = events.next()? {
            found.push(String::from_utf8_lossy(&data).into_owned());
        }
        Ok(found)
    }

    #[test]
    fn events_are_found_however_they_arrive() {
        let check = |text: &str, expected: &[&str]| {
            for part in [1, 2, 3, 7, 4096] {
                assert_eq!(
                    all(text.as_bytes(), part).unwrap(),
                    expected,
                    "{text:?} {part}"
                );
            }
        };
        check(
            "data: {\"a\":\"é😀\"}\n\ndata:[DONE]\n\n",
            &["{\"a\":\"é😀\"}", "[DONE]"],
        );
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
        check(": ping\n\nevent: x\nid: 7\ndata: a\nretry: 5\n\n", &["a"]);
        check("data: a\ndata: b\n\n", &["a\nb"]);
        check("data: cut off", &["cut off"]);
        check("data\n\n\n\nnonsense\n\n", &[]);
        check("", &[]);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let mut line = b"data: ".to_vec();
        line.resize(MAX_LINE + 10, b'x');
        let error = all(&line, 4096).unwrap_err();
        assert!(error.contains("line of more than 1024 KiB"), "{error}");
        let mut many = b"data: ".to_vec();
        many.resize(MAX_LINE - 1, b'x');
        many.extend_from_slice(b"\n\n");
        let many = many.repeat(70);
        let error = all(&many, 1 << 16).unwrap_err();
        assert!(error.contains("longer than 64 MiB"), "{error}");
    }
}
