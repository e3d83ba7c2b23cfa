//! The user guide in `docs/` is run from front to back, so that no command in it can rot. Commands that cannot
//! run in a test, and those of the other Markdown files, must still be understood by the programs.

#![cfg(feature = "candle")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

mod output;
mod page;
mod shell;

use std::fs;

use page::{Block, Kind, blocks, inline_commands, links};
use shell::{Reader, refused, root};

/// Where the order of the pages is.
const INDEX: &str = "docs/README.md";

/// Other files with commands. They are written for the repository's root and mostly take minutes.
const OTHERS: [&str; 5] = [
    "README.md",
    "CONTRIBUTING.md",
    "store/README.md",
    "datasets/README.md",
    "datasets/checkpoints/README.md",
];

/// Every command marked `slow`, the file that runs it, and the words by which it does.
const SLOW: [(&str, &str, &str); 2] = [
    ("harness run", ".ci/run", "cargo harness run --db"),
    ("harness ab --base", "harness/tests/ab.rs", "\"ab\""),
];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The guide's pages, in the order of the index, which is the first.
fn pages() -> Vec<String> {
    let index = read(INDEX);
    let pages = links(&index)
        .into_iter()
        .filter(|link| link.ends_with(".md"));
    let pages = pages
        .filter(|link| !link.starts_with(".."))
        .map(|link| format!("docs/{link}"));
    let mut found = vec![INDEX.to_owned()];
    for page in pages {
        if !found.contains(&page) {
            found.push(page);
        }
    }
    found
}

fn run_page(reader: &Reader, path: &str) {
    let mut printed = String::new();
    for Block { line, kind, text } in blocks(&read(path)) {
        match kind {
            Kind::Run => {
                let done = reader.run(&text);
                printed = String::from_utf8(done.stdout).unwrap();
                assert!(done.status.success(), "{path}:{line}:\n{text}\n{printed}");
            }
            Kind::Output => {
                let missing = output::missing(&text, &printed);
                assert_eq!(missing, None, "{path}:{line}: not printed, but:\n{printed}");
            }
            Kind::Slow | Kind::Elsewhere | Kind::Other => (),
        }
    }
}

#[test]
fn the_guide_runs_from_front_to_back() {
    let reader = Reader::new();
    for path in pages() {
        reader.turn_page();
        run_page(&reader, &path);
    }
}

#[test]
fn what_is_not_run_is_understood() {
    let wanted = |kind, whole| match kind {
        Kind::Slow | Kind::Elsewhere => true,
        Kind::Run => whole,
        Kind::Output | Kind::Other => false,
    };
    let guide = pages().into_iter().map(|path| (path, false));
    let others = OTHERS.map(|path| (path.to_owned(), true));
    for (path, whole) in guide.chain(others) {
        let text = read(&path);
        let shell = blocks(&text)
            .into_iter()
            .filter(|block| wanted(block.kind, whole));
        for block in shell {
            let refused = refused(&block.text);
            assert_eq!(refused, "", "{path}:{}", block.line);
        }
        // In prose elsewhere an option is often named without its value.
        if whole {
            continue;
        }
        let refused = refused(&inline_commands(&text).join("\n"));
        assert_eq!(refused, "", "{path}: a command within a line");
    }
}

#[test]
fn what_takes_long_is_run_elsewhere() {
    for path in pages() {
        let slow = blocks(&read(&path))
            .into_iter()
            .filter(|block| block.kind == Kind::Slow);
        for command in
            slow.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>())
        {
            let plain = command.split('#').next().unwrap_or_default().trim();
            let known = SLOW.iter().find(|(start, ..)| match *start {
                "harness run" => plain == *start,
                start => plain.starts_with(start),
            });
            let (_, file, words) = known.unwrap_or_else(|| panic!("{path}: who runs {command:?}?"));
            assert!(
                read(file).contains(words),
                "{file} no longer runs {command:?}"
            );
        }
    }
    // README's first command is the guide's.
    assert!(read("README.md").contains("\ncargo harness run  "));
}

#[test]
fn a_command_that_is_gone_is_noticed() {
    #[track_caller]
    fn check(script: &str, expected: bool) {
        assert_eq!(refused(script).is_empty(), expected, "{script}");
    }
    check(
        "caffeinate -i harness run --strict | head -n 1 > x.txt",
        true,
    );
    check("sudo pmset -a sleep 0 && store list", true);
    check("harness walk", false);
    check("sudo caffeinate -is harness run --strickt", false);
    check("cargo reports html --colour", false);
    check("if true; then", false);
}

#[test]
fn every_page_is_in_the_index_and_every_link_leads_somewhere() {
    let pages = pages();
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("docs/{name}");
        assert!(
            !name.ends_with(".md") || pages.contains(&path),
            "{path} is in no index"
        );
    }
    for path in &pages {
        let text = read(path);
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => format!("docs/{file}"),
            };
            assert!(root().join(&target).exists(), "{path}: {link}");
            let is_heading = |line: &str| line.starts_with('#') && slug(line) == anchor;
            let headed = || read(&target).lines().any(is_heading);
            assert!(
                anchor.is_empty() || headed(),
                "{path}: {link}: no such heading"
            );
        }
    }
}

/// What a heading is called in an address.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
