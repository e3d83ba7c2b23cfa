//! The union of databases. It follows the tables as the file describes them (`schema.rs`), so that a
//! table of a later migration is merged without being named here.
//!
//! A row is known by its key. What is new is added; what is known must be equal, else nothing at all is
//! merged. Three things may differ: a session that one side saw end, a run that one side has thinned
//! (`prune.rs`), and a change that two people accepted: the end, the whole run and the first acceptance are kept. So the union is the same in whatever order files
//! come, and merging again changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params_from_iter};

use super::open::{fresh, sql};
use super::prune::thinned;
use super::schema::{Table, tables};
use super::{Db, Imported};
use crate::error::{Error, Result};

/// The columns that may be filled in later.
const FOLLOW: [(&str, &str); 2] = [("session", "finished"), ("session", "end_state")];

/// The table in which two people may have written of one thing.
const ACCEPTED: &str = "acknowledgement";

/// A database to read from, of whatever schema.
struct Source {
    db: Db,
    /// The file that was named.
    path: PathBuf,
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            db: Db::open_upgraded(path)?,
            path: path.to_owned(),
        })
    }
}

/// What a database gave: rows added and known, by table; parts of a run or guide are not counted.
pub type Merged = BTreeMap<String, Imported>;

/// Adds everything in `inputs` to the database at `into`, which is created where there is none.
///
/// All or nothing, in one transaction. Inputs are only read; one of an older schema is upgraded in a
/// copy. Naming `into` itself, or a file twice, adds nothing.
///
/// # Errors
/// Those of opening; [`Error::Unsound`] for an input that `verify` complains about;
/// [`Error::Clash`] where two files hold different content under one id.
pub fn merge(into: &Path, inputs: &[PathBuf]) -> Result<Vec<Merged>> {
    let sources: Vec<Source> = inputs
        .iter()
        .map(|input| Source::open(input))
        .collect::<Result<_>>()?;
    sources.iter().try_for_each(sound)?;
    let target = Db::open(into)?;
    let fail = |error| sql(into, error);
    let tx = Transaction::new_unchecked(&target.conn, TransactionBehavior::Immediate);
    let tx = tx.map_err(fail)?;
    let tables = fresh().and_then(|conn| tables(&conn)).map_err(fail)?;
    let mut merged = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let union = Union {
            target: &target,
            source,
            earlier: &sources[..index],
            tables: &tables,
        };
        merged.push(union.run()?);
    }
    tx.commit().map_err(fail)?;
    Ok(merged)
}

/// Refuses what would spread damage.
fn sound(source: &Source) -> Result<()> {
    let problems = source.db.verify()?;
    match problems.split_first() {
        None => Ok(()),
        Some((first, others)) => Err(Error::Unsound {
            path: source.path.clone(),
            first: first.clone(),
            others: others.len(),
        }),
    }
}

/// One row's columns, in the order of the table.
type Row = Vec<Value>;

/// Numbers of a source's rows to those of the target, by table.
type Numbers = HashMap<String, HashMap<i64, i64>>;

/// A table with those whose rows are parts of its rows.
struct Whole<'m> {
    table: &'m Table,
    parts: Vec<&'m Table>,
}

/// One source on its way into the target.
struct Union<'m> {
    target: &'m Db,
    source: &'m Source,
    /// Merged before in the same call; only to say where a clash comes from.
    earlier: &'m [Source],
    tables: &'m [Table],
}

impl Union<'_> {
    fn run(&self) -> Result<Merged> {
        // What is read is one state, whoever writes to the source meanwhile.
        let reading =
            Transaction::new_unchecked(&self.source.db.conn, TransactionBehavior::Deferred);
        let _reading = reading.map_err(|error| sql(&self.source.path, error))?;
        let (mut merged, mut numbers) = (Merged::new(), Numbers::new());
        for table in self.tables.iter().filter(|table| table.whole.is_none()) {
            let count = merged.entry(table.name.clone()).or_default();
            let order = table.number.map_or_else(
                || table.list(table.key.iter().copied()),
                |number| table.list(std::iter::once(number)),
            );
            let query = format!("SELECT * FROM \"{}\" ORDER BY {order}", table.name);
            let mut statement = self
                .source
                .db
                .conn
                .prepare(&query)
                .map_err(|e| self.theirs(e))?;
            let mut rows = statement.query([]).map_err(|e| self.theirs(e))?;
            while let Some(row) = rows.next().map_err(|e| self.theirs(e))? {
                let row = values(row).map_err(|e| self.theirs(e))?;
                match self.row(table, row, &mut numbers)? {
                    true => count.added += 1,
                    false => count.known += 1,
                }
            }
        }
        merged.retain(|_, count| *count != Imported::default());
        Ok(merged)
    }

    /// Adds a row with its parts, or finds it known; whether it is new.
    fn row(&self, table: &Table, row: Row, numbers: &mut Numbers) -> Result<bool> {
        let row = translated(table, row, numbers);
        let added = insert(&self.target.conn, table, &row).map_err(|e| self.ours(e))?;
        let known = match added {
            true => self.added(table, &row),
            false => self.known(table, &row)?,
        };
        let whole = Whole {
            table,
            parts: self
                .tables
                .iter()
                .filter(|part| part_of(part, table))
                .collect(),
        };
        if added {
            self.add_parts(&whole, &row, &known)?;
        } else if !self.same_row(table, &row, &known)? || !self.same_parts(&whole, &row, &known)? {
            self.take_fuller(&whole, &row, &known)?;
        }
        if let Some(number) = table.number
            && let (Value::Integer(theirs), Value::Integer(ours)) = (&row[number], &known[number])
        {
            numbers
                .entry(table.name.clone())
                .or_default()
                .insert(*theirs, *ours);
        }
        Ok(added)
    }

    /// The target's row that was just added: the same but for its number.
    fn added(&self, table: &Table, row: &Row) -> Row {
        let mut row = row.clone();
        if let Some(number) = table.number {
            row[number] = Value::Integer(self.target.conn.last_insert_rowid());
        }
        row
    }

    /// The target's row of the same key.
    fn known(&self, table: &Table, row: &Row) -> Result<Row> {
        let found = find(&self.target.conn, table, row).map_err(|e| self.ours(e))?;
        // Another unique column was in the way: the rows differ somewhere.
        found.ok_or_else(|| self.clash(table, row))
    }

    /// Whether a known row is equal; of what follows later, the value that is there is taken.
    fn same_row(&self, table: &Table, theirs: &Row, ours: &Row) -> Result<bool> {
        for column in table.kept() {
            let name = table.columns[column].as_str();
            let follows = FOLLOW.contains(&(table.name.as_str(), name));
            match (&theirs[column], &ours[column]) {
                (new, old) if new == old => {}
                (Value::Null, _) if follows => {}
                (new, Value::Null) if follows => {
                    set(&self.target.conn, table, (column, new), theirs)
                        .map_err(|e| self.ours(e))?;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether the parts of a known row are equal as well.
    fn same_parts(&self, whole: &Whole<'_>, theirs: &Row, ours: &Row) -> Result<bool> {
        for part in &whole.parts {
            let new = pieces(&self.source.db.conn, (part, whole.table), theirs);
            let old = pieces(&self.target.conn, (part, whole.table), ours);
            let (new, old) = (
                new.map_err(|e| self.theirs(e))?,
                old.map_err(|e| self.ours(e))?,
            );
            let moved = new
                .into_iter()
                .map(|piece| linked((part, whole.table), piece, ours));
            if !moved.eq(old) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Of two acceptances of one change keeps the earlier, of one time the one whose reason sorts first.
    fn take_earlier(&self, table: &Table, theirs: &Row, ours: &Row) -> Result<()> {
        // Times are texts of one length, and stand before the reason.
        let texts =
            |row: &Row| -> Vec<String> { table.kept().map(|column| shown(&row[column])).collect() };
        if texts(theirs) < texts(ours) {
            for column in table.kept() {
                let value = (column, &theirs[column]);
                set(&self.target.conn, table, value, theirs).map_err(|e| self.ours(e))?;
            }
        }
        Ok(())
    }

    /// Of a run that only one side has thinned, keeps the other; all else that differs is a clash.
    fn take_fuller(&self, whole: &Whole<'_>, theirs: &Row, ours: &Row) -> Result<()> {
        let clash = || self.clash(whole.table, theirs);
        if whole.table.name == ACCEPTED {
            return self.take_earlier(whole.table, theirs, ours);
        }
        let Some(number) = whole.table.number.filter(|_| whole.table.name == "run") else {
            return Err(clash());
        };
        let new = self.source.db.run_of(&theirs[number])?.ok_or_else(clash)?;
        let old = self.target.run_of(&ours[number])?.ok_or_else(clash)?;
        if thinned(&old) == new {
            return Ok(());
        }
        if thinned(&new) != old {
            return Err(clash());
        }
        for part in &whole.parts {
            let Some((link, _)) = link(part, whole.table) else {
                continue;
            };
            let test = part.equal(&[link]);
            let query = format!("DELETE FROM \"{}\" WHERE {test}", part.name);
            let done = self.target.conn.execute(&query, [&ours[number]]);
            done.map_err(|e| self.ours(e))?;
        }
        let differ = whole
            .table
            .kept()
            .filter(|&column| theirs[column] != ours[column]);
        for column in differ {
            let value = (column, &theirs[column]);
            set(&self.target.conn, whole.table, value, theirs).map_err(|e| self.ours(e))?;
        }
        self.add_parts(whole, theirs, ours)
    }

    fn add_parts(&self, whole: &Whole<'_>, theirs: &Row, ours: &Row) -> Result<()> {
        for part in &whole.parts {
            let new = pieces(&self.source.db.conn, (part, whole.table), theirs);
            for piece in new.map_err(|e| self.theirs(e))? {
                let piece = linked((part, whole.table), piece, ours);
                insert(&self.target.conn, part, &piece).map_err(|e| self.ours(e))?;
            }
        }
        Ok(())
    }

    /// Names the row and the two files that do not agree about it.
    fn clash(&self, table: &Table, row: &Row) -> Error {
        let holds = |source: &&Source| {
            let found = find(&source.db.conn, table, row);
            found.is_ok_and(|found| found.is_some())
        };
        let earlier = self.earlier.iter().rev().find(holds);
        let key = table.key.iter().map(|&column| shown(&row[column]));
        Error::Clash {
            row: format!("{} {}", table.name, key.collect::<Vec<_>>().join(" ")),
            one: earlier.map_or_else(|| self.target.path.clone(), |source| source.path.clone()),
            other: self.source.path.clone(),
        }
    }

    fn ours(&self, error: rusqlite::Error) -> Error {
        sql(&self.target.path, error)
    }

    fn theirs(&self, error: rusqlite::Error) -> Error {
        sql(&self.source.path, error)
    }
}

fn part_of(part: &Table, table: &Table) -> bool {
    part.whole
        .as_ref()
        .is_some_and(|link| link.table == table.name)
}

fn values(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    (0..row.as_ref().column_count())
        .map(|at| row.get(at))
        .collect()
}

/// A source's row with the target's numbers in its links; its own number is still the source's.
fn translated(table: &Table, mut row: Row, numbers: &Numbers) -> Row {
    for link in &table.links {
        if let Value::Integer(theirs) = row[link.column]
            && let Some(ours) = numbers
                .get(&link.table)
                .and_then(|known| known.get(&theirs))
        {
            row[link.column] = Value::Integer(*ours);
        }
    }
    row
}

/// A part's row that names its whole as this row of it.
fn linked((part, table): (&Table, &Table), mut piece: Row, whole: &Row) -> Row {
    if let Some((link, to)) = link(part, table) {
        piece[link] = whole[to].clone();
    }
    piece
}

/// The column of a part that names its whole, and the column there.
fn link(part: &Table, table: &Table) -> Option<(usize, usize)> {
    let link = part.whole.as_ref()?;
    let to = table.columns.iter().position(|column| *column == link.to)?;
    Some((link.column, to))
}

/// The parts of a row, in the order of their keys.
fn pieces(
    conn: &Connection,
    (part, table): (&Table, &Table),
    whole: &Row,
) -> rusqlite::Result<Vec<Row>> {
    let Some((_, to)) = link(part, table) else {
        return Ok(Vec::new());
    };
    let mut statement = conn.prepare_cached(&part.pieces)?;
    let rows = statement.query_map([&whole[to]], values)?;
    rows.collect()
}

/// Whether the row was new.
fn insert(conn: &Connection, table: &Table, row: &Row) -> rusqlite::Result<bool> {
    let with = params_from_iter(table.kept().map(|column| &row[column]));
    Ok(conn.prepare_cached(&table.insert)?.execute(with)? > 0)
}

/// The row of the same key.
fn find(conn: &Connection, table: &Table, row: &Row) -> rusqlite::Result<Option<Row>> {
    let with = params_from_iter(table.key.iter().map(|&column| &row[column]));
    let mut statement = conn.prepare_cached(&table.find)?;
    statement.query_row(with, values).optional()
}

/// Fills in one column of the row of the same key.
fn set(
    conn: &Connection,
    table: &Table,
    (column, value): (usize, &Value),
    row: &Row,
) -> rusqlite::Result<()> {
    let (name, n) = (&table.columns[column], table.key.len() + 1);
    let tests = table.equal(&table.key);
    let query = format!(
        "UPDATE \"{}\" SET \"{name}\" = ?{n} WHERE {tests}",
        table.name
    );
    let key = table.key.iter().map(|&column| &row[column]);
    conn.prepare_cached(&query)?
        .execute(params_from_iter(key.chain([value])))?;
    Ok(())
}

/// A key's value for people.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
    }
}
