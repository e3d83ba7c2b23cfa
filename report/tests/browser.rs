//! The page in a real browser, driven headless: silent console, no request, no script, no overflow.
//!
//! Takes the browser of the variable `CHROME`, else a Chromium or Chrome of this system. Without one
//! the tests fail where `CI` is set, and pass with a note elsewhere.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod fixture;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use report::{Archive, Templates, html};
use serde_json::Value;
use tempfile::tempdir;

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
const MAC: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/// The browser of this system, if any.
fn browser() -> Option<PathBuf> {
    let named = env::var_os("CHROME").map(PathBuf::from);
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&folders).collect();
    let mut known = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = named.or_else(|| known.find(|path| path.is_file()));
    let found = found.or_else(|| Some(PathBuf::from(MAC)).filter(|path| path.is_file()));
    if found.is_none() {
        let wanted = "no browser: install chromium or google-chrome, or name one with CHROME=/path";
        assert!(env::var_os("CI").is_none(), "{wanted}");
        eprintln!("browser test skipped: {wanted}");
    }
    found
}

/// What the browser did with a page.
struct Visit {
    /// The document after everything ran, serialised.
    dom: String,
    /// Lines that the page wrote to the console, refusals by its policy included.
    console: Vec<String>,
    /// Addresses that the page itself asked for, its own file left out.
    requests: Vec<String>,
}

/// Opens `page` in a window of `width` and waits until nothing more happens.
fn visit(browser: &Path, page: &Path, width: u32) -> Visit {
    let profile = tempdir().unwrap();
    let log = profile.path().join("net.json");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-extensions",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        // Whatever the browser wants for itself stays on this machine.
        .arg("--host-resolver-rules=MAP * ~NOTFOUND")
        .args([
            "--enable-logging=stderr",
            "--virtual-time-budget=2000",
            "--dump-dom",
        ])
        .arg(format!("--window-size={width},900"))
        .arg(format!(
            "--user-data-dir={}",
            profile.path().join("profile").display()
        ))
        .arg(format!("--log-net-log={}", log.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        dom.contains("<html"),
        "{} showed nothing: {said}",
        browser.display()
    );
    let console = said
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .map(str::to_owned)
        .collect();
    Visit {
        dom,
        console,
        requests: requests(&fs::read_to_string(&log).unwrap()),
    }
}

/// Addresses in a network log that a document asked for; the browser's own have no origin.
fn requests(log: &str) -> Vec<String> {
    // A browser that was ended early leaves the list of events open.
    let closed = format!("{}]}}", log.trim_end().trim_end_matches(','));
    let log: Value = serde_json::from_str(log)
        .or_else(|_| serde_json::from_str(&closed))
        .unwrap();
    let start = &log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"];
    assert!(start.is_number(), "the network log knows no requests");
    let events = log["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| &event["type"] == start);
    let own = events.filter(|event| event["params"]["initiator"] != "not an origin");
    own.filter_map(|event| event["params"]["url"].as_str().map(str::to_owned))
        .collect()
}

/// A page of a database that `fill` fills, in cargo's folder for test files.
fn page(name: &str, fill: impl Fn(&Path)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let db = folder.join("results.db");
    let _ = fs::remove_file(&db);
    fill(&db);
    html::write(
        &Archive::read(&db).unwrap(),
        &folder,
        &Templates::read(None).unwrap(),
    )
    .unwrap()
}

fn title(visit: &Visit) -> &str {
    let after = visit
        .dom
        .split_once("<title>")
        .map_or("", |(_, after)| after);
    after.split_once("</title>").map_or("", |(title, _)| title)
}

#[test]
fn the_page_is_silent_and_asks_for_nothing() {
    let Some(browser) = browser() else { return };
    let visit = visit(&browser, &page("sample", fixture::full_database), 1280);
    assert_eq!(visit.console, [""; 0]);
    assert_eq!(visit.requests, [""; 0]);
    assert!(visit.dom.contains("tiny-smolvlm-500m-instruct") && visit.dom.contains("<svg"));
}

#[test]
fn hostile_text_runs_nothing() {
    let Some(browser) = browser() else { return };
    let visit = visit(&browser, &page("hostile", fixture::hostile_database), 1280);
    assert_eq!(visit.console, [""; 0]);
    assert_eq!(visit.requests, [""; 0]);
    assert_eq!(title(&visit), "vlm-bench report");
    for element in ["<script", "<img", "<iframe"] {
        assert!(!visit.dom.contains(element), "{element}");
    }
}

/// Shows each page in frames of three widths and reports what sticks out. `srcdoc` keeps the page
/// as it is, its policy included, and lets the outer page measure it.
#[test]
fn nothing_sticks_out_on_a_narrow_screen() {
    let Some(browser) = browser() else { return };
    for (name, fill) in [
        ("narrow", fixture::full_database as fn(&Path)),
        ("narrow-hostile", fixture::hostile_database),
    ] {
        let page = page(name, fill);
        let text = fs::read_to_string(&page)
            .unwrap()
            .replace('&', "&amp;")
            .replace('"', "&quot;");
        let frame = |width| format!("<iframe width={width} height=900 srcdoc=\"{text}\"></iframe>");
        let outer = format!(
            "<!doctype html><title>unmeasured</title>{}{}{}<script>onload = () => document.title = \
             [...document.querySelectorAll('iframe')].map(f => f.contentDocument.documentElement)\
             .map(e => e.scrollWidth - e.clientWidth).join(' ')</script>",
            frame(390),
            frame(768),
            frame(1280)
        );
        let wrapped = page.with_file_name("frames.html");
        fs::write(&wrapped, outer).unwrap();
        assert_eq!(title(&visit(&browser, &wrapped, 1600)), "0 0 0", "{name}");
    }
}

/// The tests above prove nothing unless a bad page is noticed.
#[test]
fn a_bad_page_is_noticed() {
    let Some(browser) = browser() else { return };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad.html");
    let bad = "<title>a</title><script>console.error('seen'); document.title = 'ran'</script><img src=http://evil.invalid/x>";
    fs::write(&path, bad).unwrap();
    let visit = visit(&browser, &path, 1280);
    assert!(
        visit.console.iter().any(|line| line.contains("seen")),
        "{:?}",
        visit.console
    );
    assert!(
        visit
            .requests
            .iter()
            .any(|address| address.contains("evil.invalid")),
        "{:?}",
        visit.requests
    );
    assert_eq!(title(&visit), "ran");
}
