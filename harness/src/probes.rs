//! Probe sets: pictures and questions with known answers, read from a folder of `datasets/`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::subject::Message;

/// Largest file of a probe set, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// What a set asks for a long answer, where it names nothing else.
const DESCRIBE: &str = "Describe what you see in this image in detail.";

/// A question about a picture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionItem {
    /// Its name in the set.
    pub id: String,
    /// Name of its picture.
    pub image: String,
    /// The question.
    pub prompt: String,
    /// Every text that counts as right.
    #[serde(alias = "answers")]
    pub answer: Accepted,
}

/// A question without a picture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextItem {
    /// Its name in the set.
    pub id: String,
    /// The question, where it stands alone.
    #[serde(default)]
    pub prompt: String,
    /// The conversation that ends with the question, where it does not stand alone.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// Every text that counts as right; none for a free answer, judged by its form alone.
    #[serde(default, alias = "answers")]
    pub answer: Accepted,
}

/// A conversation about one picture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Its name in the set.
    pub id: String,
    /// Name of its picture.
    pub image: String,
    /// Questions about the picture.
    pub facts: Vec<Turn>,
    /// Questions that have nothing to do with it, to be asked in between.
    pub fillers: Vec<Turn>,
}

/// One question of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The question.
    pub ask: String,
    /// Every text that counts as right.
    #[serde(alias = "answers")]
    pub answer: Accepted,
}

impl TextItem {
    /// The whole conversation.
    #[must_use]
    pub fn conversation(&self) -> Vec<Message> {
        match self.messages.as_slice() {
            [] => vec![Message::user(&self.prompt)],
            messages => messages.to_vec(),
        }
    }
}

/// Texts that count as right: written as one string or as a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Accepted(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Accepted {
    fn from(texts: OneOrMany) -> Self {
        match texts {
            OneOrMany::One(text) => Self(vec![text]),
            OneOrMany::Many(texts) => Self(texts),
        }
    }
}

impl Accepted {
    /// The answer to show where one is expected.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        self.0.first().cloned()
    }
}

/// `items.toml`; licence and source beside the questions are for people.
#[derive(Deserialize)]
struct Items {
    name: String,
    #[serde(default)]
    describe: Option<String>,
    #[serde(default)]
    vision: Vec<VisionItem>,
    #[serde(default)]
    text: Vec<TextItem>,
    #[serde(default)]
    context: Vec<Scene>,
}

/// Pictures and questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSet {
    /// Its name.
    pub name: String,
    /// The request for a long answer.
    pub describe: String,
    /// Questions about pictures.
    pub vision: Vec<VisionItem>,
    /// Questions without one.
    pub text: Vec<TextItem>,
    /// Conversations.
    pub context: Vec<Scene>,
    /// Encoded files by name.
    pub pictures: BTreeMap<String, Vec<u8>>,
    /// SHA-256 over questions and pictures, in hex.
    pub digest: String,
}

impl ProbeSet {
    /// Reads `items.toml` and every picture it names, from `images/` or from the folder itself.
    ///
    /// # Errors
    /// Names the file that is missing, too large, or not what it should be.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("items.toml");
        let text = String::from_utf8(read(&path)?)
            .with_context(|| format!("{}: not UTF-8", path.display()))?;
        let items: Items = toml::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{}: {}", path.display(), error.message()))?;
        let mut set = Self::from_items(items);
        let mut hash = Sha256::new_with_prefix(&text);
        for (name, bytes) in &mut set.pictures {
            *bytes = read(&picture_path(dir, name)?)?;
            hash.update(name);
            hash.update(Sha256::digest(&bytes));
        }
        set.digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        set.check().with_context(|| format!("{}: not usable", path.display()))?;
        Ok(set)
    }

    fn from_items(items: Items) -> Self {
        let of_vision = items.vision.iter().map(|item| &item.image);
        let of_context = items.context.iter().map(|scene| &scene.image);
        let names = of_vision.chain(of_context).cloned();
        Self {
            pictures: names.map(|name| (name, Vec::new())).collect(),
            name: items.name,
            describe: items.describe.unwrap_or_else(|| DESCRIBE.to_owned()),
            vision: items.vision,
            text: items.text,
            context: items.context,
            digest: String::new(),
        }
    }

    fn check(&self) -> Result<()> {
        if self.pictures.is_empty() {
            bail!("no item has a picture: the timed scenarios need one");
        }
        for item in self.vision.iter().filter(|item| item.answer.0.is_empty()) {
            bail!("vision item {:?} has no answer", item.id);
        }
        for item in self.text.iter().filter(|item| item.prompt.is_empty() == item.messages.is_empty()) {
            bail!("text item {:?} wants either a prompt or messages", item.id);
        }
        for scene in self.context.iter().filter(|scene| scene.fillers.is_empty()) {
            bail!("context item {:?} has no fillers", scene.id);
        }
        Ok(())
    }

    /// One picture's encoded file; empty for a name that no item uses.
    #[must_use]
    pub fn picture(&self, name: &str) -> &[u8] {
        self.pictures.get(name).map_or(&[], Vec::as_slice)
    }

    /// The `n`-th picture, counted round and round in the order of names.
    #[must_use]
    pub fn rotated(&self, n: usize) -> (&str, &[u8]) {
        let at = n % self.pictures.len().max(1);
        let found = self.pictures.iter().nth(at);
        found.map_or(("", &[]), |(name, bytes)| (name, bytes))
    }
}

fn picture_path(dir: &Path, name: &str) -> Result<std::path::PathBuf> {
    let plain = |part| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(plain) {
        bail!("picture {name:?}: must be a plain path below the probe set's folder");
    }
    let below = dir.join("images").join(name);
    Ok(if below.is_file() { below } else { dir.join(name) })
}

/// Reads a file that is not absurdly large.
fn read(path: &Path) -> Result<Vec<u8>> {
    let subject = || format!("{}: cannot read", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(subject)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).with_context(subject)?;
    if bytes.len() as u64 > MAX_FILE {
        bail!("{}: larger than {} MiB", path.display(), MAX_FILE >> 20);
    }
    Ok(bytes)
}

/// A plain grey PNG of the same size as an encoded picture.
///
/// # Errors
/// When the picture's header cannot be read, or its size is out of reason.
pub fn blank_like(picture: &[u8]) -> Result<Vec<u8>> {
    const MOST: u64 = 64 << 20; // pixels, the limit pictures have anyway
    let reader = image::ImageReader::new(std::io::Cursor::new(picture)).with_guessed_format();
    let (width, height) = reader?.into_dimensions().context("picture: no readable header")?;
    if u64::from(width) * u64::from(height) > MOST {
        bail!("picture: {width} x {height} is too large");
    }
    let blank = image::RgbImage::from_pixel(width, height, image::Rgb([127, 127, 127]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    blank.write_to(&mut bytes, image::ImageFormat::Png)?;
    Ok(bytes.into_inner())
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

    fn check_refused(items: &str, part: &str) {
        let text = format!("{:#}", set_of(items).unwrap_err());
        assert!(text.contains(part), "{text}");
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
    fn broken_sets_are_refused_by_name() {
        check_refused("name = 3", "items.toml: ");
        check_refused("name = \"t\"", "no item has a picture");
        check_refused(&format!("{VISION}answer = []"), "\"v\" has no answer");
        check_refused(&format!("{VISION}answer = \"a\"\ncolour = 1"), "colour");
        let away = VISION.replace("a.png", "../../etc/passwd");
        check_refused(&format!("{away}answer = \"a\""), "plain path");
        let missing = VISION.replace("a.png", "b.png");
        check_refused(&format!("{missing}answer = \"a\""), "b.png: cannot read");
    }

    #[test]
    fn a_blank_picture_has_the_size_of_the_right_one() {
        let mut png = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(7, 5).write_to(&mut png, image::ImageFormat::Png).unwrap();
        let blank = image::load_from_memory(&blank_like(png.get_ref()).unwrap()).unwrap();
        assert_eq!((blank.width(), blank.height()), (7, 5));
        assert!(blank_like(b"nonsense").is_err());
    }
}
