//! The tables as the file itself describes them, so that what moves rows forgets no table.

use rusqlite::Connection;

/// Tables whose rows are stored whole, with all their parts: nothing is added to one later.
const WHOLE: [&str; 3] = ["run", "guide", "sheet"];

/// A column that names a row of another table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The column here.
    pub(super) column: usize,
    /// The other table.
    pub(super) table: String,
    /// The column there.
    pub(super) to: String,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// Names of its columns, in order.
    pub(super) columns: Vec<String>,
    /// The column that numbers rows of this file alone, if there is one: never merged or compared.
    pub(super) number: Option<usize>,
    /// The columns that say which row it is, in any file.
    pub(super) key: Vec<usize>,
    /// Columns that name a row of another table.
    pub(super) links: Vec<Link>,
    /// The link to the row of [`WHOLE`] that rows here are part of.
    pub(super) whole: Option<Link>,
    /// Adds a row, of its kept columns, unless it is known.
    pub(super) insert: String,
    /// The row of a key.
    pub(super) find: String,
    /// The rows that are part of a whole, in the order of their keys.
    pub(super) pieces: String,
}

impl Table {
    /// All columns but the number.
    pub(super) fn kept(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&column| Some(column) != self.number)
    }

    /// Column names, as SQL.
    pub(super) fn list(&self, columns: impl Iterator<Item = usize>) -> String {
        let quoted = columns.map(|column| format!("\"{}\"", self.columns[column]));
        quoted.collect::<Vec<_>>().join(", ")
    }

    /// That columns equal `?1`, `?2`, …, as SQL. Nothing equals NULL but NULL.
    pub(super) fn equal(&self, columns: &[usize]) -> String {
        let numbered = columns.iter().zip(1..);
        let equal = numbered.map(|(&column, n)| format!("\"{}\" IS ?{n}", self.columns[column]));
        equal.collect::<Vec<_>>().join(" AND ")
    }
}

/// Every table, those that others refer to first.
pub(super) fn tables(conn: &Connection) -> rusqlite::Result<Vec<Table>> {
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
        ORDER BY name";
    let names = texts(conn, query, [])?;
    let mut waiting: Vec<Table> = names
        .iter()
        .map(|name| table(conn, name))
        .collect::<Result<_, _>>()?;
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let blocked = |table: &Table| {
            let mut others = waiting.iter().filter(|other| other.name != table.name);
            others.any(|other| table.links.iter().any(|link| link.table == other.name))
        };
        // A circle of references would be no order; the first of it breaks it.
        let next = waiting
            .iter()
            .position(|table| !blocked(table))
            .unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    Ok(ordered)
}

/// Names and definitions of all tables: equal in files of the same schema version.
pub(super) fn definitions(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let query = "SELECT name || ': ' || sql FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    texts(conn, query, [])
}

fn table(conn: &Connection, name: &str) -> rusqlite::Result<Table> {
    let columns = texts(
        conn,
        "SELECT name FROM pragma_table_xinfo(?1) ORDER BY cid",
        [name],
    )?;
    let at = |wanted: &String| columns.iter().position(|column| column == wanted);
    let primary = "SELECT name FROM pragma_table_xinfo(?1) WHERE pk > 0 ORDER BY pk";
    let primary: Vec<usize> = texts(conn, primary, [name])?
        .iter()
        .filter_map(at)
        .collect();
    let numbers = "SELECT xinfo.name FROM pragma_table_xinfo(?1) AS xinfo
        JOIN pragma_table_list AS list ON list.name = ?1 AND list.schema = 'main'
        WHERE xinfo.pk = 1 AND xinfo.type = 'INTEGER' AND list.wr = 0";
    let number = texts(conn, numbers, [name])?.iter().find_map(at);
    let number = number.filter(|_| primary.len() == 1);
    let unique = "SELECT info.name FROM pragma_index_list(?1) AS list
        JOIN pragma_index_info(list.name) AS info
        WHERE list.\"unique\" AND list.origin = 'u' ORDER BY list.seq DESC, info.seqno";
    let unique: Vec<usize> = texts(conn, unique, [name])?.iter().filter_map(at).collect();
    let others = || (0..columns.len()).filter(|&column| Some(column) != number);
    let key = match number {
        None => primary.clone(),
        Some(_) if unique.is_empty() => others().collect(),
        Some(_) => unique,
    };
    let links = links(conn, name, &columns)?;
    let first = links
        .iter()
        .find(|link| primary.first() == Some(&link.column));
    let whole = first.filter(|link| WHOLE.contains(&link.table.as_str()));
    let mut table = Table {
        name: name.to_owned(),
        whole: whole.cloned(),
        columns,
        number,
        key,
        links,
        insert: String::new(),
        find: String::new(),
        pieces: String::new(),
    };
    (table.insert, table.find, table.pieces) = statements(&table);
    Ok(table)
}

/// Built once a table: merging needs them for every row.
fn statements(table: &Table) -> (String, String, String) {
    let name = &table.name;
    let (columns, key) = (
        table.list(table.kept()),
        table.list(table.key.iter().copied()),
    );
    let places = vec!["?"; table.kept().count()].join(", ");
    let whole = table.whole.as_ref().map(|link| table.equal(&[link.column]));
    let whole = whole.unwrap_or_else(|| "0".to_owned());
    let find = table.equal(&table.key);
    (
        format!("INSERT INTO \"{name}\" ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"),
        format!("SELECT * FROM \"{name}\" WHERE {find}"),
        format!("SELECT * FROM \"{name}\" WHERE {whole} ORDER BY {key}"),
    )
}

fn links(conn: &Connection, name: &str, columns: &[String]) -> rusqlite::Result<Vec<Link>> {
    // Without a named column the primary key is meant.
    let query = "SELECT list.\"from\", list.\"table\", coalesce(list.\"to\", (SELECT name
            FROM pragma_table_xinfo(list.\"table\") WHERE pk = 1))
        FROM pragma_foreign_key_list(?1) AS list ORDER BY id, seq";
    let mut statement = conn.prepare_cached(query)?;
    let rows = statement.query_map([name], |row| {
        let (from, table, to): (String, String, String) = row.try_into()?;
        let column = columns.iter().position(|column| *column == from);
        Ok(column.map(|column| Link { column, table, to }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

fn texts(
    conn: &Connection,
    query: &str,
    with: impl rusqlite::Params,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare_cached(query)?;
    let rows = statement.query_map(with, |row| row.get(0))?;
    rows.collect()
}
