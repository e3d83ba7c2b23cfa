//! The Python tool's guide, as it was: its cells are Markdown already and are not escaped again.

use store::legacy::{Guide, GuideNote, GuideRow};
use store::summary::Mark;

use super::{Line, Method, View};
use crate::columns::{GUIDE_COLUMNS, headers};
use crate::pipe::{PipeTable, Summary};
use crate::text::one_line;

pub(super) fn view(guide: &Guide) -> View {
    let headers = &headers()[..GUIDE_COLUMNS];
    View {
        title: one_line(&guide.title),
        date: guide.date.to_string(),
        summary: Summary {
            table: PipeTable::new(headers, guide.rows.iter().map(cells)),
            notes: Vec::new(),
        },
        methods: guide.rows.iter().map(method).collect(),
        recommendations: guide.recommendations.iter().map(line).collect(),
        issues: guide.issues.iter().map(line).collect(),
        updated: guide.updated.format("%Y-%m-%d %H:%M:%S").to_string(),
        environment: one_line(&guide.environment),
    }
}

/// The seven cells of one imported row.
pub(crate) fn cells(row: &GuideRow) -> [String; GUIDE_COLUMNS] {
    let mark = |yes| if yes { Mark::Yes } else { Mark::No }.sign().to_owned();
    [
        one_line(&row.model),
        mark(row.vision),
        mark(row.text),
        format!("{:.2}", row.inference_s),
        format!("{:.2}", row.load_s),
        format!("{:.2}", row.memory_gb),
        one_line(&row.status),
    ]
}

fn method(row: &GuideRow) -> Method {
    let figures = format!(
        "# Load time: {:.2}s | Avg Inference: {:.2}s | Memory Diff: {:.2}GB",
        row.load_s, row.inference_s, row.memory_gb
    );
    Method {
        model: one_line(&row.model),
        language: "python",
        lines: vec![
            format!("model_id = \"{}\"", one_line(&row.model_id)),
            figures,
        ],
    }
}

fn line(note: &GuideNote) -> Line {
    Line {
        label: one_line(&note.label),
        text: one_line(&note.text),
    }
}
