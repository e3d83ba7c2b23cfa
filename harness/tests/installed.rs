//! A program that was copied out of its checkout, as installing does, has all it needs.

#![cfg(feature = "candle")]
#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::path::Path;

use assert_cmd::Command;

/// The copied program, in a folder and with caches that belong to nobody else.
fn installed(home: &Path) -> Command {
    let program = home.join("bin/harness");
    if !program.exists() {
        std::fs::create_dir_all(home.join("bin")).unwrap();
        // By a process of its own: what one of this process's threads starts while another copies holds the
        // file open for a moment, and a program that is open for writing cannot be started.
        let mut copy = std::process::Command::new("cp");
        copy.arg(env!("CARGO_BIN_EXE_harness")).arg(&program);
        assert!(copy.status().unwrap().success());
    }
    let mut command = Command::new(program);
    command
        .current_dir(home)
        .env("VLM_BENCH_CACHE", home.join("cache"));
    command
}

#[test]
fn it_measures_with_what_it_carries() {
    let home = tempfile::tempdir().unwrap();
    let mut run = installed(home.path());
    run.args([
        "run",
        "--model",
        "tiny-moondream2",
        "--scenario",
        "vision",
        "--db",
        "r.db",
    ]);
    let done = run.assert().success();
    let table = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    assert!(table.contains("SEES"), "{table}");
    let unpacked = std::fs::read_dir(home.path().join("cache")).unwrap();
    let names = unpacked.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.collect();
    assert!(
        names.len() == 1 && names[0].starts_with("datasets-"),
        "{names:?}"
    );
}

#[test]
fn it_says_where_it_cannot_unpack() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut list = installed(home.path());
    let done = list
        .arg("list")
        .env("VLM_BENCH_CACHE", &file)
        .assert()
        .failure();
    let said = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(
        said.lines().count() == 1 && said.contains("cannot unpack"),
        "{said}"
    );
}
