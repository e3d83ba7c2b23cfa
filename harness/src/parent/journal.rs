//! What was measured of cells that are not stored yet: one line of JSON an event, in a file beside the
//! database, removed when the session is complete.
//!
//! Only whole epochs count when a session is taken up again: a process that is gone took its warm
//! state with it. So the file is flushed to storage at the end of each epoch, not within one,
//! where the write would disturb what is measured.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ledger::Entry;
use crate::message::{Epoch, Line as Text, MAX_LINE, read_line};

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    /// An epoch begins.
    Begin { cell: usize, epoch: Epoch },
    /// Something to be booked.
    Booked { entry: Entry },
    /// It ended well.
    End { wall_s: f64 },
}

/// An epoch that ended well.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Number of the cell in the plan.
    pub cell: usize,
    /// What it did.
    pub epoch: Epoch,
    /// What was booked of it.
    pub entries: Vec<Entry>,
    /// Its wall time, in seconds.
    pub wall_s: f64,
}

/// The file being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Journal {
    /// The journal of a session, beside its database.
    #[must_use]
    pub fn path(database: &Path, session: store::Uuid) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(format!("-{session}.journal"));
        name.into()
    }

    /// Opens the file to be written on, with the whole epochs that it holds already. What follows the
    /// last of them, a torn line say, is cut off.
    ///
    /// # Errors
    /// Names the file that cannot be read or written.
    pub fn open(path: PathBuf) -> io::Result<(Self, Vec<Recorded>)> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false);
        let mut file = file.open(&path).map_err(named)?;
        let (epochs, whole) = read(&mut BufReader::new(&file)).map_err(named)?;
        file.set_len(whole).map_err(named)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0)).map_err(named)?;
        let out = BufWriter::new(file);
        Ok((Self { path, out }, epochs))
    }

    /// An epoch begins.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(&mut self, cell: usize, epoch: &Epoch) -> io::Result<()> {
        let epoch = epoch.clone();
        self.write(&Line::Begin { cell, epoch })
    }

    /// Something was booked of it.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn book(&mut self, entry: &Entry) -> io::Result<()> {
        let entry = entry.clone();
        self.write(&Line::Booked { entry })
    }

    /// It ended well. When this returns, it survives a crash.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn end(&mut self, wall_s: f64) -> io::Result<()> {
        self.write(&Line::End { wall_s })?;
        self.out.flush()?;
        self.out.get_ref().sync_data()
    }

    /// The session is complete: nothing is left to be taken up.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn close(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

/// The whole epochs, and the length in bytes of what holds them.
fn read(from: &mut impl BufRead) -> io::Result<(Vec<Recorded>, u64)> {
    let (mut epochs, mut open) = (Vec::new(), None::<Recorded>);
    let (mut at, mut whole) = (0, 0);
    while let Text::Text(line) = read_line(from, MAX_LINE)? {
        at += line.len() as u64 + 1;
        match (serde_json::from_slice(&line), &mut open) {
            (Ok(Line::Begin { cell, epoch }), _) => {
                let (entries, wall_s) = (Vec::new(), 0.0);
                open = Some(Recorded {
                    cell,
                    epoch,
                    entries,
                    wall_s,
                });
            }
            (Ok(Line::Booked { entry }), Some(epoch)) => epoch.entries.push(entry),
            (Ok(Line::End { wall_s }), Some(_)) => {
                epochs.extend(open.take().map(|epoch| Recorded { wall_s, ..epoch }));
                whole = at;
            }
            // Torn or foreign: nothing after it can be trusted.
            _ => break,
        }
    }
    Ok((epochs, whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use store::Metric;

    fn entry(value: f64) -> Entry {
        let metric = Metric::Inference;
        Entry::Said(Message::Sample { metric, value })
    }

    fn epoch(journal: &mut Journal, cell: usize) {
        journal.begin(cell, &Epoch::new("a", 1)).unwrap();
        journal.book(&entry(0.1)).unwrap();
        journal.book(&Entry::Trial(Vec::new())).unwrap();
        journal.end(1.5).unwrap();
    }

    #[test]
    fn whole_epochs_survive_and_a_torn_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = Journal::path(&dir.path().join("r.db"), store::Uuid::now_v7());
        let (mut journal, none) = Journal::open(path.clone()).unwrap();
        assert!(none.is_empty());
        epoch(&mut journal, 3);
        journal.begin(4, &Epoch::new("b", 1)).unwrap();
        drop(journal);
        let torn = "{\"event\":\"booked\",\"entry\":{\"sa";
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(torn.as_bytes()).unwrap();
        for round in 1..3 {
            let (mut journal, epochs) = Journal::open(path.clone()).unwrap();
            assert_eq!(epochs.len(), round);
            assert_eq!(epochs[0].entries, [entry(0.1), Entry::Trial(Vec::new())]);
            assert_eq!((epochs[0].cell, epochs[0].wall_s), (3, 1.5));
            epoch(&mut journal, 5);
        }
        let (journal, epochs) = Journal::open(path.clone()).unwrap();
        assert_eq!(epochs.len(), 3);
        journal.close().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = Journal::open("/nowhere/r.journal".into()).unwrap_err();
        assert!(
            error.to_string().starts_with("/nowhere/r.journal: "),
            "{error}"
        );
    }
}
