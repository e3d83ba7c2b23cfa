//! Tokenizers of dummy checkpoints: the true one from the folder `$VLM_BENCH_TOKENIZERS` names, else
//! a stand-in without merges. It has special tokens at their published ids and one token a byte:
//! text costs more tokens than with the true one, pictures cost the same.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// What a stand-in has in common with the true tokenizer.
#[derive(Debug)]
pub(super) struct Family {
    /// Folder of the true one; none where it is in no registry.
    folder: Option<&'static str>,
    /// Tokens of the model, at ids from 0 on; added ones may be among them or follow.
    vocab: usize,
    /// Tokens taken out of the text before anything else.
    added: Vec<Added>,
    scheme: Scheme,
}

#[derive(Debug)]
struct Added {
    id: usize,
    content: String,
    /// Whether it takes the white space that follows.
    rstrip: bool,
    special: bool,
}

/// How the rest of the text becomes tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// GPT-2's: a letter stands for each byte, the first at this id.
    ByteLevel { first: usize },
    /// SentencePiece's: spaces become `▁`, which has this id; unknown characters become bytes.
    ByteFallback { space: usize },
}

fn special(id: usize, content: impl Into<String>) -> Added {
    Added {
        id,
        content: content.into(),
        rstrip: false,
        special: true,
    }
}

impl Family {
    /// The family of an architecture.
    ///
    /// # Errors
    /// When it has none.
    pub(super) fn of(model_type: &str) -> Result<Self> {
        match model_type {
            "idefics3" | "smolvlm" => Ok(smolvlm()),
            "moondream1" => Ok(moondream()),
            "llava_next" => Ok(llava()),
            "phi3_v" => Ok(phi()),
            other => bail!("model_type {other:?}: no tokenizer is known for dummy weights"),
        }
    }

    /// The text of `tokenizer.json`.
    ///
    /// # Errors
    /// When the true one is there but cannot be used.
    pub(super) fn json(&self) -> Result<String> {
        let folder = std::env::var_os("VLM_BENCH_TOKENIZERS").zip(self.folder);
        let known = folder.map(|(at, folder)| Path::new(&at).join(folder).join("tokenizer.json"));
        match known.filter(|file| file.is_file()) {
            Some(file) => self.completed(&file),
            None => Ok(self.stand_in().to_string()),
        }
    }

    /// The true tokenizer with the family's added tokens, where its file lacks some.
    fn completed(&self, file: &Path) -> Result<String> {
        let text =
            fs::read_to_string(file).with_context(|| format!("{}: cannot read", file.display()))?;
        let mut json: Value =
            serde_json::from_str(&text).with_context(|| format!("{}: no JSON", file.display()))?;
        let Some(there) = json.get_mut("added_tokens").and_then(Value::as_array_mut) else {
            bail!("{}: holds no added_tokens", file.display());
        };
        for token in &self.added {
            if !there.iter().any(|one| one["content"] == token.content) {
                there.push(token.json());
            }
        }
        Ok(json.to_string())
    }

    fn stand_in(&self) -> Value {
        let mut tokens: Vec<String> = (0..self.vocab).map(|id| format!("<unused_{id}>")).collect();
        let mut name = |id: usize, token: String| {
            if let Some(slot) = tokens.get_mut(id) {
                *slot = token;
            }
        };
        match self.scheme {
            Scheme::ByteLevel { first } => {
                for (i, letter) in byte_letters().into_iter().enumerate() {
                    name(first + i, letter.to_string());
                }
            }
            Scheme::ByteFallback { space } => {
                for byte in 0..256 {
                    name(3 + byte, format!("<0x{byte:02X}>"));
                }
                name(space, "▁".to_owned());
            }
        }
        for token in &self.added {
            name(token.id, token.content.clone());
        }
        let ids = tokens.iter().enumerate();
        let vocab: Map<_, _> = ids.map(|(id, t)| (t.clone(), json!(id))).collect();
        self.scheme.json(vocab, &self.added)
    }
}

impl Added {
    fn json(&self) -> Value {
        json!({ "id": self.id, "content": self.content, "single_word": false, "lstrip": false,
            "rstrip": self.rstrip, "normalized": false, "special": self.special })
    }
}

impl Scheme {
    fn json(self, vocab: Map<String, Value>, added: &[Added]) -> Value {
        let fallback = matches!(self, Self::ByteFallback { .. });
        let unknown = fallback.then_some("<unk>");
        let (normalizer, pre_tokenizer, post_processor, decoder) = match self {
            Self::ByteLevel { .. } => {
                let bytes = |space| json!({ "type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true });
                (Value::Null, bytes(false), Value::Null, bytes(true))
            }
            Self::ByteFallback { .. } => (
                json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" },
                    { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] }),
                Value::Null,
                json!({ "type": "TemplateProcessing",
                    "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
                    "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
                    "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } } }),
                json!({ "type": "Sequence", "decoders": [
                    { "type": "Replace", "pattern": { "String": "▁" }, "content": " " }, { "type": "ByteFallback" },
                    { "type": "Fuse" }, { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] }),
            ),
        };
        let added: Vec<_> = added.iter().map(Added::json).collect();
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": decoder,
            "model": { "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": fallback, "byte_fallback": fallback, "ignore_merges": false,
                "vocab": vocab, "merges": [] },
        })
    }
}

fn smolvlm() -> Family {
    const FIRST: usize = 49_152; // where the published added tokens begin
    let mut added: Vec<_> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        .into_iter()
        .enumerate()
        .map(|(id, token)| special(id, token))
        .collect();
    added.push(special(FIRST, "<global-img>"));
    for (row, col) in (0..36).map(|i| (i / 6, i % 6)) {
        let token = format!("<row_{}_col_{}>", row + 1, col + 1);
        added.push(special(FIRST + 1 + 6 * row + col, token));
    }
    added.push(special(FIRST + 37, "<fake_token_around_image>"));
    added.push(special(FIRST + 38, "<image>"));
    added.push(special(49_279, "<end_of_utterance>"));
    Family {
        folder: Some("smolvlm"),
        vocab: 49_280, // added tokens with gaps between them keep their ids only where they are in it

        added,
        scheme: Scheme::ByteLevel { first: 17 },
    }
}

/// The revision of June 2025, whose true tokenizer lies in a repository of its own.
fn moondream() -> Family {
    let reserved = (1..=10).map(|id| special(id, format!("<|md_reserved_{}|>", id - 1)));
    Family {
        folder: None,
        vocab: 51_200,
        added: std::iter::once(special(0, "<|endoftext|>"))
            .chain(reserved)
            .collect(),
        scheme: Scheme::ByteLevel { first: 17 },
    }
}

fn llava() -> Family {
    let added = [
        (0, "<unk>"),
        (1, "<s>"),
        (2, "</s>"),
        (32_000, "<image>"),
        (32_001, "<pad>"),
    ];
    Family {
        folder: Some("llava-v1.6-mistral-7b"),
        vocab: 32_000,
        added: added.map(|(id, token)| special(id, token)).into(),
        scheme: Scheme::ByteFallback { space: 28_705 },
    }
}

fn phi() -> Family {
    const NAMED: [(usize, &str); 5] = [
        (32_000, "<|endoftext|>"),
        (32_001, "<|assistant|>"),
        (32_006, "<|system|>"),
        (32_007, "<|end|>"),
        (32_010, "<|user|>"),
    ];
    let mut added = vec![special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")];
    added[2].special = false;
    let mut placeholder = 0;
    for id in 32_000..32_044 {
        let known = NAMED.iter().find(|(at, _)| *at == id);
        added.push(match known {
            Some((_, token)) => special(id, *token),
            None => {
                placeholder += 1;
                special(id, format!("<|placeholder{placeholder}|>"))
            }
        });
    }
    added.push(special(32_044, "<|image|>"));
    let keeps_space = |token: &str| {
        let names = [
            "<unk>",
            "<s>",
            "<|endoftext|>",
            "<|system|>",
            "<|end|>",
            "<|user|>",
        ];
        names.contains(&token)
    };
    for token in &mut added {
        token.rstrip = !keeps_space(&token.content);
    }
    Family {
        folder: Some("phi-3.5-vision"),
        vocab: 32_000,
        added,
        scheme: Scheme::ByteFallback { space: 29_871 },
    }
}

/// The printable letter that byte-level tokenizers write for each byte: itself where it is a
/// visible Latin-1 character, else the next free one from U+0100 on (GPT-2's rule).
fn byte_letters() -> Vec<char> {
    let mut next = 0x100;
    let mut letter = |byte: u32| match byte {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => byte,
        _ => {
            next += 1;
            next - 1
        }
    };
    (0..256)
        .filter_map(|byte| char::from_u32(letter(byte)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ChatTemplate;
    use crate::subject::Message;
    use crate::tokenizer::Tokenizer;

    fn load(json: &str) -> Tokenizer {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("tokenizer.json"), json).unwrap();
        Tokenizer::load(dir.path()).unwrap()
    }

    /// The stand-in, and the true one where its folder is known.
    fn both(model_type: &str) -> Vec<Tokenizer> {
        let family = Family::of(model_type).unwrap();
        let stand_in = family.stand_in().to_string();
        vec![load(&stand_in), load(&family.json().unwrap())]
    }

    #[test]
    fn special_tokens_have_their_published_ids() {
        let check = |model_type: &str, tokens: &[(&str, u32)]| {
            for tokenizer in both(model_type) {
                for &(token, id) in tokens {
                    assert_eq!(tokenizer.id(token), Some(id), "{model_type} {token}");
                }
            }
        };
        check(
            "smolvlm",
            &[
                ("<|im_start|>", 1),
                ("<row_6_col_6>", 49_188),
                ("<image>", 49_190),
                ("<end_of_utterance>", 49_279),
            ],
        );
        check(
            "moondream1",
            &[("<|endoftext|>", 0), ("<|md_reserved_2|>", 3)],
        );
        check(
            "llava_next",
            &[
                ("</s>", 2),
                ("▁", 28_705),
                ("<image>", 32_000),
                ("<pad>", 32_001),
            ],
        );
        check(
            "phi3_v",
            &[
                ("▁", 29_871),
                ("<|assistant|>", 32_001),
                ("<|placeholder4|>", 32_005),
                ("<|system|>", 32_006),
                ("<|end|>", 32_007),
                ("<|placeholder5|>", 32_008),
                ("<|user|>", 32_010),
                ("<|placeholder39|>", 32_043),
                ("<|image|>", 32_044),
            ],
        );
    }

    #[test]
    fn any_text_comes_back() {
        for model_type in ["smolvlm", "moondream1", "llava_next", "phi3_v"] {
            for tokenizer in both(model_type) {
                let text = "User: née  犬\nyes";
                let ids = tokenizer.encode(text).unwrap();
                assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{model_type}");
            }
        }
    }

    #[test]
    fn white_space_around_special_tokens_is_cut_as_published() {
        for tokenizer in both("llava_next") {
            let ids = tokenizer.encode("[INST] <image>\n").unwrap();
            let at = ids.iter().position(|id| *id == 32_000).unwrap();
            assert_eq!(
                (ids[0], ids[at - 1], &ids[at..]),
                (1, 28_705, &[32_000, 28_705, 13][..])
            );
        }
        for tokenizer in both("phi3_v") {
            let ids = tokenizer
                .encode("<|user|>\n<|end|>\n<|assistant|>\n")
                .unwrap();
            assert_eq!(ids, [1, 32_010, 29_871, 13, 32_007, 29_871, 13, 32_001]);
        }
    }

    /// With the true tokenizer, the side files give the ids of the published model.
    #[test]
    fn published_prompts_have_their_published_ids() {
        if std::env::var_os("VLM_BENCH_TOKENIZERS").is_none() {
            eprintln!("note: VLM_BENCH_TOKENIZERS is not set, the published ids are not checked");
            return;
        }
        let check = |name: &str, image: &str, messages: &[Message], wanted: &[u32]| {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../datasets/published")
                .join(name);
            let family = Family::of(&crate::models::model_type(&dir).unwrap()).unwrap();
            let images = usize::from(!image.is_empty());
            let template = ChatTemplate::load(&dir).unwrap();
            let text = template.render(messages, images, |_| image.to_owned());
            let ids = load(&family.json().unwrap()).encode(&text.unwrap());
            assert_eq!(ids.unwrap(), wanted, "{name}");
        };
        let capital = [Message::user("What is the capital of France?")];
        check(
            "LLaVA-v1.6-Mistral-7B-MLX",
            "<image>\n",
            &[Message::user("What is shown in this image?")],
            &[
                1, 733, 16_289, 28_793, 28_705, 32_000, 28_705, 13, 3195, 349, 4894, 297, 456,
                3469, 28_804, 733, 28_748, 16_289, 28_793,
            ],
        );
        check(
            "LLaVA-v1.6-Mistral-7B-MLX",
            "",
            &capital,
            &[
                1, 733, 16_289, 28_793, 1824, 349, 272, 5565, 302, 4843, 28_804, 733, 28_748,
                16_289, 28_793,
            ],
        );
        check(
            "Phi-3.5-Vision-Instruct",
            "",
            &capital,
            &[
                1, 32_010, 29_871, 13, 5618, 338, 278, 7483, 310, 3444, 29_973, 32_007, 29_871, 13,
                32_001,
            ],
        );
    }
}
