//! Finds what is wrong with a file, all of it.

use super::Db;
use super::cells::Cells;
use super::open::{fresh, sql};
use super::schema::definitions;
use crate::error::Result;

impl Db {
    /// Every problem found, one line each; empty where the file is sound: SQLite's own integrity
    /// and foreign-key checks, the tables against those of this schema version, then every row
    /// decoded, and units, counts, medians and content ids compared.
    ///
    /// # Errors
    /// Only where the file cannot be read at all; damage is a finding.
    pub fn verify(&self) -> Result<Vec<String>> {
        let others = || Ok((self.before_runs()?, self.behind_runs()));
        let (others, runs) = self.decoding(others);
        let (mut problems, behind) = others?;
        note(&mut problems, runs);
        problems.extend(behind);
        Ok(problems)
    }

    /// The file as a whole, and the tables that runs rest on.
    fn before_runs(&self) -> Result<Vec<String>> {
        let mut problems = self.integrity()?;
        problems.extend(self.dangling()?);
        problems.extend(self.altered()?);
        note(&mut problems, self.each_machine());
        note(&mut problems, self.each_noise("", ()));
        note(
            &mut problems,
            self.each_session("ORDER BY session.at, session.id", ()),
        );
        Ok(problems)
    }

    /// What is compared with runs, and the tables that do not know them.
    fn behind_runs(&self) -> Vec<String> {
        let mut problems = Vec::new();
        note(&mut problems, self.each_misplaced());
        note(&mut problems, self.each_sheet());
        note(&mut problems, self.each_guide());
        note(&mut problems, self.each_historic());
        note(&mut problems, self.each_acknowledgement());
        problems
    }

    fn integrity(&self) -> Result<Vec<String>> {
        let found = self.each("PRAGMA integrity_check", (), |row| {
            row.get::<_, String>(0)
                .map_err(|error| sql(&self.path, error))
        });
        match found {
            Ok(lines) => {
                let lines: Result<Vec<String>> = lines.into_iter().collect();
                let sound = |line: &String| line != "ok";
                // SQLite breaks some findings over lines.
                Ok(lines?
                    .into_iter()
                    .filter(sound)
                    .map(|line| line.replace('\n', " "))
                    .collect())
            }
            Err(error @ crate::Error::Damaged { .. }) => Ok(vec![error.to_string()]),
            Err(error) => Err(error),
        }
    }

    /// Tables that a file of this schema version has otherwise. Further ones are the user's own.
    fn altered(&self) -> Result<Vec<String>> {
        let fail = |error| sql(&self.path, error);
        let (wanted, found) = (
            fresh().map_err(fail)?,
            definitions(&self.conn).map_err(fail)?,
        );
        let wanted = definitions(&wanted).map_err(fail)?;
        let missing = wanted.iter().filter(|table| !found.contains(table));
        let name = |table: &String| table.split(':').next().unwrap_or_default().to_owned();
        let line = |table| format!("table {}: not as this schema version has it", name(table));
        Ok(missing.map(line).collect())
    }

    /// Values and refusals of runs that failed: no reader would ever see them.
    fn each_misplaced(&self) -> Result<Vec<Result<()>>> {
        let query = "SELECT id FROM run WHERE outcome = 'failed'
              AND (EXISTS (SELECT 1 FROM sample WHERE sample.run = run.number)
                OR EXISTS (SELECT 1 FROM void WHERE void.run = run.number))
            ORDER BY id";
        self.each(query, (), |row| {
            let cells = Cells::new("run", row, "id");
            Err(cells.wrong("outcome", "it failed, but there are samples or voids of it"))
        })
    }

    fn dangling(&self) -> Result<Vec<String>> {
        let found = self.each("PRAGMA foreign_key_check", (), |row| {
            let name = |column| row.get::<_, Option<String>>(column);
            let named = || -> rusqlite::Result<_> { Ok((name(0)?, name(2)?)) };
            named().map_err(|error| sql(&self.path, error))
        });
        let line = |(table, parent): (Option<String>, Option<String>)| {
            let (table, parent) = (table.unwrap_or_default(), parent.unwrap_or_default());
            format!("table {table}: a row refers to a {parent} that is not there")
        };
        match found {
            Ok(rows) => rows.into_iter().map(|row| row.map(line)).collect(),
            Err(error) => Ok(vec![error.to_string()]),
        }
    }
}

/// Adds the errors of a table; of one that cannot be read at all, the one.
fn note<T>(problems: &mut Vec<String>, rows: Result<Vec<Result<T>>>) {
    match rows {
        Ok(rows) => problems.extend(
            rows.into_iter()
                .filter_map(Result::err)
                .map(|e| e.to_string()),
        ),
        Err(error) => problems.push(error.to_string()),
    }
}
