//! The documents, rendered from real databases: snapshots, the golden guide, hostile text.
#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

mod fixture;

use std::fs;

use report::table::{Format, render_table};
use report::{Archive, Templates, guide};
use tempfile::tempdir;

fn archive(fill: impl Fn(&std::path::Path)) -> Archive {
    let folder = tempdir().unwrap();
    let path = folder.path().join("results.db");
    fill(&path);
    Archive::read(&path).unwrap()
}

fn built_in() -> Templates {
    Templates::read(None).unwrap()
}

fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

#[test]
fn the_imported_guide_comes_out_byte_for_byte() {
    let archive = archive(fixture::full_database);
    let expected = fs::read_to_string(fixture::legacy("guide-2025-07-22.md")).unwrap();
    let rendered =
        guide::render_guide(&archive, Some(day("2025-07-22")), None, &built_in()).unwrap();
    assert!(rendered == expected, "the guide differs:\n{rendered}");
    assert!(!rendered.ends_with('\n'));
}

#[test]
fn table_in_every_format() {
    let archive = archive(fixture::sample_database);
    let render = |format| render_table(&archive, None, format, &built_in()).unwrap();
    insta::assert_snapshot!("table_text", render(Format::Text));
    insta::assert_snapshot!("table_markdown", render(Format::Markdown));
    insta::assert_snapshot!(
        "table_json",
        render_table(&archive, Some("M2"), Format::Json, &built_in()).unwrap()
    );
}

#[test]
fn values_far_from_the_others_are_listed() {
    let archive = archive(fixture::disturbed_database);
    let render = |format| render_table(&archive, None, format, &built_in()).unwrap();
    let text = render(Format::Text);
    let line = text.lines().find(|line| line.starts_with("outliers: "));
    insta::assert_snapshot!(line.unwrap(), @"outliers: tiny-smolvlm-500m-instruct: 1 value lies far from the median of its process; NOISY: inference; inference 1.04 s, 2.58 times the median, process 2, trial 4 (others used 34 % of all cores, 2.00 MiB swapped out, thermal pressure moderate)");
    let json: serde_json::Value = serde_json::from_str(&render(Format::Json)).unwrap();
    let row = &json["machines"][0]["rows"][0];
    let outlier = &row["outliers"]["listed"][0];
    assert_eq!(outlier["metric"], "inference");
    assert_eq!(
        (&outlier["process"], &outlier["trials"]),
        (&2.into(), &vec![4, 4].into())
    );
    assert_eq!(outlier["around"]["swapped_out"], 2_097_152.0);
    assert_eq!(row["outliers"]["more"], 0);
    assert_eq!(row["figures"]["inference"]["outliers"], 1);
    assert_eq!(row["figures"]["trial"], serde_json::Value::Null);
}

#[test]
fn guide_of_our_own_runs() {
    let archive = archive(fixture::sample_database);
    insta::assert_snapshot!(
        "guide_own",
        guide::render_guide(&archive, None, None, &built_in()).unwrap()
    );
    let dated =
        guide::render_guide(&archive, Some(day("2025-11-05")), Some("m3"), &built_in()).unwrap();
    assert!(dated.contains("**Quick Summary** (2025-11-05)"), "{dated}");
    let elsewhere = guide::render_guide(&archive, None, Some("M2 Pro"), &built_in()).unwrap();
    assert!(
        elsewhere.contains("**Test Environment:** Apple M2 Pro"),
        "{elsewhere}"
    );
}

#[test]
fn what_is_not_there_is_named() {
    let archive = archive(fixture::full_database);
    let check = |date: Option<&str>, hardware, expected: &str| {
        let error =
            guide::render_guide(&archive, date.map(day), hardware, &built_in()).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(expected), "{text}");
        assert_eq!(text.lines().count(), 1);
    };
    check(
        Some("2024-01-01"),
        None,
        "no guide for 2024-01-01: there is one for 2025-07-22, 2025-11-03, ",
    );
    check(
        None,
        Some("Z80"),
        "--hardware \"Z80\" names no machine of this database: ",
    );
}

#[test]
fn a_database_without_runs_says_so() {
    let archive = archive(fixture::import);
    let render = |format| render_table(&archive, None, format, &built_in()).unwrap();
    let text = render(Format::Text);
    assert_eq!(text.lines().count(), 1);
    insta::assert_snapshot!(text, @"No run of our own in this database yet: run `cargo harness run`. The historic guide of 2025-07-22 is there: `report guide --date 2025-07-22`.");
    assert!(render(Format::Json).contains("\"machines\": []"));
    let newest = guide::render_guide(&archive, None, None, &built_in()).unwrap();
    assert!(newest.contains("(2025-07-22)"));
}

#[test]
fn no_hostile_text_becomes_markup() {
    let archive = archive(fixture::hostile_database);
    let table = render_table(&archive, None, Format::Markdown, &built_in()).unwrap();
    let own = guide::render_guide(&archive, None, None, &built_in()).unwrap();
    for document in [&table, &own] {
        assert!(
            !document.contains('\u{1b}') && !document.contains("\nnext"),
            "{document}"
        );
    }
    let header = table
        .lines()
        .find(|line| line.starts_with("| Model"))
        .unwrap();
    let unescaped = |line: &str| line.replace("\\|", "").matches('|').count();
    for line in table.lines().filter(|line| line.starts_with('|')) {
        assert_eq!(unescaped(line), unescaped(header), "{line}");
        assert!(!line.contains("<script"), "{line}");
    }
    assert!(
        !render_table(&archive, None, Format::Text, &built_in())
            .unwrap()
            .contains('\u{1b}')
    );
}
