//! Contrast, names, landmarks and labels, by the rules of axe-core.

use std::env;
use std::fs;

use crate::chromium::browser;
use crate::left_out;
use crate::page::{LAPTOP, Look, Page};

/// Style sheets are checked as they apply; nothing is fetched again.
const RUN: &str = "axe.run(document, { preload: false, resultTypes: ['violations'] }).then(found => \
    found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.failureSummary} ${n.html.slice(0, 150)}`)))";

/// The script, where there is one.
pub(crate) fn checker() -> Option<String> {
    let path = env::var_os("VLM_BENCH_AXE").unwrap_or_default();
    let text = fs::read_to_string(path).ok();
    if text.is_none() {
        left_out(
            "no axe-core: `.ci/run tools` fetches it; name its script with VLM_BENCH_AXE=/path/axe.min.js",
        );
    }
    text
}

/// The page as it is shown now; its script is in it already.
pub(crate) fn check(page: &Page<'_>, look: Look) {
    assert_eq!(page.texts(RUN), [""; 0], "{} at {look:?}", page.address);
}

/// The check proves nothing unless a bad page is noticed.
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
