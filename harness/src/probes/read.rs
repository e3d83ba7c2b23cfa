//! Reads a probe set's folder. What is wrong with it is named by file, line and field.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use store::toml_file::TomlFile;
use toml::Spanned;

use super::{Accepted, DESCRIBE, FILLERS, ProbeSet, Scene, TextItem, Turn, VisionItem};
use crate::score::normalise;
use crate::subject::Role;

/// Largest picture of a probe set, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// `items.toml`; licence and source are for people.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Items {
    name: String,
    #[serde(default, rename = "licence")]
    _licence: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
    describe: Option<String>,
    #[serde(default)]
    vision: Vec<Spanned<VisionItem>>,
    #[serde(default)]
    text: Vec<Spanned<TextItem>>,
    #[serde(default)]
    context: Vec<Spanned<Scene>>,
}

/// What is wrong with a field of an item.
type Fault = Option<(&'static str, String)>;

impl ProbeSet {
    /// Reads `items.toml` and every picture it names, from `images/` or from the folder itself.
    ///
    /// # Errors
    /// `FILE:LINE: ITEM: FIELD: what is wrong`: of a file that is missing or too large, a field that is
    /// unknown or missing, an item that cannot be asked.
    pub fn load(dir: &Path) -> Result<Self> {
        let file = TomlFile::read(&dir.join("items.toml")).map_err(Error::msg)?;
        let items: Items = file.parse().map_err(Error::msg)?;
        check(&file, "vision", &items.vision)?;
        check(&file, "text", &items.text)?;
        check(&file, "context", &items.context)?;
        let mut hash = Sha256::new_with_prefix(file.text());
        let pictures = pictures(dir, &file, &items)?;
        for (name, bytes) in &pictures {
            hash.update(name);
            hash.update(Sha256::digest(bytes));
        }
        let digest = hash.finalize();
        Ok(Self {
            name: items.name,
            describe: items.describe.unwrap_or_else(|| DESCRIBE.to_owned()),
            vision: plain(items.vision),
            text: plain(items.text),
            context: plain(items.context),
            pictures,
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

fn plain<T>(items: Vec<Spanned<T>>) -> Vec<T> {
    items.into_iter().map(Spanned::into_inner).collect()
}

/// What all kinds of items have.
trait Item {
    fn id(&self) -> &str;

    /// The first thing that is wrong with it.
    fn fault(&self) -> Fault;
}

/// Refuses the first item of a kind whose id is not its own or that has a fault.
fn check(file: &TomlFile, kind: &str, items: &[Spanned<impl Item>]) -> Result<()> {
    let mut ids = BTreeSet::new();
    for item in items {
        let id = item.get_ref().id();
        let taken = id.trim().is_empty() || !ids.insert(id);
        let fault = match taken {
            true => Some(("id", "must be given, and only once in the set".to_owned())),
            false => item.get_ref().fault(),
        };
        if let Some((field, what)) = fault {
            let place = file.place_of(item.span().start, field);
            bail!("{place}: {kind} item {id:?}: {field}: {what}");
        }
    }
    Ok(())
}

impl Item for VisionItem {
    fn id(&self) -> &str {
        &self.id
    }

    fn fault(&self) -> Fault {
        asked("prompt", &self.prompt).or_else(|| answered("answer", &self.answer))
    }
}

impl Item for TextItem {
    fn id(&self) -> &str {
        &self.id
    }

    fn fault(&self) -> Fault {
        let last = self.messages.last().map(|message| message.role);
        match (self.prompt.trim().is_empty(), last) {
            (true, None) => Some(("prompt", "none, and no messages".to_owned())),
            (false, Some(_)) => Some((
                "prompt",
                "stands beside messages: give one of them".to_owned(),
            )),
            (_, Some(Role::Assistant)) => Some(("messages", "must end with the user's".to_owned())),
            // No answer at all is a free question.
            _ if self.answer.0.is_empty() => None,
            _ => answered("answer", &self.answer),
        }
    }
}

impl Item for Scene {
    fn id(&self) -> &str {
        &self.id
    }

    fn fault(&self) -> Fault {
        if self.facts.is_empty() {
            return Some(("facts", "there are none".to_owned()));
        }
        if self.fillers.len() < FILLERS {
            let what = format!("{} are too few, {FILLERS} are needed", self.fillers.len());
            return Some(("fillers", what));
        }
        let facts = self.facts.iter().find_map(|turn| broken("facts", turn));
        let fillers = || self.fillers.iter().find_map(|turn| broken("fillers", turn));
        facts.or_else(fillers).or_else(|| given_away(self))
    }
}

fn broken(field: &'static str, turn: &Turn) -> Fault {
    asked(field, &turn.ask).or_else(|| answered(field, &turn.answer))
}

/// A filler whose answer is a fact's: the model would then say it before it is asked.
fn given_away(scene: &Scene) -> Fault {
    let facts = scene.facts.iter().flat_map(|fact| &fact.answer.0);
    let facts: BTreeSet<_> = facts.map(|answer| normalise(answer)).collect();
    let mut told = scene.fillers.iter().flat_map(|filler| &filler.answer.0);
    let answer = told.find(|answer| facts.contains(&normalise(answer)))?;
    Some((
        "fillers",
        format!("{answer:?} is also the answer of a fact"),
    ))
}

fn asked(field: &'static str, text: &str) -> Fault {
    text.trim()
        .is_empty()
        .then(|| (field, "a question is empty".to_owned()))
}

fn answered(field: &'static str, answer: &Accepted) -> Fault {
    let empty = answer.0.is_empty() || answer.0.iter().any(|text| text.trim().is_empty());
    empty.then(|| (field, "an answer is empty".to_owned()))
}

/// The encoded pictures that the items name.
fn pictures(dir: &Path, file: &TomlFile, items: &Items) -> Result<BTreeMap<String, Vec<u8>>> {
    let vision = items
        .vision
        .iter()
        .map(|item| (item.span().start, &item.get_ref().image));
    let context = items
        .context
        .iter()
        .map(|item| (item.span().start, &item.get_ref().image));
    let mut pictures = BTreeMap::new();
    for (at, name) in vision.chain(context) {
        if !pictures.contains_key(name) {
            let read = picture_path(dir, name).and_then(|path| read_picture(&path));
            let place = || format!("{}: image", file.place_of(at, "image"));
            pictures.insert(name.clone(), read.with_context(place)?);
        }
    }
    if pictures.is_empty() {
        bail!(
            "{}: no item has a picture: the timed scenarios need one",
            file.place(0)
        );
    }
    Ok(pictures)
}

fn picture_path(dir: &Path, name: &str) -> Result<PathBuf> {
    let plain = |part| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(plain) {
        bail!("{name:?}: must be a plain path below the probe set's folder");
    }
    let below = dir.join("images").join(name);
    Ok(if below.is_file() {
        below
    } else {
        dir.join(name)
    })
}

/// Reads a file that is not absurdly large and begins as a picture.
fn read_picture(path: &Path) -> Result<Vec<u8>> {
    let subject = || format!("{}: cannot read", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(subject)?;
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .with_context(subject)?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{}: larger than {} MiB", path.display(), MAX_FILE >> 20);
    }
    let reader = image::ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?;
    reader
        .into_dimensions()
        .map_err(|error| anyhow!("{}: no picture: {error}", path.display()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of(items: &str) -> Result<ProbeSet> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("images")).unwrap();
        let grey = image::RgbImage::new(3, 2);
        grey.save(dir.path().join("images/a.png")).unwrap();
        std::fs::write(dir.path().join("items.toml"), items).unwrap();
        ProbeSet::load(dir.path())
    }

    fn check_refused(items: &str, start: &str) {
        let text = format!("{:#}", set_of(items).unwrap_err());
        let (_, from_file) = text.split_once("items.toml:").unwrap();
        assert!(
            from_file.starts_with(start),
            "{start:?} is not what {text} says"
        );
        assert!(!text.contains('\n'), "{text}");
    }

    const VISION: &str =
        "name = \"t\"\n[[vision]]\nid = \"v\"\nimage = \"a.png\"\nprompt = \"?\"\n";

    #[test]
    fn answers_are_one_or_many() {
        let one = set_of(&format!("{VISION}answer = \"Red\"")).unwrap();
        assert_eq!(one.vision[0].answer.0, ["Red"]);
        let many = set_of(&format!("{VISION}answer = [\"4\", \"four\"]")).unwrap();
        assert_eq!(many.vision[0].answer.0, ["4", "four"]);
        assert_ne!(one.digest, many.digest);
        assert_eq!(one.rotated(5).0, "a.png");
    }

    #[test]
    fn broken_vision_items_are_refused_by_line_and_field() {
        check_refused("name = 3", "1: name: invalid type");
        check_refused("name = \"t\"", "1: no item has a picture");
        check_refused("name = \"t\"\nnmae = 1", "2: unknown field `nmae`");
        check_refused(VISION, "2: missing field `answer`");
        let with = |rest: &str| format!("{VISION}{rest}");
        check_refused(
            &with("answer = []"),
            "6: vision item \"v\": answer: an answer is empty",
        );
        check_refused(&with("answer = 3"), "6: answer: wants a text, or a list");
        check_refused(
            &with("answer = \"a\"\ncolour = 1"),
            "7: unknown field `colour`",
        );
        let away = with("answer = \"a\"").replace("a.png", "../../etc/passwd");
        check_refused(
            &away,
            "4: image: \"../../etc/passwd\": must be a plain path",
        );
        check_refused(
            &with("answer = \"a\"").replace("a.png", "b.png"),
            "4: image: ",
        );
        check_refused(
            &with("answer = \"a\"").replace("a.png", "items.toml"),
            "4: image: ",
        );
        let twice = with("answer = \"a\"\n") + VISION.split_once('\n').unwrap().1;
        check_refused(
            &(twice + "answer = \"b\""),
            "8: vision item \"v\": id: must be",
        );
    }

    #[test]
    fn broken_text_items_are_refused_by_line_and_field() {
        let with = |rest: &str| format!("{VISION}answer = \"a\"\n[[text]]\nid = \"t\"\n{rest}");
        assert!(
            set_of(&with("prompt = \"?\"")).unwrap().text[0]
                .answer
                .0
                .is_empty()
        );
        check_refused(&with("answer = \"a\""), "7: text item \"t\": prompt: none");
        check_refused(
            &with("prompt = \"?\"\nanswer = \"\""),
            "10: text item \"t\": answer: ",
        );
        let messages = "messages = [{ role = \"assistant\", text = \"!\" }]\n";
        check_refused(&with(messages), "9: text item \"t\": messages: must end");
        let both = with(&format!("{messages}prompt = \"?\""));
        check_refused(&both, "10: text item \"t\": prompt: stands beside");
        check_refused(
            &with("messages = [{ role = \"cook\", text = \"\" }]"),
            "9: ",
        );
    }

    #[test]
    fn broken_conversations_are_refused_by_line_and_field() {
        let turn = |answer: &str| format!("{{ ask = \"?\", answer = {answer:?} }}, ");
        let with = |fact: &str, fillers: &str| {
            let (fact, fillers) = (turn(fact), fillers.split_terminator(' ').map(turn));
            let fillers: String = fillers.collect();
            let scene = "[[context]]\nid = \"c\"\nimage = \"a.png\"";
            format!("name = \"t\"\n{scene}\nfacts = [{fact}]\nfillers = [{fillers}]")
        };
        let seven = "a b c d e f g";
        assert_eq!(
            set_of(&with("h", seven)).unwrap().context[0].fillers.len(),
            7
        );
        check_refused(
            &with("h", "a b"),
            "6: context item \"c\": fillers: 2 are too few, 7 ",
        );
        check_refused(
            &with("G.", seven),
            "6: context item \"c\": fillers: \"g\" is also",
        );
        check_refused(
            &with(" ", seven),
            "5: context item \"c\": facts: an answer is empty",
        );
    }
}
