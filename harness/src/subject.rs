//! A model under test, seen from the outside: picture and messages in, text and stage times out.
//!
//! Hides the tensor library, so that scenarios compile once and are tested against a scripted fake.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Who said a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model, earlier.
    Assistant,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub text: String,
}

impl Message {
    /// A turn of the person.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self {
            role: Role::User,
            text: text.into(),
        }
    }

    /// A turn of the model.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self {
            role: Role::Assistant,
            text: text.into(),
        }
    }
}

/// Whether a model can be told earlier turns of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turns {
    /// Its template has a form for them.
    Many,
    /// It knows one question and one answer.
    One,
}

/// When generation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At the model's own stop ids, or at the limit.
    AtStopId,
    /// At the limit alone: stop ids are never chosen, so that decoding has a fixed length.
    AtLimit,
}

/// Whether the device is waited for between phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// No barriers: what a user feels. `vision` and `prefill` are not known.
    Fused,
    /// A barrier after each phase: every stage is known, the total may be a little longer.
    Phased,
}

/// One request. Greedy, always.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Encoded picture files (PNG, JPEG, …); they belong to the first user turn.
    pub images: &'a [&'a [u8]],
    /// The conversation, ending with a user turn.
    pub messages: &'a [Message],
    /// At most this many ids.
    pub max_new_tokens: usize,
    /// When to end.
    pub stop: Stop,
    /// Barriers or none.
    pub pass: Pass,
}

/// Times since the request was handed over (`t_req`), on the host's monotonic clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// `t_img`: pictures decoded, resized, tiled and normalised, prompt tokenised.
    pub image_prep: Duration,
    /// `t_vis`: vision features ready. Only in a phased pass with a picture.
    pub vision: Option<Duration>,
    /// `t_pre`: last-position logits of the prompt ready. Only in a phased pass.
    pub prefill: Option<Duration>,
    /// `t_1 … t_n`: each generated id on the host.
    pub tokens: Vec<Duration>,
    /// `t_txt`: text detokenised.
    pub total: Duration,
}

/// How much of a request its engine shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// Everything: ids, logits, phases.
    #[default]
    Inside,
    /// Text as it arrives, and [`Counts`].
    Outside,
}

/// What a server that answered says that it counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Prompt positions.
    pub prompt: Option<usize>,
    /// Generated ids, the stop id included.
    pub generated: Option<usize>,
    /// Whether the model ended by itself; a stop id has no text.
    pub ended: bool,
    /// Prompt positions a second, by the server's own clock.
    pub prefill: Option<f64>,
    /// Generated tokens a second, by the server's own clock.
    pub decode: Option<f64>,
}

/// What came back.
///
/// Of a reply seen from [`View::Outside`] there are text, counts and stages alone; `stages.tokens` holds
/// the arrival of each piece of text, which need not be one token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// What a server counted; none where ids are shown, which count themselves.
    pub counts: Option<Counts>,
    /// The rendered prompt before placeholder expansion.
    pub prompt: String,
    /// Prompt ids after expansion, as the model's reference implementation lists them.
    pub input_ids: Vec<i64>,
    /// Positions that the language model was fed, those that no id stands for included.
    pub positions: usize,
    /// How many of them hold image features.
    pub image_tokens: usize,
    /// Pictures that the vision tower was given, tiles and overviews.
    pub tiles: usize,
    /// Bytes read from weight files since the request was handed over; a loaded model needs none.
    pub weights_read: u64,
    /// Generated ids, the stop id included.
    pub output_ids: Vec<u32>,
    /// Their text, special tokens left out, surrounding white space kept.
    pub text: String,
    /// First-step logits over the vocabulary.
    pub first_logits: Vec<f32>,
    /// Distance of the first and second logit at each step.
    pub margins: Vec<f32>,
    /// When what was ready.
    pub stages: Stages,
}

impl Reply {
    /// Generated ids; where a server does not count them, the pieces of text, which are at most as many.
    #[must_use]
    pub fn length(&self) -> usize {
        let pieces = self.stages.tokens.len();
        self.counts.map_or(self.output_ids.len(), |counts| {
            counts.generated.unwrap_or(pieces)
        })
    }
}

/// Facts of a loaded model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// The checkpoint's `model_type`.
    pub architecture: String,
    /// Arithmetic and stored weights, e.g. `f32 (bf16 weights)`.
    pub precision: String,
    /// Bytes of the weight files.
    pub weight_bytes: u64,
    /// Bytes that one copy of the weights takes where it computes: less or more than in the files
    /// where they are kept in another type.
    pub held_bytes: u64,
    /// Bytes of weights that generating one token reads: those of the language model, of an
    /// embedding table one row only.
    pub read_bytes: u64,
    /// Parameters.
    pub parameters: u64,
    /// Ids that end an answer.
    pub stop_ids: Vec<u32>,
    /// What each picture puts into a rendered prompt; none where pictures leave no mark in it.
    pub placeholder: Option<String>,
    /// Whether earlier turns can be told.
    pub turns: Turns,
    /// How much it shows of a request.
    #[serde(default)]
    pub view: View,
}

/// Why a request could not be answered.
pub type AskError = Box<dyn std::error::Error + Send + Sync>;

/// What the model's reference has no form for, where that is why a request was not answered.
#[must_use]
pub fn not_offered(error: &AskError) -> Option<&str> {
    match error.downcast_ref::<Error>() {
        Some(Error::NotOffered(what)) => Some(what),
        _ => None,
    }
}

/// A loaded model.
pub trait Subject {
    /// What was loaded.
    fn loaded(&self) -> &Loaded;

    /// Answers one request.
    ///
    /// # Errors
    /// Whatever the picture, the prompt or the engine got wrong, in one line.
    fn ask(&mut self, request: &Request<'_>) -> Result<Reply, AskError>;

    /// What the library's own allocator counts.
    fn memory(&self) -> Allocator;

    /// Drops the model, empties the library's caches and waits for the device. Asking fails until
    /// [`load`](Self::load).
    ///
    /// # Errors
    /// When the library fails.
    fn unload(&mut self) -> Result<(), AskError>;

    /// Loads the model anew, as the worker first did.
    ///
    /// # Errors
    /// Whatever loading gets wrong.
    fn load(&mut self) -> Result<(), AskError>;

    /// What is to be read beside all its figures, in one line each.
    fn notes(&self) -> &[String] {
        &[]
    }
}

/// Bytes by a tensor library's own counters; none where it keeps no such counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocator {
    /// In use.
    pub active: Option<u64>,
    /// Kept for reuse.
    pub cache: Option<u64>,
    /// Most in use so far.
    pub peak: Option<u64>,
    /// Most that the device's maker recommends to use.
    pub limit: Option<u64>,
}
