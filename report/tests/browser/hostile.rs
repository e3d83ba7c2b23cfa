//! Script in model names, answers, prompts, branches, machines, paths and reasons runs on no page.

use crate::chromium::browser;
use crate::page::{LAPTOP, Page};
use crate::site;

/// Elements and attributes that foreign text must never become.
const FOREIGN: &str = "[...document.querySelectorAll('*')].flatMap(element => \
    element.matches('img, iframe, object, embed, base, form:not(#controls, #choice)') ? [element.outerHTML] : \
    [...element.attributes].filter(a => a.name.startsWith('on') || /^[\\s\\0-\\x1f]*(javascript|data|vbscript):/i.test(a.value)) \
    .map(a => a.name + '=' + a.value))";

/// Characters that turn the direction of text or control a terminal.
const CONTROLS: &str = "[...document.body.innerText.matchAll(/[\\0-\\x08\\x0b-\\x1f\\x7f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]/g)].map(m => \
    m[0].codePointAt(0).toString(16))";

/// Whatever may be clicked or focused is; links are followed by another check, and buttons that save a picture
/// would ask where to.
pub(crate) fn click_all(page: &Page<'_>) {
    page.eval(
        "for (const element of document.querySelectorAll('summary, button:not([title^=Save]), [tabindex], input, select')) \
         { element.focus(); element.click(); }",
    );
}

/// Nothing has run and nothing has become markup.
pub(crate) fn check(page: &Page<'_>) {
    let place = &page.address;
    // A title that names a model holds its text; one that a script has set begins with this word.
    let title = page.eval("document.title").to_string();
    assert!(!title.starts_with("\"owned"), "{place}: {title}");
    assert_eq!(page.eval("window.owned ?? ''"), "", "{place}");
    assert_eq!(page.texts(FOREIGN), [""; 0], "{place}");
    assert_eq!(page.texts(CONTROLS), [""; 0], "{place}");
}

/// Each of them must be shown somewhere, or the check above shows nothing of it.
#[test]
fn every_hostile_text_is_on_some_page() {
    let Some(browser) = browser() else { return };
    let pages = site::hostile().pages.iter();
    let texts: Vec<String> = pages
        .map(|path| {
            Page::open(browser, path, LAPTOP)
                .eval("document.documentElement.textContent")
                .to_string()
        })
        .collect();
    for marker in [
        "chip",
        "branch",
        "os",
        "suite",
        "model",
        "precision",
        "revision",
        "void",
        "remark",
        "failure",
        "failed-model",
        "item",
        "prompt",
        "answer",
    ] {
        let shown = format!("{marker}</td></style>");
        assert!(texts.iter().any(|text| text.contains(&shown)), "{marker}");
    }
}
