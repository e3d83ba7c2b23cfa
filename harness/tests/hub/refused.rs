//! What is refused, and what is said then.

use crate::server::{Answer, COMMIT, Hub, Repository, sha256};
use crate::{User, WEIGHT_BYTES, check_failed, check_ok, hub, repository, weights, weights_hub};

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
