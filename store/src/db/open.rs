//! Opening: tell what a file is before touching it, then configure and migrate.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::{APPLICATION_ID, Db, MIGRATIONS};
use crate::error::{Error, Result};

/// The schema version of this program.
const KNOWN: u32 = MIGRATIONS.len() as u32;

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Prepared statements that are kept: more than any command has.
const STATEMENTS: usize = 128;

/// What lies at a path.
enum Found {
    /// Nothing, or an empty file: a creation that was killed before its first commit.
    Nothing,
    /// A database of ours with this schema version.
    Ours(u32),
}

impl Db {
    /// Opens a database for writing; creates it where there is none, upgrades an older schema.
    ///
    /// # Errors
    /// [`Error::NotADatabase`], [`Error::Foreign`], [`Error::TooNew`], [`Error::Unwritable`],
    /// [`Error::Busy`], [`Error::Damaged`]; in all of these the file is left as it is.
    pub fn open(path: &Path) -> Result<Self> {
        match inspect(path)? {
            Found::Ours(found) if found > KNOWN => return Err(too_new(path, found)),
            Found::Ours(_) => writable(path)?,
            Found::Nothing => {}
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut db = connect(path, flags)?;
        db.migrate()
            .map_err(|error| unwritable_if_opening(error, path))?;
        Ok(db)
    }

    /// Opens an existing database for reading only: never creates, writes or upgrades.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::NotADatabase`], [`Error::Foreign`], [`Error::TooNew`],
    /// [`Error::TooOld`], [`Error::CutOff`], [`Error::Unreadable`].
    pub fn open_existing(path: &Path) -> Result<Self> {
        match inspect(path)? {
            Found::Nothing => {
                return Err(Error::Missing {
                    path: path.to_owned(),
                });
            }
            Found::Ours(found) if found > KNOWN => return Err(too_new(path, found)),
            Found::Ours(found) if found < KNOWN => {
                return Err(Error::TooOld {
                    path: path.to_owned(),
                    found,
                    known: KNOWN,
                });
            }
            Found::Ours(_) => {}
        }
        let db = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // The first read is where SQLite meets a journal left by a killed writer.
        db.number("SELECT count(*) FROM sqlite_schema")?;
        Ok(db)
    }

    /// Opens an existing database of whatever schema for reading, without ever writing to it: one of an older
    /// schema is copied and upgraded there. The copy goes with this.
    ///
    /// # Errors
    /// Those of [`Db::open_existing`], but [`Error::TooOld`].
    pub fn open_upgraded(path: &Path) -> Result<Self> {
        match Self::open_existing(path) {
            Err(Error::TooOld { .. }) => {
                let copy = Scratch::of(path)?;
                let mut db = Self::open(&copy.0)?;
                db.copy = Some(copy);
                Ok(db)
            }
            opened => opened,
        }
    }

    /// Applies what is missing of [`MIGRATIONS`], in one transaction.
    fn migrate(&mut self) -> Result<()> {
        // A table that others refer to can only be made anew while nobody minds.
        self.mind_references(false)?;
        let done = self.migrated();
        self.mind_references(true)?;
        done
    }

    fn mind_references(&self, on: bool) -> Result<()> {
        let done = self
            .conn
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, on);
        done.map(drop).map_err(|error| sql(&self.path, error))
    }

    fn migrated(&mut self) -> Result<()> {
        let path = self.path.clone();
        let fail = |error| sql(&path, error);
        super::upgrade::register(&self.conn).map_err(fail)?;
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let tx = tx.map_err(fail)?;
        // Read again under the lock: another process may have been first.
        let number = |query: &str| {
            tx.query_row(query, [], |row| row.get::<_, u32>(0))
                .map_err(fail)
        };
        let version = number("PRAGMA user_version")?;
        match number("PRAGMA application_id")? {
            APPLICATION_ID => {}
            0 if number("SELECT count(*) FROM sqlite_schema")? == 0 => {
                tx.pragma_update(None, "application_id", APPLICATION_ID)
                    .map_err(fail)?;
            }
            _ => return Err(Error::Foreign { path: path.clone() }),
        }
        if version > KNOWN {
            return Err(too_new(&path, version));
        }
        for migration in &MIGRATIONS[version as usize..] {
            tx.execute_batch(migration).map_err(fail)?;
        }
        tx.pragma_update(None, "user_version", KNOWN)
            .map_err(fail)?;
        if version == KNOWN {
            // Nothing to keep: the write was to learn now, not after an hour of measuring,
            // whether the journal can be made beside the file.
            return tx.rollback().map_err(fail);
        }
        if tx
            .query_row("SELECT 1 FROM pragma_foreign_key_check", [], |_| Ok(()))
            .optional()
            .map_err(fail)?
            .is_some()
        {
            let reason = "a row refers to one that is not there".to_owned();
            return Err(Error::Damaged { path, reason });
        }
        tx.commit().map_err(fail)
    }

    /// One number of a query without parameters.
    pub(super) fn number(&self, query: &str) -> Result<i64> {
        self.conn
            .query_row(query, [], |row| row.get(0))
            .map_err(|error| sql(&self.path, error))
    }
}

/// A file in the folder for temporary ones, deleted when it is dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A copy of a database as it is between two transactions.
    fn of(path: &Path) -> Result<Self> {
        let name = format!("vlm-bench-{}.db", uuid::Uuid::now_v7());
        let copy = Self(std::env::temp_dir().join(name));
        let db = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // Fails early, and in our words, where a journal is left.
        db.number("SELECT count(*) FROM sqlite_schema")?;
        let target = copy.0.to_string_lossy();
        let done = db.conn.execute("VACUUM INTO ?1", [target]);
        done.map_err(|error| sql(path, error))?;
        Ok(copy)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that stays is the system's to clean: it is in its temporary folder.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// An empty database of this program's schema, in memory: what tables must look like.
pub(super) fn fresh() -> rusqlite::Result<Connection> {
    let conn = Connection::open_in_memory()?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    super::upgrade::register(&conn)?;
    for migration in MIGRATIONS {
        conn.execute_batch(migration)?;
    }
    Ok(conn)
}

/// Reads the header with plain file access: SQLite itself may alter a file by opening it.
fn inspect(path: &Path) -> Result<Found> {
    let not_a_database = || Error::NotADatabase {
        path: path.to_owned(),
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(Error::unreadable(path, error)),
        Ok(found) if !found.is_file() => return Err(not_a_database()),
        Ok(found) if found.len() == 0 => return Ok(Found::Nothing),
        Ok(_) => {}
    }
    let mut header = [0_u8; 100];
    let mut file = File::open(path).map_err(|error| Error::unreadable(path, error))?;
    file.read_exact(&mut header).map_err(|_| not_a_database())?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(not_a_database());
    }
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    match word(68) {
        APPLICATION_ID => Ok(Found::Ours(word(60))),
        _ => Err(Error::Foreign {
            path: path.to_owned(),
        }),
    }
}

/// Whether an existing file may be written; SQLite would silently fall back to reading.
fn writable(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::Unwritable {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Db> {
    let fail = |error| unwritable_if_opening(sql(path, error), path);
    // Joined to `.`, so that no name (`:memory:`, `file:…`) means anything but a file.
    let place = Path::new(".").join(path);
    let conn = Connection::open_with_flags(place, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let db = Db {
        conn: conn.map_err(fail)?,
        path: path.to_owned(),
        copy: None,
    };
    db.conn.busy_timeout(PATIENCE).map_err(fail)?;
    db.conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // The file may come from anyone: run nothing that its schema holds.
    let switches = [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        // Else a statement is planned anew for every value that it is given.
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ];
    for (switch, on) in switches {
        db.conn.set_db_config(switch, on).map_err(fail)?;
    }
    Ok(db)
}

fn too_new(path: &Path, found: u32) -> Error {
    Error::TooNew {
        path: path.to_owned(),
        found,
        known: KNOWN,
    }
}

/// While opening for writing, a file that cannot be opened is one that cannot be written.
fn unwritable_if_opening(error: Error, path: &Path) -> Error {
    match error {
        Error::Unreadable { reason, .. } => Error::Unwritable {
            path: path.to_owned(),
            reason,
        },
        other => other,
    }
}

/// A SQLite error in our words.
pub(super) fn sql(path: &Path, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Code;
    use rusqlite::ffi::SQLITE_READONLY_ROLLBACK;
    let path = path.to_owned();
    let (failure, reason) = match error {
        rusqlite::Error::SqliteFailure(failure, text) => {
            (failure, text.unwrap_or_else(|| failure.to_string()))
        }
        // Its own text repeats the whole statement over several lines.
        rusqlite::Error::SqlInputError { error, msg, .. } => (error, msg),
        other => {
            return Error::Damaged {
                path,
                reason: other.to_string(),
            };
        }
    };
    match failure.code {
        _ if failure.extended_code == SQLITE_READONLY_ROLLBACK => Error::CutOff { path },
        Code::NotADatabase => Error::NotADatabase { path },
        Code::DatabaseBusy | Code::DatabaseLocked => Error::Busy { path },
        Code::ReadOnly | Code::DiskFull | Code::PermissionDenied => {
            Error::Unwritable { path, reason }
        }
        Code::CannotOpen | Code::SystemIoFailure => Error::Unreadable { path, reason },
        _ => Error::Damaged { path, reason },
    }
}
