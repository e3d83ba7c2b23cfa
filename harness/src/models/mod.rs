//! The architectures, and which one a checkpoint is.

pub mod published;
pub mod smolvlm;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::side_file::read_json;
use crate::subject::{Request, Subject};
use crate::tensor::Tensor;
use crate::weights::Facts;

/// A tensor library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// candle.
    Candle,
}

impl Backend {
    /// Every backend this program knows, built in or not.
    pub const ALL: &'static [Self] = &[Self::Candle];

    /// Whether it was compiled in.
    #[must_use]
    pub const fn built_in(self) -> bool {
        match self {
            Self::Candle => cfg!(feature = "candle"),
        }
    }

    /// Settings that a worker of this library is started with, where the user has none of their own.
    ///
    /// candle 0.11 asks the system for the number of processors at every product unless it is
    /// told, and the threads of its second pool spin 25,000 rounds before they sleep: together they
    /// double the time of a small model on a busy machine.
    #[must_use]
    pub fn environment(self, threads: u32) -> Vec<(&'static str, String)> {
        match self {
            Self::Candle => vec![
                ("RAYON_NUM_THREADS", threads.to_string()),
                ("CANDLE_BARRIER_POOL_SPIN_LIMIT", "100".to_owned()),
            ],
        }
    }
}

/// Where a backend computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    Cpu,
}

impl Device {
    /// Every device this program knows.
    pub const ALL: &'static [Self] = &[Self::Cpu];
}

macro_rules! named {
    ($type:ident, $what:literal, $($variant:ident $name:literal),*) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $name,)* })
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(format!(concat!("unknown ", $what, " {:?}: known: {}"), name, [$($name),*].join(", "))),
                }
            }
        }
    };
}

named!(Backend, "backend", Candle "candle");
named!(Device, "device", Cpu "cpu");

/// A prompt, ready for the device: everything that is done on the host.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    /// As the template renders it.
    pub text: String,
    /// Ids after placeholder expansion.
    pub ids: Vec<u32>,
    /// Positions in `ids` that take image features, ascending.
    pub image_positions: Vec<usize>,
    /// Pixels of each picture's frames, `[count, side, side, 3]`.
    pub frames: Vec<smolvlm::image::Frames>,
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
    /// Whatever is wrong with pictures or messages.
    fn prompt(&self, request: &Request<'_>) -> Result<Prompt>;

    /// Features of all pictures, `[image positions, dim]`; none without a picture.
    ///
    /// # Errors
    /// When the library fails.
    fn encode(&self, prompt: &Prompt) -> Result<Option<Self::Tensor>>;

    /// An empty cache with room for `capacity` positions.
    ///
    /// # Errors
    /// When that is more than the model was made for.
    fn cache(&self, capacity: usize) -> Result<Self::Cache>;

    /// Feeds the whole prompt in one pass; logits of its last position, `[vocab]`.
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

    /// Size of the vocabulary and where tensors live.
    fn vocabulary(&self) -> (usize, &<Self::Tensor as Tensor>::Device);

    /// What the weight files held.
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

/// Loads the model in `dir`, whatever its architecture, ready for its first request.
///
/// # Errors
/// When a file is missing or wrong, or the architecture or backend is not there.
pub fn load(dir: &Path, backend: Backend, device: Device) -> Result<Box<dyn Subject>> {
    match (backend, device) {
        #[cfg(feature = "candle")]
        (Backend::Candle, Device::Cpu) => {
            load_on::<crate::tensor::candle::Candle>(dir, crate::tensor::candle::On::cpu())
        }
        #[cfg(not(feature = "candle"))]
        (Backend::Candle, Device::Cpu) => {
            let _ = dir;
            Err(Error::Unsupported(
                "this program was built without the candle backend".to_owned(),
            ))
        }
    }
}

/// Loads onto one library's device: the registry of architectures.
///
/// # Errors
/// As [`load`].
pub fn load_on<T: Tensor + 'static>(dir: &Path, on: T::Device) -> Result<Box<dyn Subject>> {
    let architecture = model_type(dir)?;
    match architecture.as_str() {
        "idefics3" | "smolvlm" => Ok(Box::new(crate::generate::Engine::new(
            smolvlm::SmolVlm::<T>::load(dir, &on)?,
            dir,
        )?)),
        other => Err(Error::Unsupported(format!(
            "model_type {other:?} in {}: known: idefics3, smolvlm",
            dir.display()
        ))),
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
