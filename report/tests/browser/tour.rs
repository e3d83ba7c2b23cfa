//! Every page of a site, opened once, and all that must hold of any page.

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

/// Goes through a site and does something on each page before it is looked at; hands out how many charts were drawn.
fn tour(site: &Site, looks: &[Look], first: fn(&Page<'_>)) -> usize {
    let (Some(browser), checker) = (browser(), audit::checker()) else {
        return usize::MAX;
    };
    let (mut links, mut drawn) = (links::Links::default(), 0);
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
        for &look in looks {
            page.show(look);
            layout::check(&page, look);
            if checker.is_some() {
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
