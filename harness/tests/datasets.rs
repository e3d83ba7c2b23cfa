//! The probe set's answers follow from its scenes, and neither guessing nor memory of the wording gets far.

#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use harness::picture::Picture;
use harness::probes::{Accepted, ProbeSet, VisionItem};
use harness::scenes::SetFiles;
use harness::score::normalise;
use serde::Deserialize;

/// The sets about the shapes world: one kept as the generator makes it, one by hand.
const SETS: [&str; 2] = ["scenes", "shapes"];

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

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn probes(set: &str) -> ProbeSet {
    ProbeSet::load(&datasets().join(set)).unwrap()
}

fn scenes(dir: &Path) -> BTreeMap<String, Scene> {
    read::<Scenes>(&dir.join("scenes.toml"))
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
    } else if let Some(place) = asked.strip_prefix("What shape is the object ") {
        let (_, place) = place.rsplit_once(' ')?;
        &one(|object| &object.place, place)?.shape
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

/// Every answer about a picture is what its scene says, and every picture has the scene's size.
fn check_truth(dir: &Path) {
    let (set, scenes) = (ProbeSet::load(dir).unwrap(), scenes(dir));
    assert!(set.pictures.keys().eq(scenes.keys()), "{}", dir.display());
    let follows = |image: &String, ask: &str, answer: &Accepted| {
        let truth = truth(&scenes[image], ask);
        assert_eq!(truth.as_deref(), Some(&*answer.0[0]), "{image}: {ask}");
    };
    for item in &set.vision {
        follows(&item.image, &item.prompt, &item.answer);
    }
    for scene in &set.context {
        for fact in &scene.facts {
            follows(&scene.image, &fact.ask, &fact.answer);
        }
    }
    for (name, bytes) in &set.pictures {
        let picture = Picture::decode(bytes).unwrap();
        let scene = &scenes[name];
        assert_eq!(
            (picture.width, picture.height),
            (scene.width, scene.height),
            "{name}"
        );
    }
}

#[test]
fn answers_follow_from_the_scenes() {
    for set in SETS {
        check_truth(&datasets().join(set));
    }
    let dir = tempfile::tempdir().unwrap();
    SetFiles::new(20_260_724).write(dir.path()).unwrap();
    check_truth(dir.path());
}

#[test]
fn the_kept_set_is_what_the_generator_makes() {
    let (dir, made) = (datasets().join("scenes"), SetFiles::new(SetFiles::KEPT));
    let kept = |file: &str| {
        fs::read_to_string(dir.join(file))
            .unwrap()
            .replace("\r\n", "\n")
    };
    assert_eq!(kept("items.toml"), made.items);
    assert_eq!(kept("scenes.toml"), made.scenes);
    let files = fs::read_dir(dir.join("images")).unwrap();
    let files: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(files.iter().eq(made.pictures.keys()), "{files:?}");
    for (name, bytes) in made.pictures {
        let kept = fs::read(dir.join("images").join(&name)).unwrap();
        // Pixels, not bytes: another encoder may pack them otherwise.
        assert!(
            Picture::decode(&kept).unwrap() == Picture::decode(&bytes).unwrap(),
            "{name}"
        );
    }
}

/// How often each value comes.
fn counts<T: Ord>(values: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

#[test]
fn a_constant_answer_scores_low() {
    for (set, most) in SETS.into_iter().zip([2, 3]) {
        let probes = probes(set);
        assert!(probes.vision.len() >= 24, "{set}");
        let answers = counts(
            probes
                .vision
                .iter()
                .map(|item| normalise(&item.answer.0[0])),
        );
        assert!(
            answers.values().all(|&count| count <= most),
            "{set}: {answers:?}"
        );
        assert_eq!(answers["yes"], answers["no"], "{set}");
    }
}

/// The prompt alone says nothing: each of its answers is right equally often.
#[test]
fn every_question_has_several_answers_equally_often() {
    let probes = probes("scenes");
    let prompts: BTreeSet<_> = probes.vision.iter().map(|item| &item.prompt).collect();
    for prompt in prompts {
        let same = |item: &&VisionItem| item.prompt == *prompt;
        let items = probes.vision.iter().filter(same);
        let answers = counts(items.map(|item| &item.answer.0[0]));
        assert!(answers.len() >= 2, "{prompt}: {answers:?}");
        assert!(
            answers.values().all(|&count| count == 1),
            "{prompt}: {answers:?}"
        );
    }
}

#[test]
fn the_kept_set_has_what_the_verdicts_need() {
    let probes = probes("scenes");
    let free = probes
        .text
        .iter()
        .filter(|item| item.answer.0.is_empty())
        .count();
    assert_eq!((probes.text.len(), free), (24, 4));
    assert_eq!(probes.context.len(), 12);
    for scene in &probes.context {
        let asked: BTreeSet<_> = scene.facts.iter().map(|fact| &fact.ask).collect();
        assert_eq!(asked.len(), 6, "{}", scene.id);
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
    let suite: Suite = read(&datasets().join("suites/embedded.toml"));
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
