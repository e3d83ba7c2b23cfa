//! A judgement in Markdown, by the templates of `report check`.

use anyhow::Result;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use store::gate::Comment;

/// Its template, and that of the tables in it.
const TEMPLATES: [(&str, &str); 2] = [
    ("check.md", include_str!("../../templates/check.md")),
    (
        "pipe_table.md",
        include_str!("../../templates/pipe_table.md"),
    ),
];

/// The finished document.
///
/// # Errors
/// A template that does not fit, which is a defect of this program.
pub(super) fn comment(view: &Comment) -> Result<String> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    templates.set_syntax(syntax);
    for (name, text) in TEMPLATES {
        templates.add_template(name, text)?;
    }
    let document = templates.get_template("check.md")?;
    Ok(document.render(Value::from(Serde(view)))?)
}
