//! The templates of the product, compiled in. Views hold finished strings: a template only places them.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::error::{Error, Result};

/// Name and text of every template. Names end in `.html` or `.md`: HTML escaping depends on it.
const TEMPLATES: &[(&str, &str)] = &[
    ("chart.html", include_str!("../../templates/chart.html")),
    ("check.md", include_str!("../../templates/check.md")),
    ("guide.md", include_str!("../../templates/guide.md")),
    ("index.html", include_str!("../../templates/index.html")),
    ("table.md", include_str!("../../templates/table.md")),
];

/// Renders one template with one view. A name that the view lacks is an error, never an empty string.
///
/// # Errors
/// [`Error::Template`] with the template's name and line.
pub(crate) fn render(name: &str, view: &impl Serialize) -> Result<String> {
    let failed = |source| Error::Template {
        name: name.to_owned(),
        source,
    };
    let view = Value::from(Serde(view));
    environment()
        .and_then(|env| env.get_template(name)?.render(view))
        .map_err(failed)
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    for (name, text) in TEMPLATES {
        env.add_template(name, text)?;
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_compiles_and_a_missing_name_is_an_error() {
        #[derive(Serialize)]
        struct Nothing {}
        for (name, _) in TEMPLATES {
            let error = render(name, &Nothing {}).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
