//! `report html`: a folder of pages that needs no network. A page is one template and one function.

mod assets;
mod chart;
mod choice;
mod compare_page;
mod conditions;
mod curves;
mod far;
mod files;
mod frame;
mod heading;
mod historic;
mod index;
mod json;
mod lines;
mod model;
mod older;
mod outcome;
mod outputs;
mod plot;
mod policy;
mod recent;
mod run_page;
mod session;
mod sheet;
mod site;
mod table;
mod trend;
mod words;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use store::gate::Side;
use store::{Db, Session, cores};

use crate::archive::{Archive, Place, runs_of};
use crate::error::{Error, Result};
use crate::gate;
use crate::template::Templates;
use files::{make, write_file};
use model::Subject;
use site::{Recent, Site};

/// Where pages go, what they look like, and how many sessions have one.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// Made if it is not there.
    pub folder: &'a Path,
    /// What they are drawn with.
    pub templates: &'a Templates,
    /// Newest sessions of each machine that have a page, and of which charts show intervals, counts and refusals: that
    /// takes every raw value.
    pub sessions: usize,
}

impl Output<'_> {
    /// Writes one page and hands out its path.
    fn page(&self, path: &Path, template: &str, view: &impl Serialize) -> Result<PathBuf> {
        let path = self.folder.join(path);
        write_file(&path, &self.templates.render(template, view)?)?;
        Ok(path)
    }

    /// Writes what the page of any two sessions reads.
    fn script(&self, name: &str, sheet: &impl Serialize) -> Result<()> {
        let (path, text) = sheet::script(name, sheet);
        write_file(&self.folder.join(path), &text)
    }
}

/// Writes the pages: `index.html`, one a model and machine in `model/`, one a session in `run/`, one a machine and one of
/// any two sessions in `compare/`, what they share in `assets/`. The path of the first page.
///
/// A database without runs gives a page that says so.
///
/// # Errors
/// [`Error::Write`] with the path that could not be written; [`Error::Template`]; [`Error::Store`].
pub fn write(archive: &Archive, out: &Output<'_>) -> Result<PathBuf> {
    let site = Site::read(archive, out.sessions)?;
    // A template that does not fit leaves nothing behind.
    let first = out
        .templates
        .render("index.html", &index::page(archive, &site))?;
    make(out.folder)?;
    assets::write(out.folder, out.templates)?;
    machines(&site, &archive.db, out)?;
    if let Some(page) = choice::page(&site) {
        out.page(Path::new(choice::FILE), "choice.html", &page)?;
    }
    if let Some(page) = historic::page(archive) {
        out.page(Path::new("historic.html"), "historic.html", &page)?;
    }
    let path = out.folder.join("index.html");
    write_file(&path, &first)?;
    Ok(path)
}

/// The pages of a machine's newest sessions, for those of its models to link to, and what the page of any two reads.
fn runs((db, site): (&Db, &Site), place: &Place, out: &Output<'_>) -> Result<Recent> {
    let mut recent = Recent::default();
    let noise = db.noise(&place.key)?;
    // Newer ones that are judged against this one, with their places.
    let mut heads: Vec<(usize, Side)> = Vec::new();
    for (at, session) in site.shown(place).enumerate() {
        let (session, runs) = (session.clone(), runs_of(db, session)?);
        let base = Side { session, runs };
        recent.add(&base);
        let (file, page) = run_page::page(&run_page::Subject {
            site,
            place,
            side: &base,
        });
        out.page(&Path::new("run").join(file), "run.html", &page)?;
        let figures = sheet::Figures::of(&page.models);
        out.script(&base.session.id.to_string(), &figures)?;
        heads.retain(|&(head, _)| sheet::is_judged(head, at));
        for (_, head) in &heads {
            let verdicts = sheet::Verdicts::of(&gate::of_two(&base, head, &noise));
            out.script(&sheet::pair(&base.session, &head.session), &verdicts)?;
        }
        heads.push((at, base));
    }
    Ok(recent)
}

/// The page of a machine's newest session against the one before, and the models that are on it.
fn comparison(
    (db, site): (&Db, &Site),
    place: &Place,
    out: &Output<'_>,
) -> Result<BTreeSet<String>> {
    let newest = place.sessions.last();
    let Some((base, head)) = newest.and_then(|head| Some((session::previous(place, head)?, head)))
    else {
        return Ok(BTreeSet::new());
    };
    let side = |session: &Session| -> Result<Side> {
        let (session, runs) = (session.clone(), runs_of(db, session)?);
        Ok(Side { session, runs })
    };
    let (base, head) = (side(base)?, side(head)?);
    let judgement = gate::of_two(&base, &head, &db.noise(&place.key)?);
    let (file, page) = compare_page::page(&compare_page::Subject {
        site,
        place,
        base: &base,
        head: &head,
        judgement: &judgement,
    });
    out.page(&Path::new("compare").join(file), "compare.html", &page)?;
    let runs = base.runs.iter().chain(&head.runs);
    Ok(runs.map(|run| run.cell.model.clone()).collect())
}

/// The pages of all machines, on all cores.
fn machines(site: &Site, db: &Db, out: &Output<'_>) -> Result<()> {
    let path = db.path();
    let beside = || Db::open_existing(path).ok();
    let work = |db: &Db, at: usize| machine((db, site), &site.places[at], out);
    let ((), written) = cores::on_all(site.places.len(), || (db, ()), beside, work);
    written.into_iter().collect()
}

/// The pages of a machine: its newest sessions, the last two compared, its models.
fn machine((db, site): (&Db, &Site), place: &Place, out: &Output<'_>) -> Result<()> {
    let mut recent = runs((db, site), place, out)?;
    recent.compared = comparison((db, site), place, out)?;
    let names = place.runs.iter().map(|run| run.cell.model.as_str());
    for model in names.collect::<BTreeSet<_>>() {
        let (file, page) = model::page(&Subject::new(site, (place, &recent), model));
        out.page(&Path::new("model").join(file), "model.html", &page)?;
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
