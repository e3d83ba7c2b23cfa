//! Contrast, names, landmarks and labels, by the rules of axe-core.

use std::env;
use std::fs;

use crate::chromium::browser;
use crate::left_out;
use crate::page::{LAPTOP, Look, PHONE, Page};
use crate::site;

/// Style sheets are checked as they apply; nothing is fetched again.
const RUN: &str = "axe.run(document, { preload: false, resultTypes: ['violations'] }).then(found => \
    found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.failureSummary} ${n.html.slice(0, 150)}`)))";

fn checker() -> Option<String> {
    let path = env::var_os("VLM_BENCH_AXE").unwrap_or_default();
    let text = fs::read_to_string(path).ok();
    if text.is_none() {
        left_out(
            "no axe-core: `.ci/run tools` fetches it; name its script with VLM_BENCH_AXE=/path/axe.min.js",
        );
    }
    text
}

#[test]
fn every_page_is_accessible_in_both_schemes_and_widths() {
    let (Some(browser), Some(checker)) = (browser(), checker()) else {
        return;
    };
    for path in &site::sample().pages {
        let page = Page::open(browser, path, LAPTOP);
        page.draw_all();
        page.eval(&checker);
        for look in [LAPTOP, PHONE] {
            for scheme in ["light", "dark"] {
                let look = Look { scheme, ..look };
                page.show(look);
                assert_eq!(page.texts(RUN), [""; 0], "{} at {look:?}", path.display());
            }
        }
    }
}

/// The test above proves nothing unless a bad page is noticed.
#[test]
fn an_inaccessible_page_is_noticed() {
    let (Some(browser), Some(checker)) = (browser(), checker()) else {
        return;
    };
    let page = Page::visit(browser, "about:blank", LAPTOP);
    page.eval("document.body.innerHTML = '<p style=\"color:#ccc;background:#fff\">pale</p><button></button>'; 0");
    page.eval(&checker);
    let found = page.texts(RUN).join("\n");
    for rule in ["color-contrast: ", "button-name: ", "html-has-lang: "] {
        assert!(found.contains(rule), "{found}");
    }
}
