//! The sites that are looked at, each written once by the `report` command's own function.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use report::{Archive, Templates, html};

use crate::fixture;

/// A site in cargo's folder for test files.
pub(crate) struct Site {
    pub folder: PathBuf,
    /// Every page, in the order of their paths.
    pub pages: Vec<PathBuf>,
}

/// Several machines, refused and failed figures, and imported history.
pub(crate) fn sample() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::write("sample", fixture::full_database))
}

/// Every text in it is hostile.
pub(crate) fn hostile() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| Site::write("hostile", fixture::hostile_database))
}

impl Site {
    fn write(name: &str, fill: impl Fn(&Path)) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let db = folder.with_extension("db");
        let _ = fs::remove_file(&db);
        fill(&db);
        let templates = Templates::read(None).unwrap();
        let out = html::Output {
            folder: &folder,
            templates: &templates,
            sessions: 30,
        };
        html::write(&Archive::read(&db).unwrap(), &out).unwrap();
        let mut pages = pages(&folder);
        pages.sort();
        assert!(pages.contains(&folder.join("index.html")));
        Self { folder, pages }
    }
}

fn pages(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => pages(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|end| end == "html"))
        .collect()
}
