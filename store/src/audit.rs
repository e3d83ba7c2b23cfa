//! `store audit`: what the earlier tool's history is worth by the rules of our own runs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use store::Db;
use store::legacy::{Audit, audit};

use crate::cli::counted;

/// One paragraph or one line a model.
pub(crate) fn print(
    path: &Path,
    out: &mut dyn Write,
    print: fn(&Audit) -> serde_json::Result<String>,
) -> anyhow::Result<ExitCode> {
    let history = Db::open_existing(path)?.history()?;
    for audit in audit(&history) {
        writeln!(out, "{}", print(&audit)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn as_json(audit: &Audit) -> serde_json::Result<String> {
    serde_json::to_string(audit)
}

pub(crate) fn as_text(audit: &Audit) -> serde_json::Result<String> {
    let Audit {
        sessions: (sessions, same),
        described: (pictures, texts),
        ..
    } = audit;
    let vision = match audit.vision {
        None => "not told: no session described three pictures".to_owned(),
        Some(label) => format!(
            "{label}: one text for all pictures in {same} of {sessions} sessions; {} for {} in all",
            counted(*texts, "text"),
            counted(*pictures, "description"),
        ),
    };
    let mut text = format!("{}\n  vision    {vision}\n", audit.model);
    text += &format!("  errors    {}\n", counted(audit.errors, "call"));
    text += &refused("load", &audit.loads);
    text += &refused("memory", &audit.memories);
    Ok(text.replace(|c: char| c.is_control() && c != '\n', " "))
}

fn refused(what: &str, reasons: &BTreeMap<&'static str, usize>) -> String {
    let line = |(reason, count): (&&str, &usize)| {
        format!(
            "  {what:<8}  {} refused: {reason}\n",
            counted(*count, "figure")
        )
    };
    reasons.iter().map(line).collect()
}
