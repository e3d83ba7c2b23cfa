//! A checkpoint's `tokenizer.json`.

use std::path::Path;

use crate::side_file::{format_error, read_text};
use crate::{Error, Result};

/// Text to ids and back.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

/// What becomes of special tokens in a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    LeftOut,
    SpeltOut,
}

impl Tokenizer {
    /// Reads `tokenizer.json` in `dir`. Truncation and padding it may ask for are switched off: a prompt is either
    /// taken whole or not at all.
    ///
    /// # Errors
    /// [`Error::Read`] without such a file, [`Error::Format`] when it is broken.
    pub fn load(dir: &Path) -> Result<Self> {
        let path = dir.join("tokenizer.json");
        let mut inner: tokenizers::Tokenizer = read_text(&path)?.parse().map_err(|error| {
            format_error(
                &path,
                format!("this is no tokenizer: {}", first_line(&error)),
            )
        })?;
        inner
            .with_truncation(None)
            .map_err(|error| format_error(&path, format!("truncation: {}", first_line(&error))))?;
        inner.with_padding(None);
        Ok(Self { inner })
    }

    /// The ids of `text`. Special tokens written in it become their ids; what the tokenizer's post-processor adds
    /// (a start token, say) is added.
    ///
    /// # Errors
    /// [`Error::Prompt`] when the tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, true).map_err(|error| {
            Error::Prompt(format!("the tokenizer refuses it: {}", first_line(&error)))
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `ids`, special tokens left out, surrounding white space kept.
    ///
    /// # Errors
    /// [`Error::Prompt`] when the tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.text(ids, Special::LeftOut)
    }

    /// The text of `ids`, special tokens spelt out.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn spell(&self, ids: &[u32]) -> Result<String> {
        self.text(ids, Special::SpeltOut)
    }

    /// The first special token among `ids`, spelt out.
    #[must_use]
    pub fn special(&self, ids: &[u32]) -> Option<String> {
        let added = self.inner.get_added_tokens_decoder();
        let tokens = ids.iter().filter_map(|id| added.get(id));
        let mut special = tokens.filter(|token| token.special);
        special.next().map(|token| token.content.clone())
    }

    fn text(&self, ids: &[u32], special: Special) -> Result<String> {
        let left_out = special == Special::LeftOut;
        self.inner.decode(ids, left_out).map_err(|error| {
            Error::Prompt(format!(
                "the tokenizer cannot decode: {}",
                first_line(&error)
            ))
        })
    }

    /// The id of one token, spelt as in the vocabulary.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Ids known, added tokens included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}

fn first_line(error: &tokenizers::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn broken_files_are_one_line() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            Tokenizer::load(dir.path()),
            Err(Error::Read { .. })
        ));
        for text in [
            "",
            "{}",
            "[1",
            r#"{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}"#,
        ] {
            fs::write(dir.path().join("tokenizer.json"), text).unwrap();
            let error = Tokenizer::load(dir.path()).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
    }
}
