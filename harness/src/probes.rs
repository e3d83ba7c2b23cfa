//! Probe sets: pictures and questions with known answers, read from a folder of `datasets/`.

mod read;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::score::holds_words;
use crate::subject::Message;

/// Neutral turns that a conversation must offer: a fact can be asked again at turn 8.
pub const FILLERS: usize = 7;

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
#[serde(untagged, expecting = "wants a text, or a list of texts")]
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
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The answer to show where one is expected.
    #[must_use]
    pub fn shown(&self) -> Option<String> {
        self.0.first().cloned()
    }
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
    /// One picture's encoded file; empty for a name that no item uses.
    #[must_use]
    pub fn picture(&self, name: &str) -> &[u8] {
        self.pictures.get(name).map_or(&[], Vec::as_slice)
    }

    /// All answers to a question about pictures: what else might have been said to it.
    #[must_use]
    pub fn vision_answers(&self, prompt: &str) -> Vec<&str> {
        let same = self.vision.iter().filter(|item| item.prompt == prompt);
        same.flat_map(|item| item.answer.texts()).collect()
    }

    /// All answers to the fact asked in these words.
    #[must_use]
    pub fn context_answers(&self, ask: &str) -> Vec<&str> {
        let facts = self.context.iter().flat_map(|scene| &scene.facts);
        let same = facts.filter(|fact| fact.ask == ask);
        same.flat_map(|fact| fact.answer.texts()).collect()
    }

    /// All answers to questions without a picture that the conversation does not name itself.
    #[must_use]
    pub fn text_answers(&self, conversation: &[Message]) -> Vec<&str> {
        let all = self.text.iter().flat_map(|item| item.answer.texts());
        let named = |answer: &&str| {
            let mut told = conversation.iter();
            told.any(|message| holds_words(&message.text, answer))
        };
        all.filter(|answer| !named(answer)).collect()
    }

    /// The `n`-th picture, counted round and round in the order of names.
    #[must_use]
    pub fn rotated(&self, n: usize) -> (&str, &[u8]) {
        let at = n % self.pictures.len().max(1);
        let found = self.pictures.iter().nth(at);
        found.map_or(("", &[]), |(name, bytes)| (name, bytes))
    }
}

/// A plain grey PNG of the same size as an encoded picture.
///
/// # Errors
/// When the picture's header cannot be read, or its size is out of reason.
pub fn blank_like(picture: &[u8]) -> Result<Vec<u8>> {
    const MOST: u64 = 64 << 20; // pixels, the limit pictures have anyway
    let reader = image::ImageReader::new(std::io::Cursor::new(picture)).with_guessed_format();
    let (width, height) = reader?
        .into_dimensions()
        .context("picture: no readable header")?;
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

    #[test]
    fn a_blank_picture_has_the_size_of_the_right_one() {
        let mut png = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(7, 5)
            .write_to(&mut png, image::ImageFormat::Png)
            .unwrap();
        let blank = image::load_from_memory(&blank_like(png.get_ref()).unwrap()).unwrap();
        assert_eq!((blank.width(), blank.height()), (7, 5));
        assert!(blank_like(b"nonsense").is_err());
    }
}
