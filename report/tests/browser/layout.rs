//! Nothing sticks out on a narrow screen.

use crate::chromium::browser;
use crate::page::{LAPTOP, Look, PHONE, Page};
use crate::site::{self, Site};

fn check(site: &Site, look: Look) {
    let Some(browser) = browser() else { return };
    for path in &site.pages {
        let page = Page::open(browser, path, look);
        page.eval("document.querySelectorAll('details').forEach(details => details.open = true)");
        let over = page
            .eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        let wide = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth) \
            .map(e => e.outerHTML.slice(0, 80)).slice(0, 5)";
        assert_eq!(
            over,
            0,
            "{} at {look:?}: {:?}",
            path.display(),
            page.texts(wide)
        );
    }
}

#[test]
fn nothing_sticks_out() {
    for look in [
        PHONE,
        Look {
            width: 768,
            ..PHONE
        },
        LAPTOP,
    ] {
        check(site::sample(), look);
    }
}

#[test]
fn no_hostile_text_sticks_out() {
    check(site::hostile(), PHONE);
}
