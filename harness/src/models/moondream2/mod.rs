//! Moondream2: a SigLIP-like tower over overlapping crops, and Phi-1.5 behind them.
//!
//! The picture comes first and every position of it sees all others; what follows sees what came
//! before. The picture is fed in a pass of its own, so neither pass needs a mask that is half and half.
//!
//! Source: vikhyat/moondream at 44146f1 (2025-06-21) and 8ac77eb (2025-01-09); golden values in
//! `tests/golden/`. mlx-vlm's port cuts and pools otherwise.

pub mod config;
pub mod image;
pub mod prompt;
mod revision;
pub mod shapes;
mod vision;

use std::path::Path;

use crate::error::Result;
use crate::models::published::Layout;
use crate::models::{Manners, Precision, Prompt, Vlm, join};
use crate::nn::KvCache;
use crate::nn::phi::Phi;
use crate::picture::{Frames, Picture};
use crate::subject::{Request, Turns};
use crate::tensor::{DType, Mask, Tensor};
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Facts, Weights};
use config::Config;
use image::{ImageConfig, prepare};
use vision::Vision;

pub use revision::revision;

/// A loaded Moondream2.
pub struct Moondream2<T: Tensor> {
    vision: Vision<T>,
    text: Phi<T>,
    config: Config,
    image: ImageConfig,
    tokenizer: Tokenizer,
    facts: Facts,
    manners: Manners,
    dtype: DType,
    on: T::Device,
}

/// Where the parts of a layout are.
struct Names {
    text: &'static str,
    head: &'static str,
    vision: &'static str,
    projector: &'static str,
}

/// As published, and as mlx-vlm 0.7 converts that.
const fn names(layout: Layout) -> Names {
    match layout {
        Layout::HuggingFace => Names {
            text: "model.text",
            head: "model.text",
            vision: "model.vision",
            projector: "model.vision.proj_mlp",
        },
        Layout::Mlx => Names {
            text: "text.model",
            head: "text",
            vision: "vision.encoder",
            projector: "vision.proj_mlp",
        },
    }
}

impl<T: Tensor> Moondream2<T> {
    /// Reads the checkpoint in `dir`.
    ///
    /// # Errors
    /// When a file is missing, broken or does not fit the configuration, or the tokenizer is another
    /// revision's.
    pub fn load(dir: &Path, on: &T::Device, precision: Precision) -> Result<Self> {
        let tokenizer = Tokenizer::load(dir)?;
        let checkpoint = Checkpoint::open(dir)?;
        let facts = checkpoint.facts();
        let config = Config::load(dir, revision(dir, facts.float, &tokenizer)?)?;
        revision::check_tokenizer(dir, &tokenizer, &config.forms)?;
        let dtype = precision.dtype(on, facts.float);
        let names = names(match checkpoint.has("text.model.embed_tokens.weight") {
            true => Layout::Mlx,
            false => Layout::HuggingFace,
        });
        let root = Weights::<T>::new(&checkpoint, dtype, on);
        let [tower, projector, text, head] =
            [names.vision, names.projector, names.text, names.head].map(|name| root.at(name));
        let (vision, forms) = (&config.vision, &config.forms);
        Ok(Self {
            vision: Vision::load(&tower, &projector, vision.clone(), config.text.dim)?,
            text: Phi::load(&text, &head, config.text.clone())?,
            image: ImageConfig {
                crop: vision.crop,
                margin: vision.margin * vision.patch,
                max_crops: vision.max_crops,
                dtype: facts.float,
            },
            manners: Manners {
                stop_ids: vec![forms.eos],
                never_later: forms.answer.into_iter().collect(),
                placeholder: None,
                turns: Turns::One,
            },
            config,
            tokenizer,
            // Read last: everything is made by then.
            facts: Facts {
                held: root.held(),
                ..facts
            },
            dtype,
            on: on.clone(),
        })
    }

    /// Features of frames before the projector, `[count, patches, dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn see(&self, frames: &Frames) -> Result<T> {
        self.vision.see(frames)
    }

    /// What the language model is fed of them, `[patches, text dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn project(&self, seen: &T, frames: &Frames) -> Result<T> {
        self.vision.project(seen, frames)
    }
}

impl<T: Tensor> Vlm for Moondream2<T> {
    type Tensor = T;
    type Cache = Vec<KvCache<T>>;

    fn prompt(&self, request: &Request<'_>) -> Result<Prompt> {
        let asked = self.config.forms.ask(request, &self.tokenizer)?;
        let prepared = |bytes: &&[u8]| prepare(&Picture::decode(bytes)?, &self.image);
        let frames: Vec<_> = request.images.iter().map(prepared).collect::<Result<_>>()?;
        let side = self.config.vision.side();
        let mut prompt = Prompt::of_ids(asked.text, &asked.ids, Vec::new(), frames);
        if !prompt.frames.is_empty() {
            // The start token's position is the first.
            prompt.image_positions = (1..=side * side).collect();
            prompt.positions += 1 + side * side;
        }
        Ok(prompt)
    }

    fn encode(&self, prompt: &Prompt) -> Result<Option<T>> {
        let features = |frames| self.project(&self.see(frames)?, frames);
        let parts: Vec<_> = prompt.frames.iter().map(features).collect::<Result<_>>()?;
        join(&parts)
    }

    fn room(&self) -> usize {
        self.text.config().max_len
    }

    fn cache(&self, capacity: usize) -> Result<Self::Cache> {
        self.text.cache(capacity)
    }

    fn prefill(&self, prompt: &Prompt, features: Option<&T>, cache: &mut Self::Cache) -> Result<T> {
        if let Some(features) = features {
            let start = self.text.embed(&[self.config.forms.bos])?;
            let picture = T::concat(&[&start, features], 0)?;
            self.text.feed(&picture, cache, Mask::None)?;
        }
        let embedded = self.text.embed(&prompt.text_ids())?;
        self.text
            .logits(&self.text.feed(&embedded, cache, Mask::Causal)?)
    }

    fn step(&self, id: u32, cache: &mut Self::Cache) -> Result<T> {
        let embedded = self.text.embed(&[id])?;
        self.text
            .logits(&self.text.feed(&embedded, cache, Mask::Causal)?)
    }

    fn decode(&self, ids: &[u32]) -> Result<String> {
        self.tokenizer.decode(ids)
    }

    fn arithmetic(&self) -> (usize, DType, &T::Device) {
        (self.config.text.vocab, self.dtype, &self.on)
    }

    fn manners(&self) -> &Manners {
        &self.manners
    }

    fn step_bytes(&self) -> u64 {
        self.text.step_bytes()
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}
