//! Every link leads somewhere: to a file of the folder, and to an element of it where it has an anchor.

use std::collections::BTreeMap;

use crate::page::{Page, address};
use crate::site::Site;

/// Whatever an element points at, resolved.
const POINTED: &str =
    "[...document.querySelectorAll('[href], [src]')].map(e => e.href?.baseVal ?? e.href ?? e.src)";

const IDS: &str = "[...document.querySelectorAll('[id]')].map(e => e.id)";

/// What the pages of a site point at, and what can be pointed at.
#[derive(Default)]
pub(crate) struct Links {
    /// Ids of each page.
    ids: BTreeMap<String, Vec<String>>,
    /// Page and address.
    links: Vec<(String, String)>,
}

impl Links {
    /// Takes in a page.
    pub(crate) fn add(&mut self, page: &Page<'_>) {
        let pointed = page.texts(POINTED).into_iter();
        self.links
            .extend(pointed.map(|link| (page.address.clone(), link)));
        let ids = page.texts(IDS);
        let twice = ids
            .iter()
            .find(|id| ids.iter().filter(|other| other == id).count() > 1);
        assert_eq!(twice, None, "{} has an id twice", page.address);
        self.ids.insert(page.address.clone(), ids);
    }

    /// Once all pages are in.
    pub(crate) fn check(&self, site: &Site) {
        let inside = format!("{}/", address(&site.folder));
        for (page, link) in &self.links {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let name = file.strip_prefix(&inside);
            let there = name.is_some_and(|name| site.folder.join(name).is_file());
            assert!(there, "{page} leads to {link}");
            // A name with a value is the state of charts.
            let ids = self.ids.get(file);
            let found = ids.is_some_and(|ids| ids.iter().any(|id| id == anchor));
            assert!(
                anchor.is_empty() || anchor.contains('=') || found,
                "{page} leads to {link}"
            );
        }
    }
}
