//! The pages as text: structure by snapshots, escaping, addresses, policy. What a browser does with them is in `browser/`.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use report::{Archive, Templates, html};
use tempfile::tempdir;

/// The pages of a database, by path.
fn pages(fill: impl Fn(&Path)) -> BTreeMap<String, String> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("results.db");
    fill(&path);
    let site = folder.path().join("site");
    let out = html::Output {
        folder: &site,
        templates: &Templates::read(None).unwrap(),
        sessions: 30,
    };
    html::write(&Archive::read(&path).unwrap(), &out).unwrap();
    let mut pages = BTreeMap::new();
    for part in ["", "model", "run", "compare"] {
        for entry in fs::read_dir(site.join(part)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "html") {
                let name = path.strip_prefix(&site).unwrap().display().to_string();
                pages.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    pages
}

/// Every tag that carries meaning, without figures.
fn structure(page: &str) -> String {
    let keep = [
        "<section",
        "<h1",
        "<h2",
        "<h3",
        "<h4",
        "<caption",
        "<nav",
        "<a ",
        "<form",
        "<input",
        "<figure",
        "<summary",
        "class=\"name\"",
        "<title",
    ];
    let lines = page
        .lines()
        .map(str::trim)
        .filter(|line| keep.iter().any(|tag| line.contains(tag)));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_pages_of_a_sample_hold_every_part() {
    let pages = pages(fixture::full_database);
    let names: Vec<&str> = pages.keys().map(String::as_str).collect();
    insta::assert_snapshot!("page_names", names.join("\n"));
    insta::assert_snapshot!("index_structure", structure(&pages["index.html"]));
    let model = names
        .iter()
        .find(|name| name.starts_with("model/tiny-smolvlm2"))
        .unwrap();
    insta::assert_snapshot!("model_structure", structure(&pages[*model]));
    insta::assert_snapshot!("historic_structure", structure(&pages["historic.html"]));
    let all: String = pages.values().map(String::as_str).collect();
    for needed in [
        "the machine slept during the trial",
        "warm-inference failed: no answer within 10 min",
        "model.safetensors: ends after",
    ] {
        assert!(all.contains(needed), "{needed}");
    }
}

#[test]
fn what_was_refused_years_ago_is_counted() {
    let pages = pages(fixture::years_database);
    let model = pages.iter().find(|(name, _)| name.starts_with("model/"));
    let (_, model) = model.unwrap();
    for needed in [
        "3 refused or failed</span> before 2025-12-07",
        "the machine slept during the trial<span class=\"sub\">12 values of decode, warm-inference, in 2 runs from 2025-11-03 to 2025-11-04",
        "failed: no answer within 10 min",
        "in 1 run on 2025-11-04",
    ] {
        assert!(model.contains(needed), "{needed}");
    }
}

#[test]
fn a_database_without_runs_says_so() {
    let pages = pages(fixture::import);
    assert!(pages["index.html"].contains("No run of our own"));
    assert!(pages["historic.html"].contains("historic, not comparable"));
    assert_eq!(pages.len(), 2);
}

#[test]
fn a_session_is_shown_cell_by_cell_and_against_the_one_before() {
    let pages = pages(fixture::full_database);
    let newest = "01900000-0000-7000-8000-000000002330.html";
    let run = &pages[&format!("run/{newest}")];
    for needed in [
        "13 cells: 1 failed, 1 void in part, 11 measured",
        "6 values of decode: the machine slept during the trial",
        "warm-inference, while loading: model.safetensors: ends after 12 of 96 bytes",
        "360 ms, 367 ms, 378 ms",
    ] {
        assert!(run.contains(needed), "{needed}");
    }
    let compared = &pages[&format!("compare/{newest}")];
    let headline = "missing: 2 missing, 4 inconclusive, 19 improved, 10 pass";
    assert!(compared.contains(headline), "{compared}");
}

#[test]
fn values_far_from_the_others_stand_beside_what_the_machine_did() {
    let pages = pages(fixture::disturbed_database);
    let run = |day: u32| {
        let id = fixture::session(day, "Apple M3").id;
        &pages[&format!("run/{id}.html")]
    };
    for needed in [
        "1 value far from the others; NOISY: inference",
        "process 2, trial 4</td><td>1.04 s</td><td>2.58 times",
        "others used 34 % of all cores, 2.00 MiB swapped out, thermal pressure moderate",
    ] {
        assert!(run(1).contains(needed), "{needed}");
    }
    assert!(run(0).contains("process 2</td>"), "{}", run(0));
    assert!(run(0).contains("not known of this trial"));
    // They are no figures of a model, on any page.
    for (name, page) in &pages {
        assert!(!page.contains("trial_"), "{name}");
    }
}

#[test]
fn every_page_runs_only_what_lies_beside_it() {
    for (name, page) in pages(fixture::full_database) {
        assert!(
            page.contains("default-src &#x27;none&#x27;; script-src &#x27;self&#x27;; style-src &#x27;self&#x27;"),
            "{name}"
        );
        for script in page.split("<script").skip(1) {
            let (opening, _) = script.split_once('>').unwrap();
            let ours = opening.contains("src=\"./assets/") || opening.contains("src=\"../assets/");
            assert!(
                ours || opening.contains("type=\"application/json\""),
                "{name}: {opening}"
            );
        }
        for never in [
            "http://", "https://", " style=", " onclick", "url(", "<style",
        ] {
            assert!(!page.contains(never), "{name}: {never}");
        }
    }
}

#[test]
fn figures_in_a_page_are_json() {
    for (name, page) in pages(fixture::hostile_database) {
        for block in page.split("type=\"application/json\"").skip(1) {
            let (_, text) = block.split_once('>').unwrap();
            let (text, _) = text.split_once("</script>").unwrap();
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(value.is_object(), "{name}");
        }
    }
}

#[test]
fn no_hostile_text_becomes_markup() {
    let pages = pages(fixture::hostile_database);
    let all: String = pages.values().map(String::as_str).collect();
    for marker in [
        "model",
        "branch",
        "failure",
        "void",
        "precision",
        "chip",
        "os",
        "suite",
        "prompt",
        "answer",
        "item",
    ] {
        let shown = format!("{marker}&lt;&#x2f;td&gt;");
        assert!(all.contains(&shown), "{marker} is on no page");
    }
    for never in ["<script>", "<img", "</title><", "\u{1b}"] {
        assert!(!all.contains(never), "{never:?}");
    }
}
