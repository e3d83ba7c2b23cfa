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
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

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
    models(&site, (folder, templates))?;
    if let Some(page) = historic::page(archive) {
        write_file(
            &folder.join("historic.html"),
            &templates.render("historic.html", &page)?,
        )?;
    }
    let first = folder.join("index.html");
    write_file(
        &first,
        &templates.render("index.html", &index::page(archive, &site))?,
    )?;
    Ok(first)
}

/// The pages of all models, on all cores.
fn models(site: &Site, to: (&Path, &Templates)) -> Result<()> {
    let names = |place: &Place| -> BTreeSet<String> {
        place
            .runs
            .iter()
            .map(|run| run.cell.model.clone())
            .collect()
    };
    let of = |place| names(place).into_iter().map(move |model| (place, model));
    let pages: Vec<(&Place, String)> = site.places.iter().flat_map(of).collect();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let written =
        |part: &[(&Place, String)]| part.iter().try_for_each(|page| model_page(site, page, to));
    thread::scope(|scope| {
        let parts = pages.chunks(pages.len().div_ceil(cores).max(1));
        let workers: Vec<_> = parts
            .map(|part| (part, scope.spawn(move || written(part))))
            .collect();
        // A worker that died left pages out: its part is written again here.
        workers
            .into_iter()
            .try_for_each(|(part, worker)| worker.join().unwrap_or_else(|_| written(part)))
    })
}

fn model_page(
    site: &Site,
    (place, model): &(&Place, String),
    (folder, templates): (&Path, &Templates),
) -> Result<()> {
    let (file, page) = model::page(&Subject::new(site, place, model));
    write_file(
        &folder.join("model").join(file),
        &templates.render("model.html", &page)?,
    )
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
