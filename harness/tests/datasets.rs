//! The probe set's answers follow from its scenes, and neither guessing nor memory of the wording gets far.

#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use harness::picture::Picture;
use harness::subject::{Message, Role};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Probes {
    name: String,
    licence: String,
    source: String,
    vision: Vec<Vision>,
    text: Vec<Text>,
    context: Vec<Context>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vision {
    id: String,
    image: String,
    prompt: String,
    answer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    id: String,
    answer: String,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    id: String,
    image: String,
    facts: Vec<Turn>,
    fillers: Vec<Turn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    ask: String,
    answer: String,
}

#[derive(Deserialize)]
struct Scenes {
    scene: Vec<Scene>,
}

#[derive(Deserialize)]
struct Scene {
    image: String,
    width: usize,
    height: usize,
    background: String,
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    size: String,
    color: String,
    shape: String,
    place: String,
}

fn datasets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../datasets")
}

fn read<T: for<'de> Deserialize<'de>>(path: &str) -> T {
    toml::from_str(&fs::read_to_string(datasets().join(path)).unwrap()).unwrap()
}

fn probes() -> Probes {
    read("shapes/items.toml")
}

fn scenes() -> BTreeMap<String, Scene> {
    read::<Scenes>("shapes/scenes.toml")
        .scene
        .into_iter()
        .map(|scene| (scene.image.clone(), scene))
        .collect()
}

/// The true answer; none for a question that the scene does not settle.
fn truth(scene: &Scene, prompt: &str) -> Option<String> {
    let asked = prompt.strip_suffix('?')?;
    let one = |field: fn(&Object) -> &str, value: &str| {
        let mut found = scene.objects.iter().filter(|object| field(object) == value);
        // Two such objects would leave the answer open.
        found.next().filter(|_| found.next().is_none())
    };
    let answer = if asked == "How many shapes are there" {
        ["zero", "one", "two", "three"].get(scene.objects.len())?
    } else if asked == "What color is the background" {
        &*scene.background
    } else if let Some(shape) = asked.strip_prefix("What color is the ") {
        &one(|object| &object.shape, shape)?.color
    } else if let Some(color) = asked.strip_prefix("What shape is ") {
        &one(|object| &object.color, color)?.shape
    } else if let Some(shape) = asked.strip_prefix("Where is the ") {
        &one(|object| &object.shape, shape)?.place
    } else if let Some(thing) = asked.strip_prefix("Is there a ") {
        let (color, shape) = thing.split_once(' ')?;
        let there = scene
            .objects
            .iter()
            .any(|object| object.color == color && object.shape == shape);
        if there { "yes" } else { "no" }
    } else {
        let shape = asked
            .strip_prefix("Is the ")?
            .strip_suffix(" small or large")?;
        &one(|object| &object.shape, shape)?.size
    };
    let (first, rest) = answer.split_at(1);
    Some(first.to_uppercase() + rest)
}

/// The prompt with shape and colour left out.
fn wording(prompt: &str) -> String {
    let named = |word: &&str| {
        let bare = word.trim_end_matches('?');
        !matches!(
            bare,
            "circle" | "star" | "square" | "triangle" | "yellow" | "blue"
        )
    };
    prompt
        .split(' ')
        .filter(named)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn answers_follow_from_the_scenes() {
    let (probes, scenes) = (probes(), scenes());
    assert_eq!(probes.name, "shapes");
    assert!(!probes.licence.is_empty() && !probes.source.is_empty());
    for item in &probes.vision {
        assert_eq!(
            truth(&scenes[&item.image], &item.prompt).as_deref(),
            Some(&*item.answer),
            "{}",
            item.id
        );
    }
    for item in &probes.context {
        for fact in &item.facts {
            let truth = truth(&scenes[&item.image], &fact.ask);
            assert_eq!(
                truth.as_deref(),
                Some(&*fact.answer),
                "{} {}",
                item.id,
                fact.ask
            );
        }
    }
}

#[test]
fn pictures_are_what_the_scenes_say() {
    let scenes = scenes();
    let files = fs::read_dir(datasets().join("shapes/images")).unwrap();
    let files: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(files.iter().eq(scenes.keys()), "{files:?}");
    for (file, scene) in scenes {
        let bytes = fs::read(datasets().join("shapes/images").join(file)).unwrap();
        let picture = Picture::decode(&bytes).unwrap();
        assert_eq!((picture.width, picture.height), (scene.width, scene.height));
    }
}

#[test]
fn ids_are_unique() {
    let probes = probes();
    let ids = probes.vision.iter().map(|item| ("vision", &item.id));
    let ids = ids.chain(probes.text.iter().map(|item| ("text", &item.id)));
    let ids: Vec<_> = ids
        .chain(probes.context.iter().map(|item| ("context", &item.id)))
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn a_constant_answer_scores_low() {
    let probes = probes();
    assert_eq!(probes.vision.len(), 28);
    let mut answers = BTreeMap::<_, usize>::new();
    for item in &probes.vision {
        *answers.entry(&item.answer).or_default() += 1;
    }
    assert!(answers.values().all(|&count| count <= 3), "{answers:?}");
    assert_eq!(answers[&"Yes".to_owned()], answers[&"No".to_owned()]);
}

#[test]
fn every_wording_has_three_pictures_and_several_answers() {
    let probes = probes();
    let mut by_wording = BTreeMap::<_, (BTreeSet<&str>, BTreeSet<&str>)>::new();
    for item in &probes.vision {
        let (pictures, answers) = by_wording.entry(wording(&item.prompt)).or_default();
        pictures.insert(&item.image);
        answers.insert(&item.answer);
    }
    assert_eq!(by_wording.len(), 7, "{by_wording:?}");
    for (wording, (pictures, answers)) in by_wording {
        assert!(
            pictures.len() >= 3 && answers.len() >= 2,
            "{wording}: {pictures:?} {answers:?}"
        );
    }
}

#[test]
fn conversations_end_with_a_question() {
    for item in probes().text {
        assert_eq!(
            item.messages.last().unwrap().role,
            Role::User,
            "{}",
            item.id
        );
        assert!(!item.answer.is_empty(), "{}", item.id);
    }
}

#[test]
fn fillers_give_no_fact_away() {
    let probes = probes();
    assert_eq!(probes.context.len(), 7);
    for item in probes.context {
        assert!(
            (2..=4).contains(&item.facts.len()) && item.fillers.len() == 7,
            "{}",
            item.id
        );
        for fact in &item.facts {
            let told = item
                .fillers
                .iter()
                .any(|filler| filler.answer == fact.answer || filler.ask == fact.ask);
            assert!(!told, "{} {}", item.id, fact.ask);
        }
    }
}

#[test]
fn the_embedded_suite_names_what_is_there() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Suite {
        name: String,
        models: Vec<String>,
        probes: String,
    }
    let suite: Suite = read("suites/embedded.toml");
    assert_eq!(suite.name, "embedded");
    for model in &suite.models {
        assert!(
            datasets()
                .join("checkpoints")
                .join(model)
                .join("model.safetensors")
                .is_file(),
            "{model}"
        );
    }
    assert!(datasets().join(suite.probes).join("items.toml").is_file());
}
