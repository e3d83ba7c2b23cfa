//! Every link leads somewhere: to a file of the folder, and to an element of it where it has an anchor.

use std::collections::BTreeMap;

use crate::chromium::browser;
use crate::page::{LAPTOP, Page, address};
use crate::site::{self, Site};

/// Whatever an element points at, resolved.
const POINTED: &str =
    "[...document.querySelectorAll('[href], [src]')].map(e => e.href?.baseVal ?? e.href ?? e.src)";

const IDS: &str = "[...document.querySelectorAll('[id]')].map(e => e.id)";

fn check(site: &Site) {
    let Some(browser) = browser() else { return };
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut links: Vec<(String, String)> = Vec::new();
    for path in &site.pages {
        let page = Page::open(browser, path, LAPTOP);
        let own = address(path);
        let pointed = page.texts(POINTED).into_iter();
        links.extend(pointed.map(|link| (own.clone(), link)));
        let all = page.texts(IDS);
        let again = all
            .iter()
            .find(|id| all.iter().filter(|other| other == id).count() > 1);
        assert_eq!(again, None, "{own} has an id twice");
        ids.insert(own, all);
    }
    let inside = format!("{}/", address(&site.folder));
    for (page, link) in links {
        let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let name = file
            .strip_prefix(&inside)
            .unwrap_or_else(|| panic!("{page} leads to {link}"));
        assert!(site.folder.join(name).is_file(), "{page} leads to {link}");
        if !anchor.is_empty() {
            let there = ids
                .get(file)
                .is_some_and(|ids| ids.iter().any(|id| id == anchor));
            assert!(there, "{page} leads to {link}");
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    check(site::sample());
}

#[test]
fn every_link_among_hostile_names_leads_somewhere() {
    check(site::hostile());
}
