//! A page writes nothing to the console and asks for nothing outside its folder.

use std::fs;
use std::path::Path;

use crate::chromium::browser;
use crate::page::{LAPTOP, Page, address};
use crate::site::{self, Site};

fn check(site: &Site) {
    let Some(browser) = browser() else { return };
    let inside = address(&site.folder);
    for path in &site.pages {
        let page = Page::open(browser, path, LAPTOP);
        assert_eq!(page.console(), [""; 0], "{}", path.display());
        // What stands in the address itself is no request.
        let asked = page.requests().into_iter();
        for asked in asked.filter(|address| !address.starts_with("data:")) {
            assert!(
                asked.starts_with(&inside),
                "{} asks for {asked}",
                path.display()
            );
        }
    }
}

#[test]
fn every_page_is_silent() {
    check(site::sample());
}

#[test]
fn every_page_of_hostile_text_is_silent() {
    check(site::hostile());
}

/// The tests above prove nothing unless a bad page is noticed.
#[test]
fn a_bad_page_is_noticed() {
    let Some(browser) = browser() else { return };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad.html");
    let bad = "<title>a</title><script>console.error('seen'); document.title = 'ran'</script>\
        <img src=http://evil.invalid/x><script>throw 'thrown'</script>";
    fs::write(&path, bad).unwrap();
    let page = Page::open(browser, &path, LAPTOP);
    let (said, asked) = (page.console().join("\n"), page.requests().join("\n"));
    assert!(said.contains("seen") && said.contains("thrown"), "{said}");
    assert!(asked.contains("evil.invalid"), "{asked}");
    assert_eq!(page.title(), "ran");
}
