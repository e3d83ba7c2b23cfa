//! The functions that migrations call, on rows as earlier versions kept them.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ToSql;

use super::pack::pack;
use super::sheet::sheet_id;
use crate::run::{Answer, Sample};
use crate::series::figure_of;

/// Makes `pack`, `middle` and `sheet_id` known to a connection; no schema may call them.
pub(super) fn register(conn: &Connection) -> rusqlite::Result<()> {
    add(conn, ("pack", 1), |call| {
        Ok(pack(&epochs(&call.get::<String>(0)?)?))
    })?;
    add(conn, ("middle", 2), |call| {
        let (metric, text): (String, String) = (call.get(0)?, call.get(1)?);
        let metric = metric.parse().map_err(wrong)?;
        let epochs = epochs(&text)?;
        Ok(figure_of(&Sample { metric, epochs }))
    })?;
    add(conn, ("sheet_id", 1), |call| {
        Ok(sheet_id(&answers(&call.get::<String>(0)?)?))
    })
}

fn add<T: ToSql>(
    conn: &Connection,
    (name, arguments): (&str, i32),
    function: impl Fn(&Context<'_>) -> rusqlite::Result<T> + Send + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    conn.create_scalar_function(name, arguments, flags, move |call| function(call))
}

fn wrong(reason: impl ToString) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(reason.to_string().into())
}

/// Raw values up to schema 2: a JSON list of lists.
fn epochs(text: &str) -> rusqlite::Result<Vec<Vec<f64>>> {
    serde_json::from_str(text).map_err(wrong)
}

/// The columns of a run's answers, as SQLite lists them.
fn answers(text: &str) -> rusqlite::Result<Vec<Answer>> {
    type Columns = (String, String, String, String, Option<String>, Option<u8>);
    let rows: Vec<Columns> = serde_json::from_str(text).map_err(wrong)?;
    let answer = |(item, arm, prompt, text, expected, right): Columns| Answer {
        item,
        arm,
        prompt,
        text,
        expected,
        right: right.map(|right| right != 0),
    };
    Ok(rows.into_iter().map(answer).collect())
}
