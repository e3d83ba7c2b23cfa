//! What is asked: about pictures of one size, or in words alone, and an answer of one length.

use crate::photographs::{Photographs, SIZE};
use crate::probes::ProbeSet;
use crate::random::mixed;
use crate::scenes::{novel, novel_words};
use crate::source::datasets_dir;
use crate::subject::{AskError, Message};

/// How long an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scenarios) enum Length {
    /// A description of at most 100 ids.
    Describe,
    /// A few words, at most 16 ids.
    Short,
}

impl Length {
    const fn most(self) -> usize {
        match self {
            Self::Describe => 100,
            Self::Short => 16,
        }
    }

    const fn arm(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Short => "short",
        }
    }
}

/// What is asked without a picture, about things named first, so that no cache of prompts knows the beginning.
const STORY: &str = "write a story in which these things meet.";

/// What is asked for a few words.
const BRIEFLY: &str = "What shapes are in this image? Answer in a few words.";

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scenarios) struct Workload {
    /// Width and height of its pictures, in pixels.
    pub(in crate::scenarios) size: (u32, u32),
    /// How long an answer.
    pub(in crate::scenarios) length: Length,
}

impl Workload {
    /// Most ids of an answer.
    pub(in crate::scenarios) const fn most(self) -> usize {
        self.length.most()
    }

    /// The conversation.
    pub(in crate::scenarios) fn messages(self, set: &ProbeSet) -> [Message; 1] {
        [Message::user(match self.length {
            Length::Describe => &set.describe,
            Length::Short => BRIEFLY,
        })]
    }
}

/// What the trials of a cell ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Questions about pictures.
    About(Workload),
    /// For a text as long as a description, without a picture.
    InWords,
}

impl Asks {
    /// Most ids of an answer.
    pub(super) const fn most(self) -> usize {
        match self {
            Self::About(workload) => workload.most(),
            Self::InWords => Length::Describe.most(),
        }
    }

    /// Whether whoever sees its pictures says something else of each: scenes do not recur. A few words are
    /// true of many scenes, and of photographs there are few, each with other details.
    pub(super) fn is_telling(self) -> bool {
        matches!(self, Self::About(workload) if workload.length == Length::Describe && workload.size != SIZE)
    }

    /// The length, as answers are filed under.
    pub(super) const fn arm(self) -> &'static str {
        match self {
            Self::About(workload) => workload.length.arm(),
            Self::InWords => "story",
        }
    }
}

/// One request.
pub(super) struct New {
    /// The encoded picture.
    pub(super) picture: Option<Vec<u8>>,
    /// The conversation.
    pub(super) messages: [Message; 1],
}

/// Requests that are new each time: by their picture, or by how their words begin.
pub(super) enum Requests {
    /// The same words about another picture.
    Pictures(Pictures, [Message; 1]),
    /// Other words, from this seed.
    Words(u64),
}

impl Requests {
    /// # Errors
    /// When photographs are wanted and cannot be read.
    pub(super) fn new(asks: Asks, set: &ProbeSet, seed: u64) -> Result<Self, AskError> {
        Ok(match asks {
            Asks::InWords => Self::Words(seed),
            Asks::About(workload) => {
                Self::Pictures(Pictures::new(workload, seed)?, workload.messages(set))
            }
        })
    }

    /// The `n`-th one.
    pub(super) fn nth(&self, n: usize) -> New {
        match self {
            Self::Pictures(pictures, messages) => New {
                picture: Some(pictures.nth(n)),
                messages: messages.clone(),
            },
            Self::Words(seed) => {
                let things = novel_words(mixed(*seed).wrapping_add(n as u64));
                New {
                    picture: None,
                    messages: [Message::user(format!("{things}: {STORY}"))],
                }
            }
        }
    }
}

/// New pictures of one size: drawn scenes, or photographs where the size is theirs.
///
/// No two are alike, so that no cache of an engine knows the next, and the same seed gives the same
/// ones again. Making them lies outside all clocks but is overhead.
pub(in crate::scenarios) struct Pictures {
    size: (u32, u32),
    seed: u64,
    photographs: Option<Photographs>,
}

impl Pictures {
    /// # Errors
    /// When photographs are wanted and cannot be read.
    pub(in crate::scenarios) fn new(workload: Workload, seed: u64) -> Result<Self, AskError> {
        let size = workload.size;
        let load = || Photographs::load(&datasets_dir()?.join("photographs"));
        let photographs = (size == SIZE).then(load).transpose();
        Ok(Self {
            size,
            seed,
            photographs: photographs.map_err(|error| format!("{error:#}"))?,
        })
    }

    /// The encoded `n`-th one.
    pub(in crate::scenarios) fn nth(&self, n: usize) -> Vec<u8> {
        let seed = mixed(self.seed).wrapping_add(n as u64);
        match &self.photographs {
            Some(photographs) => photographs.novel(seed),
            None => novel(self.size, seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_differ_from_their_beginning() {
        let words = |seed, n| {
            let New { picture, messages } = Requests::Words(seed).nth(n);
            assert_eq!(picture, None);
            messages[0].text.clone()
        };
        let all: std::collections::BTreeSet<_> = (0..500).map(|n| words(7, n)).collect();
        assert_eq!(all.len(), 500);
        assert_eq!(words(7, 3), words(7, 3));
        assert_ne!(words(7, 3), words(8, 3));
        assert!(words(7, 3).ends_with(&format!(": {STORY}")));
    }

    #[test]
    fn pictures_differ_by_seed_and_number_and_by_nothing_else() {
        let photo = Workload {
            size: (1024, 683),
            length: Length::Short,
        };
        let picture = |seed, n| Pictures::new(photo, seed).unwrap().nth(n);
        let first = picture(7, 0);
        assert_eq!(first, picture(7, 0));
        assert_ne!(first, picture(7, 1));
        assert_ne!(first, picture(8, 0));
        let shown = image::load_from_memory(&first).unwrap();
        assert_eq!((shown.width(), shown.height()), photo.size);
    }
}
