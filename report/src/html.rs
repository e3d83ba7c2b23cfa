//! `report html`: a folder of pages that needs no network. A page is one template and one function.

mod assets;
mod chart;
mod curves;
mod files;
mod frame;
mod historic;
mod index;
mod json;
mod lines;
mod model;
mod outputs;
mod plot;
mod policy;
mod recent;
mod site;
mod table;
mod trend;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::archive::{Archive, Place};
use crate::error::{Error, Result};
use crate::template::Templates;
use files::write_file;
use model::Subject;
use site::Site;

/// Writes the pages into `folder`, which is made if it is not there: `index.html`, one page a model and machine in
/// `model/`, what they share in `assets/`. The path of the first page.
///
/// A database without runs gives a page that says so.
///
/// # Errors
/// [`Error::Write`] with the path that could not be written; [`Error::Template`]; [`Error::Store`].
pub fn write(archive: &Archive, folder: &Path, templates: &Templates) -> Result<PathBuf> {
    let site = Site::read(archive)?;
    assets::write(folder, templates)?;
    for place in &site.places {
        models(&site, place, (folder, templates))?;
    }
    if let Some(page) = historic::page(archive) {
        write_file(
            &folder.join("historic.html"),
            &templates.render("historic.html", &page)?,
        )?;
    }
    let first = folder.join("index.html");
    write_file(
        &first,
        &templates.render("index.html", &index::page(&site))?,
    )?;
    Ok(first)
}

/// The pages of a machine's models.
fn models(site: &Site<'_>, place: &Place, (folder, templates): (&Path, &Templates)) -> Result<()> {
    let names: BTreeSet<&str> = place
        .runs
        .iter()
        .map(|run| run.cell.model.as_str())
        .collect();
    for model in names {
        let subject = Subject::new(site, place, model)?;
        let (file, page) = model::page(&subject);
        write_file(
            &folder.join("model").join(file),
            &templates.render("model.html", &page)?,
        )?;
    }
    Ok(())
}

/// Shows a written page in the browser of this system.
///
/// # Errors
/// [`Error::Browser`] when its opener could not be started.
pub fn show(path: &Path) -> Result<()> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let started = Command::new(program)
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.map(drop).map_err(|source| Error::Browser {
        program,
        path: path.to_owned(),
        source,
    })
}
