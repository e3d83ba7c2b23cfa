//! Models from the hub as a user meets it: the real binary against a hub on loopback that serves,
//! breaks off and lies.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set up its case has failed"
)]

mod broken;
mod damaged;
mod fetched;
mod refused;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
