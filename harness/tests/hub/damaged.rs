//! Files of the cache that are no longer what was fetched.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use crate::server::{COMMIT, sha256};
use crate::{User, check_failed, check_ok, hub, ranges, weights};

/// A user with a model, and what somebody did to its weights.
fn damaged(change: impl Fn(&mut Vec<u8>)) -> (User, PathBuf, Vec<u8>) {
    let user = User::new();
    check_ok(&user.fetch(&hub()));
    let blob = user.folder().join("blobs").join(sha256(&weights()));
    let mut content = weights();
    change(&mut content);
    fs::write(&blob, &content).unwrap();
    (user, blob, content)
}

fn call(user: &User, args: &[&str]) -> Output {
    let address = format!("org/tiny@{COMMIT}");
    let args = [args, &[&address]].concat();
    let mut command = user.command("http://127.0.0.1:1", &args);
    let output = command.env("VLM_BENCH_CACHE", user.home.path().join("bench"));
    output.output().unwrap()
}

#[test]
fn a_damaged_file_is_refused_before_anything_is_measured() {
    let check = |change: fn(&mut Vec<u8>)| {
        let (user, _, content) = damaged(change);
        let calls = [
            &["run", "--offline", "--no-store", "--model"][..],
            &["run", "--no-store", "--model"],
            &["generate", "--prompt", "x", "--model"],
        ];
        for args in calls {
            let output = call(&user, args);
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
            let path = user.snapshot().join("model.safetensors");
            for part in [
                path.to_str().unwrap(),
                &format!("SHA-256 is {}", sha256(&content)),
                &format!("{} was fetched", sha256(&weights())),
                &format!("run harness fetch org/tiny@{COMMIT}"),
            ] {
                assert!(text.contains(part), "{part:?} is not in {text}");
            }
        }
    };
    check(|content| content[1_234_567] ^= 1);
    check(|content| content.truncate(content.len() / 2));
    check(|content| content.push(0));
}

#[test]
fn fetching_again_mends_it() {
    let (user, ..) = damaged(|content| content[7] ^= 1);
    let hub = hub();
    let output = user.fetch(&hub);
    check_ok(&output);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("; fetching it again\n"), "{text}");
    user.check_whole();
    assert_eq!(ranges(&hub), [None]);
    let before = hub.asked().len();
    check_ok(&user.fetch(&hub));
    assert_eq!(hub.asked().len(), before);
}

#[test]
fn offline_it_is_named_and_left_alone() {
    let (user, blob, content) = damaged(|content| content[7] ^= 1);
    let output = call(&user, &["fetch", "--offline"]);
    check_failed(
        &output,
        &[
            "model.safetensors: SHA-256 is",
            "run harness fetch org/tiny",
        ],
    );
    assert!(fs::read(&blob).unwrap() == content);
    fs::write(&blob, weights()).unwrap();
    check_ok(&call(&user, &["fetch", "--offline"]));
}
