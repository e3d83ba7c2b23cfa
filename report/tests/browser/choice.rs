//! Any two sessions are chosen in the page, offline.

use crate::chromium::{Browser, browser};
use crate::page::{LAPTOP, Page, address};
use crate::{silence, site};

fn open<'a>(browser: &'a Browser, site: &site::Site, anchor: &str) -> Page<'a> {
    let file = address(&site.folder.join("compare/index.html"));
    let page = Page::visit(browser, &format!("{file}{anchor}"), LAPTOP);
    page.until("document.querySelector('#compared .verdict')");
    page
}

/// What is shown: the headline, and a row of one metric.
fn shown(page: &Page<'_>, metric: &str) -> String {
    let row = format!(
        "[document.querySelector('.verdict').textContent, ...[...document.querySelectorAll('#compared tbody tr')]\
         .filter(row => row.cells[1].firstChild.textContent.startsWith('tiny-smolvlm-500m-instruct/warm') \
         && row.cells[2].textContent === {metric:?})[0].cells].map(cell => cell.textContent ?? cell).join(' | ')"
    );
    page.eval(&row).as_str().unwrap().to_owned()
}

fn choose(page: &Page<'_>, name: &str, number: usize) {
    page.eval(&format!(
        "(() => {{ const select = document.querySelector('select[name={name}]'); const before = document.querySelector('#compared .verdict'); \
         select.selectedIndex = {number}; select.dispatchEvent(new Event('change', {{ bubbles: true }})); before.remove(); }})()"
    ));
    page.until("document.querySelector('#compared .verdict')");
}

#[test]
fn two_sessions_of_a_machine_have_verdicts_and_figures() {
    let Some(browser) = browser() else { return };
    let page = open(browser, site::sample(), "");
    // The newest machine first, its newest session against the one before.
    let first = shown(&page, "decode");
    for part in ["improved", "| improved", "tok/s[", "n=6/2", "+15.6 %"] {
        assert!(first.contains(part), "{first}");
    }
    choose(&page, "base", 2);
    let second = shown(&page, "decode");
    assert!(second.contains("+11.1 %") && second != first, "{second}");

    let anchor = page.eval("location.hash");
    let again = open(browser, site::sample(), anchor.as_str().unwrap());
    assert_eq!(shown(&again, "decode"), second);
    silence::check(&again, site::sample());
}

#[test]
fn others_stand_side_by_side_without_a_verdict() {
    let Some(browser) = browser() else { return };
    let page = open(browser, site::sample(), "");
    // One of another machine.
    choose(&page, "base", 4);
    let said = page
        .eval("document.querySelector('#compared').textContent")
        .to_string();
    for part in [
        "Not judged",
        "Not comparable: other machines: Apple M2 Pro",
        "judges them",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let row = shown(&page, "decode");
    assert!(
        row.contains("not judged") && row.contains("+33.3 %"),
        "{row}"
    );
    page.click("#swap");
    page.until("document.querySelector('.facts dd').textContent.includes('2025-11-12')");
    assert!(shown(&page, "decode").contains("-25.0 %"));
    silence::check(&page, site::sample());
}

#[test]
fn a_lost_file_is_named() {
    let Some(browser) = browser() else { return };
    let page = open(browser, site::sample(), "");
    page.eval(
        "(() => { const option = document.querySelector('select[name=base]').options[1]; \
         option.value = 'lost'; option.selected = true; option.dispatchEvent(new Event('change', { bubbles: true })); })()",
    );
    page.until("document.querySelector('#compared').textContent.includes('data/lost.js is not beside this page')");
}
