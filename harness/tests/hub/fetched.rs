//! What is fetched, where it goes, and that it is used.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::server::{COMMIT, Hub, Repository, Stored};
use crate::{User, WEIGHT_BYTES, check_failed, check_ok, hub, names, repository, weights};

#[test]
fn a_model_is_fetched_into_the_standard_cache() {
    let (hub, user) = (hub(), User::new());
    let output = user.fetch(&hub);
    check_ok(&output);
    user.check_whole();
    let only = ["chat_template.jinja", "config.json", "model.safetensors"];
    assert_eq!(names(&user.snapshot()), only);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("model.safetensors  3.1 MB ...\n"),
        "{stderr}"
    );
    assert!(!stderr.contains(['\r', '\x1b']), "{stderr}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(COMMIT) && said.contains("3.1 MB"), "{said}");
    assert!(hub.asked().iter().all(|asked| asked.token.is_none()));

    let before = hub.asked().len();
    check_ok(&user.fetch(&hub));
    assert_eq!(hub.asked().len(), before, "what is here is not asked for");
}

#[test]
fn a_branch_is_recorded_as_the_commit_it_is_at() {
    let (hub, user) = (hub(), User::new());
    let fetch = |endpoint: &str| {
        let output = user
            .command(endpoint, &["fetch", "org/tiny", "--json"])
            .output();
        let output = output.unwrap();
        check_ok(&output);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let found = fetch(&hub.endpoint());
    assert_eq!(found[0]["revision"], COMMIT);
    assert_eq!(found[0]["weight_bytes"], WEIGHT_BYTES);
    let main = fs::read_to_string(user.folder().join("refs/main")).unwrap();
    assert_eq!(main, COMMIT);
    assert_eq!(
        fetch("http://127.0.0.1:1"),
        found,
        "the cache answers alone"
    );
}

#[test]
fn offline_asks_nobody() {
    let (hub, user) = (hub(), User::new());
    let address = format!("org/tiny@{COMMIT}");
    for args in [
        &[
            "generate",
            "--offline",
            "--prompt",
            "x",
            "--model",
            &address,
        ][..],
        &["run", "--offline", "--no-store", "--model", &address],
    ] {
        let output = user.command(&hub.endpoint(), args).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(
            text.contains(&format!("run harness fetch {address}")),
            "{text}"
        );
    }
    let mut command = user.command(&hub.endpoint(), &["fetch", &address]);
    let output = command.env("HF_HUB_OFFLINE", "1").output().unwrap();
    check_failed(&output, &["not in the hub's local cache"]);
    assert_eq!(hub.asked(), []);
}

#[test]
fn a_model_of_the_hub_answers_and_answers_again_offline() {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../datasets/checkpoints/tiny-smolvlm-500m-instruct");
    let stored = |name: String| {
        let body = fs::read(tiny.join(&name)).unwrap();
        match name.ends_with(".safetensors") {
            true => Stored::large(&name, &body),
            false => Stored::small(&name, &body),
        }
    };
    let files = names(&tiny).into_iter().map(stored).collect();
    let repository = Repository {
        files,
        ..repository()
    };
    let hub = Hub::new(move |asked, _| repository.answer(asked));
    let user = User::new();
    let generate = |model: &str, more: &[&str]| {
        let args = [
            "generate",
            "--json",
            "--prompt",
            "What is 2 plus 3?",
            "--model",
            model,
        ];
        let output = user
            .command(&hub.endpoint(), &[&args, more].concat())
            .output();
        let output = output.unwrap();
        check_ok(&output);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["output_ids"].clone()
    };
    let address = format!("org/tiny@{COMMIT}");
    let (first, asked) = (generate(&address, &[]), hub.asked().len());
    assert_eq!(generate(&address, &["--offline"]), first);
    assert_eq!(generate(tiny.to_str().unwrap(), &[]), first);
    assert_eq!(hub.asked().len(), asked);
}

#[test]
fn a_tokenizer_of_another_repository_joins_the_model() {
    let mut model = Repository {
        name: "vikhyatk/moondream2",
        commit: "6b714b26eea5cbd9f31e4edb2541c170afa935ba",
        ..repository()
    };
    model.files.push(Stored::small("tokenizer.json", b"stale"));
    let tokenizer = Repository {
        name: "moondream/starmie-v1",
        commit: "35192e10a54e36eabe0a7cc57a2c1aab371cafc5",
        files: vec![Stored::large("tokenizer.json", b"in force")],
    };
    let hub = Hub::new(move |asked, _| match asked.path.contains(model.name) {
        true => model.answer(asked),
        false => tokenizer.answer(asked),
    });
    let user = User::new();
    let fetch = || {
        let mut command = user.command(&hub.endpoint(), &["fetch", "Moondream2", "--json"]);
        let cache = user.home.path().join("joined");
        let output = command.env("VLM_BENCH_CACHE", cache).output().unwrap();
        check_ok(&output);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let found = fetch();
    let dir = Path::new(found[0]["dir"].as_str().unwrap());
    assert_eq!(fs::read(dir.join("tokenizer.json")).unwrap(), b"in force");
    assert!(fs::read(dir.join("model.safetensors")).unwrap() == weights());
    let before = hub.asked().len();
    assert_eq!((fetch(), hub.asked().len()), (found.clone(), before));
    let stale = user
        .home
        .path()
        .join("hub/models--vikhyatk--moondream2/snapshots");
    let stale = stale
        .join(found[0]["revision"].as_str().unwrap())
        .join("tokenizer.json");
    assert_eq!(
        fs::read(stale).unwrap(),
        b"stale",
        "the shared cache stays as it is"
    );
}
