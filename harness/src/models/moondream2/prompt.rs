//! Moondream2's prompts: one question, or the request for a caption, put together from ids.

use super::config::Revision;
use crate::chat::last_question;
use crate::subject::Request;
use crate::tokenizer::Tokenizer;
use crate::{Error, Result};

/// How often the template's suffix follows a question of June's revision: its code puts it there once
/// when the ids are listed and once more when no reasoning is asked for. It looks like a slip, but it
/// is what the published code feeds; 1 is what the template alone says.
///
/// Source: `query` and `_generate_answer` in `moondream.py` of vikhyat/moondream at 44146f1.
pub const SUFFIXES: usize = 2;

/// What a question is surrounded by. A picture leaves no mark here: it is fed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forms {
    /// Begins what is fed, before the picture or, without one, the prompt.
    pub bos: u32,
    /// Ends an answer.
    pub eos: u32,
    /// Would begin another answer, so it is never chosen after the first id.
    pub answer: Option<u32>,
    /// Whole prompts that ask for a caption.
    pub captions: Vec<Vec<u32>>,
    /// What comes before a question.
    pub before: Vec<u32>,
    /// What comes after it.
    pub after: Vec<u32>,
    /// Whose forms these are.
    pub revision: Revision,
}

/// A prompt without the picture: as it reads, and its ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Special tokens are spelled out.
    pub text: String,
    /// Of the vocabulary, all of them.
    pub ids: Vec<u32>,
}

impl Forms {
    /// Every id in them.
    #[must_use]
    pub fn ids(&self) -> Vec<u32> {
        let single = [self.bos, self.eos].into_iter().chain(self.answer);
        let lists = self.captions.iter().chain([&self.before, &self.after]);
        single.chain(lists.flatten().copied()).collect()
    }

    /// The prompt of a request.
    ///
    /// A message that spells a caption's prompt (June: `<|md_reserved_0|>describe<|md_reserved_1|>short<|md_reserved_2|>`,
    /// January: `Short caption:`) is that prompt; any other is a question. So what a reply shows as its
    /// prompt for a caption is also how to ask for one.
    ///
    /// # Errors
    /// [`Error::NotOffered`] for earlier turns, several pictures, and whatever needs the picture that is
    /// not there; [`Error::Prompt`] for no question, or one that spells a special token.
    pub fn ask(&self, request: &Request<'_>, tokenizer: &Tokenizer) -> Result<Asked> {
        let message = last_question(request.messages)?;
        let not_offered = |what: &str| Err(Error::NotOffered(what.to_owned()));
        if request.messages.len() > 1 {
            return not_offered("moondream2 has no form for earlier turns: ask one question");
        }
        if request.images.len() > 1 {
            return not_offered("moondream2 takes one picture a question");
        }
        if let Some(caption) = self.caption(message, tokenizer)? {
            return match request.images {
                [] => not_offered("a caption needs a picture"),
                _ => Ok(caption),
            };
        }
        let question = tokenizer.encode(message)?;
        if let Some(token) = tokenizer.special(&question) {
            return Err(Error::Prompt(format!(
                "message 1 contains {token}, which only the model's own forms may: write it differently"
            )));
        }
        let start = match (request.images, self.revision) {
            ([], Revision::January) => {
                return not_offered(
                    "moondream2 of 2025-01-09 answers questions about a picture only",
                );
            }
            ([], Revision::June) => &[self.bos][..],
            _ => &[],
        };
        let before = [start, &self.before].concat();
        let spelled = |ids: &[u32]| tokenizer.spell(ids);
        Ok(Asked {
            text: format!("{}{message}{}", spelled(&before)?, spelled(&self.after)?),
            ids: [before, question, self.after.clone()].concat(),
        })
    }

    /// The caption's prompt that a message spells; white space around it does not count.
    fn caption(&self, message: &str, tokenizer: &Tokenizer) -> Result<Option<Asked>> {
        for ids in &self.captions {
            let text = tokenizer.spell(ids)?;
            if text.trim() == message.trim() {
                let ids = ids.clone();
                return Ok(Some(Asked { text, ids }));
            }
        }
        Ok(None)
    }
}
