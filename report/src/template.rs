//! The templates of the product, compiled in; files of a folder take their place, one by one.
//!
//! Views hold finished strings: a template only places them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::text::one_line;

/// Name and text of every template. Names that end in `.html` or `.md` are rendered, HTML escaping depends
/// on it; others are used as they are.
const BUILT_IN: &[(&str, &str)] = &[
    ("answers.html", include_str!("../templates/answers.html")),
    ("chart.html", include_str!("../templates/chart.html")),
    ("changes.md", include_str!("../templates/changes.md")),
    ("check.md", include_str!("../templates/check.md")),
    ("choice.html", include_str!("../templates/choice.html")),
    ("compare.html", include_str!("../templates/compare.html")),
    ("compare.js", include_str!("../templates/compare.js")),
    ("guide.md", include_str!("../templates/guide.md")),
    ("historic.html", include_str!("../templates/historic.html")),
    (
        "incidents.html",
        include_str!("../templates/incidents.html"),
    ),
    ("index.html", include_str!("../templates/index.html")),
    ("layout.html", include_str!("../templates/layout.html")),
    ("model.html", include_str!("../templates/model.html")),
    ("notes.html", include_str!("../templates/notes.html")),
    ("pipe_table.md", include_str!("../templates/pipe_table.md")),
    ("rows.html", include_str!("../templates/rows.html")),
    ("run.html", include_str!("../templates/run.html")),
    ("site.css", include_str!("../templates/site.css")),
    ("site.js", include_str!("../templates/site.js")),
    ("summary.md", include_str!("../templates/summary.md")),
    ("table.html", include_str!("../templates/table.html")),
    ("table.md", include_str!("../templates/table.md")),
];

/// Most steps of one document: no template runs for ever.
const FUEL: u64 = 100_000_000;

/// Most bytes of one file of a folder.
const LARGEST: u64 = 1 << 20;

/// What documents are drawn with: the built-in templates, some of them replaced.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    texts: BTreeMap<&'static str, Cow<'static, str>>,
    folder: PathBuf,
}

impl Templates {
    /// The built-in templates; a file in `folder` replaces the one of its name. Names that begin with a dot are
    /// passed over.
    ///
    /// # Errors
    /// [`Error::Template`] with the file, and the line where there is one: a name that no template has, a
    /// file that cannot be read, wrong syntax.
    pub fn read(folder: Option<&Path>) -> Result<Self> {
        let mut templates = Self {
            environment: environment().map_err(|error| Error::Template(error.to_string()))?,
            texts: BUILT_IN
                .iter()
                .map(|&(name, text)| (name, Cow::Borrowed(text)))
                .collect(),
            folder: folder.unwrap_or(Path::new("")).to_owned(),
        };
        if let Some(folder) = folder {
            templates.texts.extend(replacements(folder)?);
        }
        for (&name, text) in templates.texts.iter().filter(|(name, _)| is_rendered(name)) {
            let added = templates
                .environment
                .add_template_owned(name, text.clone().into_owned());
            added.map_err(|error| templates.wrong(&error))?;
        }
        Ok(templates)
    }

    /// Writes the built-in templates into `folder`, which is made if it is not there, and hands out their paths.
    ///
    /// # Errors
    /// [`Error::Write`]; a file that is there already is left alone.
    pub fn write_built_in(folder: &Path) -> Result<Vec<PathBuf>> {
        let cannot = |path: &Path, source: io::Error| Error::Write {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
        let write = |(name, text): &(&str, &str)| {
            let path = folder.join(name);
            fs::File::create_new(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|error| cannot(&path, error))?;
            Ok(path)
        };
        BUILT_IN.iter().map(write).collect()
    }

    /// Renders one template with one view. A name that the view lacks is an error, never an empty string.
    ///
    /// # Errors
    /// [`Error::Template`] with the template's place and line.
    pub(crate) fn render(&self, name: &str, view: &impl Serialize) -> Result<String> {
        let view = Value::from(Serde(view));
        self.environment
            .get_template(name)
            .and_then(|template| template.render(view))
            .map_err(|error| self.wrong(&error))
    }

    /// A file that is not rendered.
    ///
    /// # Errors
    /// [`Error::Template`] when there is none of that name.
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        let text = self.texts.get(name).map(AsRef::as_ref);
        text.ok_or_else(|| Error::Template(format!("{name}: no such template")))
    }

    /// `FILE:LINE: what is wrong: the line`. The cause within an included file is the one that counts.
    fn wrong(&self, error: &minijinja::Error) -> Error {
        let mut error = error;
        while let Some(cause) = error.source().and_then(|cause| cause.downcast_ref()) {
            error = cause;
        }
        let reason = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        let Some(name) = error.name() else {
            return Error::Template(one_line(&reason));
        };
        let (place, text) = match self.texts.get(name) {
            Some(Cow::Borrowed(text)) => (format!("built-in {name}"), *text),
            Some(Cow::Owned(text)) => (self.folder.join(name).display().to_string(), &**text),
            None => (name.to_owned(), ""),
        };
        let number = error.line().unwrap_or(1);
        let line = text.lines().nth(number.saturating_sub(1)).unwrap_or("");
        Error::Template(one_line(&format!(
            "{place}:{number}: {reason}: {}",
            line.trim()
        )))
    }
}

fn is_rendered(name: &str) -> bool {
    name.ends_with(".html") || name.ends_with(".md")
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    // The same errors in every kind of build.
    env.set_debug(false);
    env.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    Ok(env)
}

/// The files of a folder, by the name of the template that each replaces.
fn replacements(folder: &Path) -> Result<Vec<(&'static str, Cow<'static, str>)>> {
    let wrong = |path: &Path, reason: &str| {
        Error::Template(one_line(&format!("{}: {reason}", path.display())))
    };
    let cannot = |path: &Path, error: io::Error| wrong(path, &format!("cannot read: {error}"));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| cannot(folder, error))? {
        let path = entry.map_err(|error| cannot(folder, error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let Some((known, _)) = BUILT_IN.iter().find(|(known, _)| name == *known) else {
            let known: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).collect();
            let reason = format!("replaces no template, there are {}", known.join(", "));
            return Err(wrong(&path, &reason));
        };
        let about = fs::metadata(&path).map_err(|error| cannot(&path, error))?;
        if !about.is_file() || about.len() > LARGEST {
            let reason = format!("is no file of at most {LARGEST} bytes");
            return Err(wrong(&path, &reason));
        }
        let text = fs::read_to_string(&path).map_err(|error| cannot(&path, error))?;
        found.push((*known, Cow::Owned(text)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    #[derive(Serialize)]
    struct Nothing {}

    #[test]
    fn every_template_compiles_and_a_missing_name_is_an_error() {
        let templates = Templates::read(None).unwrap();
        for (name, _) in BUILT_IN.iter().filter(|(name, _)| is_rendered(name)) {
            let error = templates.render(name, &Nothing {}).unwrap_err().to_string();
            assert!(
                error.starts_with("built-in ") && error.contains(".md:")
                    || error.contains(".html:"),
                "{error}"
            );
        }
    }

    /// What rendering `guide.md` says where `texts` replace the built-in ones.
    fn check(texts: &[(&str, &str)], expected: &str) {
        let folder = tempdir().unwrap();
        for (name, text) in texts {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let rendered = Templates::read(Some(folder.path()))
            .and_then(|all| all.render("guide.md", &Nothing {}));
        let said = rendered.unwrap_or_else(|error| error.to_string());
        let said = said.replace(&folder.path().display().to_string(), "DIR");
        assert_eq!(said, expected);
    }

    #[test]
    fn a_wrong_file_is_named_with_its_line() {
        check(&[("guide.md", "hi"), (".swp", "{%")], "hi");
        check(
            &[("guide.md", "a\n{{ titel }}")],
            "DIR/guide.md:2: undefined value: {{ titel }}",
        );
        check(
            &[("guide.md", "a\n\n{% for x %}\n")],
            "DIR/guide.md:3: syntax error: unexpected end of block, expected in: {% for x %}",
        );
        check(
            &[
                ("guide.md", "a\n{% include 'table.md' %}"),
                ("table.md", "\n{{ b }}"),
            ],
            "DIR/table.md:2: undefined value: {{ b }}",
        );
        check(
            &[("guide.md", "{% include 'rows.md' %}")],
            "DIR/guide.md:1: template not found: tried to include non-existing template 'rows.md': {% include 'rows.md' %}",
        );
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}";
        check(
            &[("guide.md", endless)],
            &format!("DIR/guide.md:1: engine ran out of fuel: {endless}"),
        );
    }

    #[test]
    fn what_replaces_nothing_is_refused() {
        let check = |name: &str, expected: &str| {
            let folder = tempdir().unwrap();
            fs::write(folder.path().join(name), [0xff, b'a']).unwrap();
            let error = Templates::read(Some(folder.path())).unwrap_err();
            let said = error.to_string();
            assert!(
                said.ends_with(expected) || said.contains(expected),
                "{said}"
            );
        };
        check(
            "gide.md",
            "gide.md: replaces no template, there are answers.html, ",
        );
        check(
            "guide.md",
            "guide.md: cannot read: stream did not contain valid UTF-8",
        );
        let none = Templates::read(Some(Path::new("/no/such/folder"))).unwrap_err();
        assert!(
            none.to_string()
                .starts_with("/no/such/folder: cannot read: ")
        );
    }

    #[test]
    fn what_was_written_out_replaces_itself() {
        let folder = tempdir().unwrap();
        let written = Templates::write_built_in(folder.path()).unwrap();
        assert_eq!(written.len(), BUILT_IN.len());
        let again = Templates::read(Some(folder.path())).unwrap();
        assert!(
            BUILT_IN
                .iter()
                .all(|(name, text)| again.text(name).unwrap() == *text)
        );
        let error = Templates::write_built_in(folder.path()).unwrap_err();
        assert!(error.to_string().contains("answers.html"), "{error}");
    }
}
