//! A page writes nothing to the console and asks for nothing outside its folder.

use std::fs;
use std::path::Path;

use crate::chromium::browser;
use crate::page::{LAPTOP, Page, address};
use crate::site::Site;

/// Everything since the page was opened.
pub(crate) fn check(page: &Page<'_>, site: &Site) {
    let inside = format!("{}/", address(&site.folder));
    assert_eq!(page.console(), [""; 0], "{}", page.address);
    // What stands in the address itself is asked of nobody.
    let asked = page.requests().into_iter();
    let outside = asked.filter(|asked| !asked.starts_with("data:") && !asked.starts_with(&inside));
    assert_eq!(outside.collect::<Vec<_>>(), [""; 0], "{}", page.address);
}

/// The check proves nothing unless a bad page is noticed.
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
    assert_eq!(page.eval("document.title"), "ran");
}
