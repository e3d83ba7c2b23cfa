//! The pages in a real browser without a window, driven by its DevTools protocol.
//!
//! Takes the browser of the variable `CHROME`, else a Chromium or Chrome of this system; `VLM_BENCH_AXE`
//! names the script of axe-core, a checker of accessibility. Without one of them its tests fail where `CI`
//! is set, and pass with a note elsewhere.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[path = "../fixture/mod.rs"]
mod fixture;

mod audit;
mod charts;
mod choice;
mod chromium;
mod hostile;
mod layout;
mod links;
mod page;
mod silence;
mod site;
mod tour;

/// What is missing fails the test where `CI` is set; elsewhere a note says that it was left out.
fn left_out(wanted: &str) {
    assert!(std::env::var_os("CI").is_none(), "{wanted}");
    eprintln!("browser test left out: {wanted}");
}
