//! Nothing sticks out on a narrow screen.

use crate::chromium::browser;
use crate::page::{LAPTOP, Look, PHONE, Page};
use crate::site::{self, Site};

/// What sticks out of the window, and is not within an element that scrolls.
const OUT: &str = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && \
    !e.parentElement.closest('.scroll, .plot')).map(e => e.outerHTML.slice(0, 120)).slice(0, 5)";

const OVER: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

fn check(site: &Site, looks: &[Look]) {
    let Some(browser) = browser() else { return };
    for path in &site.pages {
        let page = Page::open(browser, path, looks[0]);
        page.draw_all();
        page.eval("document.querySelectorAll('details').forEach(details => details.open = true)");
        for &look in looks {
            page.show(look);
            let place = path.display();
            assert_eq!(
                page.eval(OVER),
                0,
                "{place} at {look:?}: {:#?}",
                page.texts(OUT)
            );
        }
    }
}

#[test]
fn nothing_sticks_out() {
    check(
        site::sample(),
        &[
            PHONE,
            Look {
                width: 768,
                ..PHONE
            },
            LAPTOP,
        ],
    );
}

#[test]
fn no_hostile_text_sticks_out() {
    check(site::hostile(), &[PHONE]);
}
