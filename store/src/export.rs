//! `store export`: JSON documents and CSV lines.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use store::{Db, Document, Run, RunFilter, Session, Uuid};

/// Hands over the sessions to export one by one, oldest first; with a run, its session holds that run
/// alone.
pub(crate) fn each(
    db: &Db,
    session: Option<Uuid>,
    run: Option<Uuid>,
    mut write: impl FnMut(&Document) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut sessions = db.sessions()?;
    let accepted = db.acknowledgements()?;
    if let Some(id) = run {
        let Some(run) = db.run(id)? else {
            bail!("run {id} is not in the database")
        };
        sessions.retain(|session| session.id == run.session);
        let alone = |session| write(&Document::new(session, vec![run.clone()]).with(&accepted));
        return sessions.into_iter().try_for_each(alone);
    }
    if let Some(id) = session {
        sessions.retain(|session| session.id == id);
        if sessions.is_empty() {
            bail!("session {id} is not in the database");
        }
    }
    for session in sessions {
        write(&document(db, session)?.with(&accepted))?;
    }
    Ok(())
}

fn document(db: &Db, session: Session) -> store::Result<Document> {
    let of_session = RunFilter {
        session: Some(session.id),
        ..RunFilter::default()
    };
    Ok(Document::new(session, db.runs(&of_session)?))
}

/// One document a file, named by day and session: files of many machines lie in one folder. Each
/// appears whole or not at all.
pub(crate) fn file(document: &Document, folder: &Path) -> anyhow::Result<()> {
    let Session { at, id, .. } = &document.session;
    let path = folder.join(format!("{}-{id}.json", at.format("%Y-%m-%d")));
    let written = || -> anyhow::Result<()> {
        let part = path.with_extension("part");
        let mut bytes = serde_json::to_vec(document)?;
        bytes.push(b'\n');
        std::fs::create_dir_all(folder)?;
        std::fs::write(&part, bytes)?;
        Ok(std::fs::rename(part, &path)?)
    };
    written().with_context(|| path.display().to_string())
}

/// One line.
pub(crate) fn json(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    writeln!(out)
}

/// The first line of [`csv`].
pub(crate) const COLUMNS: &str = "session,machine,run,at,model,scenario,backend,device,precision,\
weights,revision,metric,unit,epoch,trial,value";

/// One line a raw value, epochs and trials counted from 1.
pub(crate) fn csv(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let runs = document.runs.iter();
    { runs }.try_for_each(|run| values(&document.machine_key, run, out))
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
