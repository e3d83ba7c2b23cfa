//! Models from the hub as a user meets it: the real binary against a hub on loopback that serves,
//! breaks off and lies.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use server::{Answer, Asked, COMMIT, Hub, Repository, Stored, sha256};

/// Three times what a client may call progress.
const WEIGHT_BYTES: usize = 3 << 20;

fn weights() -> Vec<u8> {
    (0..WEIGHT_BYTES).map(|i| (i * i / 7) as u8).collect()
}

/// What a small model's repository holds, and a few files that nobody should fetch.
fn repository() -> Repository {
    Repository {
        name: "org/tiny",
        commit: COMMIT,
        files: vec![
            Stored::small(".gitattributes", b"x"),
            Stored::small("README.md", b"# Tiny"),
            Stored::small("modeling.py", b"import os"),
            Stored::large("model.gguf", b"other weights"),
            Stored::small("config.json", br#"{"model_type": "smolvlm"}"#),
            Stored::small("chat_template.jinja", b"{{ messages }}"),
            Stored::small("onnx/config.json", b"{}"),
            Stored::large("model.safetensors", &weights()),
        ],
    }
}

fn hub() -> Hub {
    let repository = repository();
    Hub::new(move |asked, _| repository.answer(asked))
}

/// A hub that answers requests for the weights by `script`: the request, how many came before, and
/// the right answer.
fn weights_hub(script: impl Fn(&Asked, usize, Answer) -> Answer + Send + 'static) -> Hub {
    let repository = repository();
    Hub::new(move |asked, before| {
        let right = repository.answer(asked);
        match asked.path.ends_with("/model.safetensors") {
            true => script(asked, before, right),
            false => right,
        }
    })
}

/// A user with an empty cache.
struct User {
    home: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home }
    }

    fn command(&self, endpoint: &str, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("harness"));
        command.args(args).env("HF_HOME", self.home.path());
        command.env("HF_ENDPOINT", endpoint);
        for name in ["HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"] {
            command.env_remove(name);
        }
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command
    }

    fn fetch(&self, hub: &Hub) -> Output {
        let address = format!("org/tiny@{COMMIT}");
        self.command(&hub.endpoint(), &["fetch", &address])
            .output()
            .unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("hub/models--org--tiny")
    }

    fn snapshot(&self) -> PathBuf {
        self.folder().join("snapshots").join(COMMIT)
    }

    fn partial(&self) -> PathBuf {
        let blob = format!("{}.incomplete", sha256(&weights()));
        self.folder().join("blobs").join(blob)
    }

    /// The weights are there under their name and their hash, and nothing is left over.
    fn check_whole(&self) {
        let path = self.snapshot().join("model.safetensors");
        assert!(fs::read(&path).unwrap() == weights(), "other weights");
        let target = Path::new("../../blobs").join(sha256(&weights()));
        assert_eq!(fs::read_link(&path).unwrap(), target);
        assert_eq!(names(&self.folder().join("blobs")).len(), 3);
    }

    /// Nothing of the weights has a name that says it is whole.
    fn check_absent(&self) {
        assert!(!self.snapshot().join("model.safetensors").exists());
        assert!(!self.snapshot().join("config.json").exists());
        assert!(
            !self
                .folder()
                .join("blobs")
                .join(sha256(&weights()))
                .exists()
        );
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn check_ok(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}");
}

/// Exit code 1 and an error of one line that says all of `parts`.
fn check_failed(output: &Output, parts: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let errors: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{text}");
    assert!(text.ends_with(&format!("{}\n", errors[0])), "{text}");
    for part in parts {
        assert!(errors[0].contains(part), "{part:?} is not in {text}");
    }
}

/// Where requests for the weights began.
fn ranges(hub: &Hub) -> Vec<Option<u64>> {
    let asked = hub.asked().into_iter();
    let weights = asked.filter(|asked| asked.path.ends_with("/model.safetensors"));
    weights.map(|asked| asked.range).collect()
}

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
fn a_dropped_connection_goes_on_where_it_stopped() {
    let drops = [1_000_000, 2_500_000];
    let hub = weights_hub(move |asked, before, right| {
        let cut = drops
            .get(before)
            .map(|at| at - asked.range.unwrap_or(0) as usize);
        Answer { cut, ..right }
    });
    let user = User::new();
    check_ok(&user.fetch(&hub));
    user.check_whole();
    assert_eq!(ranges(&hub), [None, Some(1_000_000), Some(2_500_000)]);
}

#[test]
fn a_download_given_up_is_taken_up_by_the_next_call() {
    let user = User::new();
    let broken = weights_hub(|_, before, right| match before {
        0 => Answer {
            cut: Some(2_000_000),
            ..right
        },
        _ => Answer::status(404).with("X-Error-Code", "EntryNotFound"),
    });
    check_failed(
        &user.fetch(&broken),
        &["model.safetensors: no such file in the repository"],
    );
    user.check_absent();
    let hub = hub();
    let output = user.fetch(&hub);
    check_ok(&output);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("2.0 MB here already"), "{stderr}");
    user.check_whole();
    assert_eq!(ranges(&hub), [Some(2_000_000)]);
}

#[test]
fn a_server_that_cannot_go_on_starts_anew() {
    let hub = weights_hub(|_, before, right| {
        let whole = Answer {
            body: weights(),
            ..Answer::status(200)
        };
        match before {
            0 => Answer {
                cut: Some(1_500_000),
                ..right
            },
            _ => whole,
        }
    });
    let user = User::new();
    check_ok(&user.fetch(&hub));
    user.check_whole();
}

#[test]
fn a_body_that_always_ends_early_is_given_up_and_never_named() {
    // Announces less than the listing, so that the connection itself looks complete.
    let hub = weights_hub(|_, _, right| Answer {
        body: right.body[..right.body.len().min(1000)].to_vec(),
        ..right
    });
    let user = User::new();
    check_failed(
        &user.fetch(&hub),
        &["model.safetensors", "1000 bytes", "3145728"],
    );
    user.check_absent();
}

#[test]
fn a_server_that_always_breaks_off_is_given_up() {
    let hub = weights_hub(|_, _, right| Answer {
        cut: Some(0),
        ..right
    });
    let user = User::new();
    check_failed(
        &user.fetch(&hub),
        &["model.safetensors", "gave up after 6 attempts"],
    );
    assert_eq!(ranges(&hub).len(), 6);
    user.check_absent();
}

#[test]
fn a_busy_server_is_given_the_time_it_asks_for() {
    let hub = weights_hub(|_, before, right| match before {
        0 => Answer::status(429).with("Retry-After", 1),
        _ => right,
    });
    let (user, start) = (User::new(), std::time::Instant::now());
    check_ok(&user.fetch(&hub));
    assert!(start.elapsed().as_secs_f64() >= 1.0);
    user.check_whole();

    let hub = weights_hub(|_, _, _| Answer::status(429).with("Retry-After", 4000));
    check_failed(
        &User::new().fetch(&hub),
        &["status 429", "come back in 4000 s"],
    );
    assert_eq!(ranges(&hub).len(), 1);
}

#[test]
fn other_bytes_than_listed_are_refused_with_both_hashes() {
    let mut other = weights();
    other[77] ^= 1;
    let found = sha256(&other);
    let hub = weights_hub(move |_, _, right| Answer {
        body: other.clone(),
        ..right
    });
    let user = User::new();
    check_failed(
        &user.fetch(&hub),
        &["model.safetensors", &found, &sha256(&weights())],
    );
    user.check_absent();
    assert!(!user.partial().exists(), "what is wrong is not kept");
}

#[test]
fn a_part_of_something_else_is_not_trusted() {
    let (hub, user) = (hub(), User::new());
    fs::create_dir_all(user.folder().join("blobs")).unwrap();
    fs::write(user.partial(), vec![7; WEIGHT_BYTES + 1]).unwrap();
    check_ok(&user.fetch(&hub));
    user.check_whole();
    assert_eq!(ranges(&hub), [None]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_behind() {
    let (hub, user) = (hub(), User::new());
    fs::create_dir_all(user.folder().join("blobs")).unwrap();
    std::os::unix::fs::symlink("/dev/full", user.partial()).unwrap();
    check_failed(
        &user.fetch(&hub),
        &["model.safetensors", "disk is full", "4 MB"],
    );
    user.check_absent();
    assert!(fs::symlink_metadata(user.partial()).is_err());
    check_ok(&user.fetch(&hub));
    user.check_whole();
}

#[test]
fn refusals_say_what_to_do() {
    let check = |status: u16, code: &str, parts: &[&str]| {
        let code = code.to_owned();
        let hub = Hub::new(move |_, _| Answer::status(status).with("X-Error-Code", &code));
        let user = User::new();
        check_failed(&user.fetch(&hub), &[&["org/tiny"], parts].concat());
        assert_eq!(hub.asked().len(), 1, "a refusal is final");
    };
    check(401, "GatedRepo", &["gated: accept its licence", "HF_TOKEN"]);
    check(403, "GatedRepo", &["gated: accept its licence", "HF_TOKEN"]);
    check(401, "RepoNotFound", &["no such repository", "HF_TOKEN"]);
    check(404, "RevisionNotFound", &["no such revision", COMMIT]);
    check(404, "", &["no such repository or revision"]);
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let elsewhere = hub();
    let storage = elsewhere.endpoint();
    let hub = weights_hub(move |asked, _, _| {
        Answer::status(302).with("Location", format!("{storage}{}", asked.path))
    });
    let user = User::new();
    let mut command = user.command(&hub.endpoint(), &["fetch", &format!("org/tiny@{COMMIT}")]);
    check_ok(&command.env("HF_TOKEN", "secret").output().unwrap());
    user.check_whole();
    assert!(
        hub.asked()
            .iter()
            .all(|asked| asked.token.as_deref() == Some("Bearer secret"))
    );
    assert!(elsewhere.asked().len() == 1 && elsewhere.asked()[0].token.is_none());
}

#[test]
fn hostile_answers_are_refused() {
    let check = |change: fn(&mut Repository), parts: &[&str]| {
        let mut repository = repository();
        change(&mut repository);
        let hub = Hub::new(move |asked, _| repository.answer(asked));
        let user = User::new();
        check_failed(&user.fetch(&hub), parts);
        user.check_absent();
        assert_eq!(hub.asked().len(), 1, "nothing is fetched");
    };
    check(
        |r| r.files[0].name = "../../x.json".to_owned(),
        &["\"../../x.json\": refused"],
    );
    check(
        |r| r.files[0].name = "/etc/x.json".to_owned(),
        &["\"/etc/x.json\": refused"],
    );
    check(|r| r.files[7].sha256 = None, &["without a valid SHA-256"]);
    check(
        |r| r.files[7].sha256 = Some("../x".to_owned()),
        &["without a valid SHA-256"],
    );
    check(|r| drop(r.files.remove(7)), &["holds no *.safetensors"]);
    check(|r| drop(r.files.remove(4)), &["holds no config.json"]);

    let plain =
        weights_hub(|_, _, _| Answer::status(302).with("Location", "http://elsewhere.example/x"));
    check_failed(
        &User::new().fetch(&plain),
        &["only https addresses are followed"],
    );
    let around = weights_hub(|asked, _, _| Answer::status(302).with("Location", &asked.path));
    check_failed(&User::new().fetch(&around), &["more than 5 redirects"]);
    let longer = weights_hub(|_, _, right| Answer {
        body: vec![1; WEIGHT_BYTES + 1],
        ..right
    });
    check_failed(
        &User::new().fetch(&longer),
        &["announces 3145729 bytes, the hub lists 3145728"],
    );
    let nonsense = Hub::new(|_, _| Answer {
        body: b"<html>".to_vec(),
        ..Answer::status(200)
    });
    check_failed(
        &User::new().fetch(&nonsense),
        &["something else than a repository"],
    );
}

#[test]
fn the_endpoint_must_be_safe() {
    let user = User::new();
    let output = user
        .command("http://hub.example", &["fetch", "org/tiny"])
        .output();
    check_failed(&output.unwrap(), &["HF_ENDPOINT", "name an https address"]);
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
