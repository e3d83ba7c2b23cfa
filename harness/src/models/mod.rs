//! The architectures, and which one a checkpoint is.

mod backend;
mod config_file;
pub mod listing;
pub mod llava_next;
pub mod moondream2;
pub mod phi35_vision;
mod preprocessor;
pub mod published;
pub mod smolvlm;
pub mod stop_ids;

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::models::listing::Stored;
use crate::models::published::Form;
use crate::picture::Frames;
use crate::side_file::read_json;
use crate::subject::{Allocator, Message, Request, Subject, Turns};
use crate::tensor::{DType, Tensor};
use crate::weights::Facts;
pub use backend::{Backend, Device, Place, Precision};

/// A prompt, ready for the device: everything that is done on the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompt {
    /// As the template renders it, before any placeholder is expanded.
    pub text: String,
    /// Ids after placeholder expansion, as the model's reference implementation lists them:
    /// negative where it marks a picture's position with no id of the vocabulary.
    pub ids: Vec<i64>,
    /// Positions that the language model is fed, `ids` and what is not among them.
    pub positions: usize,
    /// Those of them that take image features, ascending.
    pub image_positions: Vec<usize>,
    /// Each picture, ready for the vision tower.
    pub frames: Vec<Frames>,
}

impl Prompt {
    /// A prompt whose ids are all that is fed.
    #[must_use]
    pub fn of_ids(
        text: String,
        ids: &[u32],
        image_positions: Vec<usize>,
        frames: Vec<Frames>,
    ) -> Self {
        Self {
            text,
            positions: ids.len(),
            ids: ids.iter().map(|&id| i64::from(id)).collect(),
            image_positions,
            frames,
        }
    }

    /// The ids to look embeddings up by: 0 stands where a feature will.
    #[must_use]
    pub fn text_ids(&self) -> Vec<u32> {
        self.ids
            .iter()
            .map(|&id| u32::try_from(id).unwrap_or(0))
            .collect()
    }
}

/// What the checkpoint says about talking to it, beside its weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Ids that end an answer.
    pub stop_ids: Vec<u32>,
    /// Ids that are never chosen after the first one.
    pub never_later: Vec<u32>,
    /// What each picture puts into a rendered prompt; none where pictures leave no mark in it.
    pub placeholder: Option<&'static str>,
    /// Whether earlier turns can be told.
    pub turns: Turns,
}

/// A vision-language model over some tensor library: what [`crate::generate`] drives.
pub trait Vlm {
    /// The library.
    type Tensor: Tensor;
    /// Keys and values of a conversation.
    type Cache;

    /// Host work: pictures decoded and tiled, prompt rendered, expanded and tokenised.
    ///
    /// # Errors
    /// Whatever is wrong with pictures or messages; [`Error::NotOffered`] for what the model's
    /// reference has no form for.
    fn prompt(&self, request: &Request<'_>) -> Result<Prompt>;

    /// Features of all pictures, `[image positions, dim]`; none without a picture.
    ///
    /// # Errors
    /// When the library fails.
    fn encode(&self, prompt: &Prompt) -> Result<Option<Self::Tensor>>;

    /// Positions the model was made for, those of the answer included.
    fn room(&self) -> usize;

    /// An empty cache with room for `capacity` positions.
    ///
    /// # Errors
    /// When the library has no room for it.
    fn cache(&self, capacity: usize) -> Result<Self::Cache>;

    /// Feeds the whole prompt; logits of its last position, `[vocab]`.
    ///
    /// # Errors
    /// When the library fails.
    fn prefill(
        &self,
        prompt: &Prompt,
        features: Option<&Self::Tensor>,
        cache: &mut Self::Cache,
    ) -> Result<Self::Tensor>;

    /// Feeds one id; logits of what follows, `[vocab]`.
    ///
    /// # Errors
    /// When the cache is full, or the library fails.
    fn step(&self, id: u32, cache: &mut Self::Cache) -> Result<Self::Tensor>;

    /// Text of generated ids, special tokens left out.
    ///
    /// # Errors
    /// When an id is unknown.
    fn decode(&self, ids: &[u32]) -> Result<String>;

    /// Size of the vocabulary, type of the activations, and where tensors live.
    fn arithmetic(&self) -> (usize, DType, &<Self::Tensor as Tensor>::Device);

    /// How to talk to it.
    fn manners(&self) -> &Manners;

    /// Bytes of weights that one step reads.
    fn step_bytes(&self) -> u64;

    /// What the weight files held, and what became of it.
    fn facts(&self) -> &Facts;
}

/// The `model_type` of a checkpoint's `config.json`.
///
/// # Errors
/// When the file is missing, broken or names none.
pub fn model_type(dir: &Path) -> Result<String> {
    #[derive(Deserialize)]
    struct Config {
        model_type: String,
    }
    Ok(read_json::<Config>(&dir.join("config.json"))?.model_type)
}

/// An architecture that this program has code for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// SmolVLM and SmolVLM2.
    SmolVlm,
    /// LLaVA-NeXT.
    LlavaNext,
    /// Moondream2.
    Moondream2,
    /// Phi-3-vision and Phi-3.5-vision.
    Phi35Vision,
}

/// The registry: what checkpoints call each architecture.
const ARCHITECTURES: &[(&str, Architecture)] = &[
    ("idefics3", Architecture::SmolVlm),
    ("smolvlm", Architecture::SmolVlm),
    ("llava_next", Architecture::LlavaNext),
    ("moondream1", Architecture::Moondream2), // sic: what Moondream2's files say
    ("phi3_v", Architecture::Phi35Vision),
];

impl Architecture {
    /// That of the checkpoint in `dir`, by its configuration and never by its name.
    ///
    /// # Errors
    /// As [`model_type`]; [`Error::Unsupported`] for one that is not known.
    pub fn of(dir: &Path) -> Result<Self> {
        let wanted = model_type(dir)?;
        let known = ARCHITECTURES.iter().find(|(name, _)| *name == wanted);
        known.map(|(_, architecture)| *architecture).ok_or_else(|| {
            let names: Vec<_> = ARCHITECTURES.iter().map(|(name, _)| *name).collect();
            Error::Unsupported(format!(
                "model_type {wanted:?} in {}: known: {}",
                dir.display(),
                names.join(", ")
            ))
        })
    }
}

/// Every tensor of the model in `dir` as a publication of that form stores them, by its side files
/// alone.
///
/// # Errors
/// When `config.json` is missing or wrong, or of another architecture.
pub fn tensors(dir: &Path, form: Form) -> Result<Vec<Stored>> {
    Ok(match Architecture::of(dir)? {
        Architecture::SmolVlm => {
            smolvlm::shapes::tensors(&smolvlm::config::Config::load(dir)?, form)
        }
        Architecture::LlavaNext => {
            llava_next::shapes::tensors(&llava_next::config::Config::load(dir)?, form)
        }
        Architecture::Moondream2 => {
            moondream2::shapes::tensors(&moondream2::config::Config::of_files(dir)?, form)
        }
        Architecture::Phi35Vision => {
            phi35_vision::shapes::tensors(&phi35_vision::config::Config::load(dir)?, form)
        }
    })
}

/// Does something with the library `T` and its device `on`: the one place that names libraries.
macro_rules! on_library {
    ($place:expr, |$T:ident, $on:ident| $work:expr) => {
        match $place {
            #[cfg(feature = "candle")]
            Place {
                backend: Backend::Candle,
                device,
            } => {
                type $T = crate::tensor::candle::Candle;
                let $on = &crate::tensor::candle::On::at(device)?;
                $work
            }
            #[cfg(feature = "mlx")]
            Place {
                backend: Backend::Mlx,
                device,
            } => {
                type $T = crate::tensor::mlx::Mlx;
                let $on = &crate::tensor::mlx::On::at(device)?;
                $work
            }
            Place {
                backend: Backend::OpenAi,
                ..
            } => Err(Error::Unavailable(
                "backend openai: computes in a server: harness run --backend openai --url http://HOST:PORT"
                    .to_owned(),
            )),
            #[cfg(not(all(feature = "candle", feature = "mlx")))]
            Place { backend, .. } => Err(Error::Unavailable(format!(
                "backend {backend}: not built in: build with --features {backend}"
            ))),
        }
    };
}

/// Loads the model in `dir`, whatever its architecture, ready for its first request.
///
/// # Errors
/// When a file is missing or wrong, or the architecture, backend or device is not there.
pub fn load(
    dir: &Path,
    backend: Backend,
    device: Device,
    precision: Precision,
) -> Result<Box<dyn Subject>> {
    let _ = (dir, precision); // not used where no library is built in
    on_library!(Place { backend, device }, |T, on| load_on::<T>(
        dir, on, precision
    ))
}

/// Computes a first trivial thing: afterwards the device is there and awake.
///
/// # Errors
/// When the library was not built in or has no such device, or this machine has none: in one line,
/// with what to do.
pub fn ready(place: Place) -> Result<()> {
    on_library!(place, |T, on| {
        let one = T::from_f32(&[1.0], &[1], DType::F32, on)?;
        T::eval(&[&one.scale(2.0)?])
    })
}

/// What the library's allocator counts on its device.
///
/// # Errors
/// As [`ready`].
pub fn memory(place: Place) -> Result<Allocator> {
    on_library!(place, |T, on| Ok(
        <<T as Tensor>::Device as crate::tensor::Device>::memory(on)
    ))
}

/// Loads onto one library's device.
///
/// # Errors
/// As [`load`].
pub fn load_on<T: Tensor + 'static>(
    dir: &Path,
    on: &T::Device,
    precision: Precision,
) -> Result<Box<dyn Subject>> {
    let (at, on) = (dir.to_owned(), on.clone());
    match Architecture::of(dir)? {
        Architecture::SmolVlm => engine(
            move || smolvlm::SmolVlm::<T>::load(&at, &on, precision),
            dir,
        ),
        Architecture::LlavaNext => engine(
            move || llava_next::LlavaNext::<T>::load(&at, &on, precision),
            dir,
        ),
        Architecture::Moondream2 => engine(
            move || moondream2::Moondream2::<T>::load(&at, &on, precision),
            dir,
        ),
        Architecture::Phi35Vision => engine(
            move || phi35_vision::Phi35Vision::<T>::load(&at, &on, precision),
            dir,
        ),
    }
}

fn engine<M: Vlm + 'static>(
    make: impl Fn() -> Result<M> + 'static,
    dir: &Path,
) -> Result<Box<dyn Subject>> {
    Ok(Box::new(crate::generate::Engine::new(make, dir)?))
}

/// Refuses messages in which `find` finds a token that stands for a picture or a part of one: a person
/// cannot forge a picture.
///
/// # Errors
/// [`Error::Prompt`] naming the message, counted from 1, and the token.
pub(crate) fn refuse_marks(
    messages: &[Message],
    find: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    for (index, message) in messages.iter().enumerate() {
        if let Some(token) = find(&message.text) {
            return Err(Error::Prompt(format!(
                "message {} contains {token}, which marks a picture: write it differently",
                index + 1
            )));
        }
    }
    Ok(())
}

/// Features of several pictures, `[n, dim]` each, one after the other; none without a picture.
///
/// # Errors
/// When the library fails.
pub(crate) fn join<T: Tensor>(parts: &[T]) -> Result<Option<T>> {
    match parts {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => T::concat(&several.iter().collect::<Vec<_>>(), 0).map(Some),
    }
}

/// Puts features `[n, dim]` in the places of `embedded` `[t, dim]` that `positions` (ascending) name.
///
/// # Errors
/// When the library fails.
pub fn scatter<T: Tensor>(embedded: &T, features: &T, positions: &[usize]) -> Result<T> {
    let mut parts = Vec::new();
    let (mut text, mut seen) = (0, 0); // rows of `embedded` passed, rows of `features` taken
    while seen < positions.len() {
        let start = positions[seen];
        let run = positions[seen..]
            .iter()
            .zip(start..)
            .take_while(|(at, next)| *at == next)
            .count();
        if start > text {
            parts.push(embedded.narrow(0, text, start - text)?);
        }
        parts.push(features.narrow(0, seen, run)?);
        (text, seen) = (start + run, seen + run);
    }
    let len = embedded.dims()[0];
    if text < len {
        parts.push(embedded.narrow(0, text, len - text)?);
    }
    T::concat(&parts.iter().collect::<Vec<_>>(), 0)
}
