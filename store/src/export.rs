//! `store export`: JSON documents and CSV lines.

use std::io::{self, Write};

use anyhow::bail;
use store::{Db, Document, Run, RunFilter, Uuid};

/// The sessions to export, oldest first; with a run, its session holds that run alone.
pub(crate) fn documents(
    db: &Db,
    session: Option<Uuid>,
    run: Option<Uuid>,
) -> anyhow::Result<Vec<Document>> {
    let mut sessions = db.sessions()?;
    let mut runs = db.runs(&RunFilter {
        session,
        ..RunFilter::default()
    })?;
    if let Some(id) = run {
        runs.retain(|run| run.id == id);
        let Some(found) = runs.first() else {
            bail!("run {id} is not in the database")
        };
        sessions.retain(|session| session.id == found.session);
    }
    if let Some(id) = session {
        sessions.retain(|session| session.id == id);
        if sessions.is_empty() {
            bail!("session {id} is not in the database");
        }
    }
    let of = |id: Uuid| -> Vec<Run> {
        runs.iter()
            .filter(|run| run.session == id)
            .cloned()
            .collect()
    };
    Ok(sessions
        .into_iter()
        .map(|session| (of(session.id), session))
        .map(document)
        .collect())
}

fn document((runs, session): (Vec<Run>, store::Session)) -> Document {
    Document::new(session, runs)
}

/// One document a line.
pub(crate) fn json(documents: &[Document], out: &mut dyn Write) -> io::Result<()> {
    for document in documents {
        serde_json::to_writer(&mut *out, document)?;
        writeln!(out)?;
    }
    Ok(())
}

const COLUMNS: &str = "session,machine,run,at,model,scenario,backend,device,precision,weights,\
revision,metric,unit,epoch,trial,value";

/// One line a raw value, epochs and trials counted from 1.
pub(crate) fn csv(documents: &[Document], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{COLUMNS}")?;
    for document in documents {
        for run in &document.runs {
            values(&document.machine_key, run, out)?;
        }
    }
    Ok(())
}

fn values(machine: &str, run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let cell = &run.cell;
    let (session, id, at) = (
        run.session.to_string(),
        run.id.to_string(),
        run.at.to_rfc3339(),
    );
    let cells = [
        &session,
        machine,
        &id,
        &at,
        &cell.model,
        &cell.scenario,
        &cell.backend,
        &cell.device,
        &cell.precision,
        &cell.weights,
        &cell.revision,
    ];
    let start = cells.map(quoted).join(",");
    for sample in run.samples() {
        let (metric, unit) = (sample.metric.name(), sample.metric.spec().unit.name());
        for (epoch, trials) in (1..).zip(&sample.epochs) {
            for (trial, value) in (1..).zip(trials) {
                writeln!(out, "{start},{metric},{unit},{epoch},{trial},{value}")?;
            }
        }
    }
    Ok(())
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) || field.trim() != field {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let check = |field, expected: &str| assert_eq!(quoted(field), expected);
        check("plain", "plain");
        check("", "");
        check("a,b", "\"a,b\"");
        check("say \"so\"", "\"say \"\"so\"\"\"");
        check("two\nlines", "\"two\nlines\"");
        check(" edge", "\" edge\"");
    }
}
