//! Charts are drawn, and do what a reader asks by pointer, keyboard and address.

use std::path::Path;

use crate::chromium::{Browser, browser};
use crate::page::{LAPTOP, Page, address};
use crate::site;

/// The page of the model with most sessions.
fn file() -> &'static Path {
    let pages = site::sample().pages.iter();
    let mut named = pages.filter(|path| {
        path.to_string_lossy()
            .contains("/model/tiny-smolvlm-500m-instruct-")
    });
    named
        .find(|path| {
            std::fs::read_to_string(path)
                .unwrap()
                .contains("on Apple M3")
        })
        .unwrap()
}

/// Its chart of the time of inference, drawn.
fn open<'a>(browser: &'a Browser, anchor: &str) -> Page<'a> {
    let page = Page::visit(browser, &format!("{}{anchor}", address(file())), LAPTOP);
    page.middle("#inference");
    page.until("document.querySelector('#inference .main-svg .points path')");
    page
}

const RANGE: &str = "document.querySelector('#inference .plot')._fullLayout.xaxis.range.join()";
const SCALE: &str = "document.querySelector('#inference .plot')._fullLayout.yaxis.type";
const POINTS: &str = "document.querySelectorAll('#inference .main-svg .points path').length";
const LABEL: &str = "document.querySelector('#inference .hovertext')?.textContent ?? ''";

#[test]
fn pointing_at_a_point_tells_what_it_is() {
    let Some(browser) = browser() else { return };
    let page = open(browser, "");
    assert_eq!(page.eval(POINTS), 3);
    page.point(page.middle("#inference .points path:first-child"));
    page.until(&format!("{LABEL}.includes('UTC')"));
    let said = page.eval(LABEL).to_string();
    for part in [
        "2025-11-03 10:00 UTC",
        "ms",
        "n=6/2",
        "00c0ffee00 on main",
        "quick profile",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_mark_tells_which_conditions_changed() {
    let Some(browser) = browser() else { return };
    let page = open(browser, "");
    let marks = "[...document.querySelectorAll('#inference .annotation')].filter(mark => mark.textContent === '◆')";
    assert_eq!(page.eval(&format!("{marks}.length")), 1);
    page.eval(&format!("{marks}[0].id = 'turn'; 0"));
    page.point(page.middle("#turn text"));
    page.until(&format!("{LABEL}.includes('conditions changed')"));
    let said = page.eval(LABEL).to_string();
    for part in [
        "2025-11-12 10:00 UTC",
        "system macOS 15.6 (24G84)",
        "to macOS 15.7 (24G222)",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn dragging_zooms_and_a_button_goes_back() {
    let Some(browser) = browser() else { return };
    let page = open(browser, "");
    let whole = page.eval(RANGE);
    let (x, y) = page.middle("#inference .plot .nsewdrag");
    page.drag((x - 40.0, y), (x + 40.0, y));
    page.until(&format!("{RANGE} !== {whole}"));
    page.click("#inference .tools button[title='Reset']");
    page.until(&format!("{RANGE} === {whole}"));
    page.click("#inference .tools button[title='Zoom in']");
    page.until(&format!("{RANGE} !== {whole}"));
}

#[test]
fn scale_and_time_are_chosen_for_all_charts_and_kept_in_the_address() {
    let Some(browser) = browser() else { return };
    let page = open(browser, "");
    assert_eq!(page.eval(SCALE), "linear");
    page.click("#controls label:has(input[name='log'])");
    page.until(&format!("{SCALE} === 'log'"));
    page.click("#controls label:has(input[value='7d'])");
    page.until(&format!("{POINTS} === 2"));
    let anchor = page.eval("location.hash");
    assert_eq!(anchor, "#range=7d&log=1");

    let again = open(browser, anchor.as_str().unwrap());
    again.until(&format!("{SCALE} === 'log' && {POINTS} === 2"));
    let chosen = "[document.querySelector('[name=log]').checked, document.querySelector('[value=\"7d\"]').checked].join()";
    assert_eq!(again.eval(chosen), "true,true");
}

#[test]
fn keys_step_through_the_points_and_say_them() {
    let Some(browser) = browser() else { return };
    let page = open(browser, "");
    let said = |wanted: &str| {
        page.until(&format!(
            "document.getElementById('said').textContent.includes({wanted:?})"
        ));
        page.until(&format!("{LABEL}.includes({wanted:?})"));
    };
    page.eval("document.querySelector('#inference .plot').focus()");
    page.press("ArrowLeft");
    said("2025-11-12 10:00 UTC");
    page.press("ArrowLeft");
    said("2025-11-05 10:00 UTC");
    page.press("Home");
    said("2025-11-03 10:00 UTC");
    page.press("ArrowRight");
    said("2025-11-05 10:00 UTC");
    assert_eq!(page.eval("location.hash"), "#chart=inference");
    assert_eq!(page.console(), [""; 0]);
}

#[test]
fn the_scheme_is_chosen_by_a_button() {
    let Some(browser) = browser() else { return };
    let page = open(browser, "");
    let colour = "getComputedStyle(document.body).backgroundColor";
    let light = page.eval(colour);
    page.click("#scheme");
    page.until(&format!("{colour} !== {light}"));
    page.until("document.querySelector('#inference .main-svg .points path')");
}
