//! Every page of a site, opened once, and all that must hold of any page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::chromium::browser;
use crate::page::{LAPTOP, Look, PHONE, Page};
use crate::site::{self, Site};
use crate::{audit, hostile, layout, links, silence};

const TABLET: Look = Look {
    width: 768,
    ..PHONE
};
const NIGHT: Look = Look {
    scheme: "dark",
    ..LAPTOP
};
const PHONE_AT_NIGHT: Look = Look {
    scheme: "dark",
    ..PHONE
};

/// What pages of one template have in common: their folder, for those that have one.
fn kind(site: &Site, path: &Path) -> PathBuf {
    let path = path.strip_prefix(&site.folder).unwrap();
    match path.parent() {
        Some(folder) if folder != Path::new("") && !path.ends_with("index.html") => {
            folder.to_owned()
        }
        _ => path.to_owned(),
    }
}

/// Goes through a site and does something on each page before it is looked at; hands out how many charts were drawn.
fn tour(site: &Site, looks: &[Look], first: fn(&Page<'_>)) -> usize {
    let (Some(browser), checker) = (browser(), audit::checker()) else {
        return usize::MAX;
    };
    let (mut links, mut drawn) = (links::Links::default(), 0);
    let mut known = BTreeSet::new();
    for path in &site.pages {
        let page = Page::open(browser, path, LAPTOP);
        links.add(&page);
        drawn += page.draw_all();
        first(&page);
        hostile::check(&page);
        page.eval("document.querySelectorAll('details').forEach(details => details.open = true)");
        if let Some(checker) = &checker {
            page.eval(checker);
        }
        // The first page of its kind in every scheme and width, others once: colours and roles are those of the kind.
        let audited = match known.insert(kind(site, path)) {
            true => looks.len(),
            false => 1,
        };
        for (at, &look) in looks.iter().enumerate() {
            page.show(look);
            layout::check(&page, look);
            if checker.is_some() && at < audited {
                audit::check(&page, look);
            }
        }
        silence::check(&page, site);
    }
    links.check(site);
    drawn
}

#[test]
fn every_page_is_as_it_should_be() {
    let looks = [LAPTOP, NIGHT, TABLET, PHONE, PHONE_AT_NIGHT];
    let drawn = tour(site::sample(), &looks, |_| ());
    assert!(drawn > 40, "{drawn} charts");
}

#[test]
fn every_page_of_hostile_text_is_as_it_should_be() {
    tour(site::hostile(), &[LAPTOP, PHONE], hostile::click_all);
}
