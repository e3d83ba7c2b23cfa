//! SmolVLM and SmolVLM2: SigLIP, pixel shuffle, one projection, Llama.
//!
//! The published flavours differ in tensor names (Hugging Face's `model.text_model…` and `lm_head`,
//! MLX's `language_model…`) and in the layout of the patch kernel; the network is the same.
//!
//! Source: `modeling_idefics3.py`, `modeling_smolvlm.py` in transformers; golden values in
//! `tests/golden/`.

pub mod config;
pub mod image;
pub mod prompt;
pub mod shapes;

use std::path::Path;

use crate::chat::ChatTemplate;
use crate::error::{Error, Result};
use crate::models::published::Layout;
use crate::models::stop_ids::stop_ids;
use crate::models::{Manners, Precision, Prompt, Vlm, join, scatter};
use crate::nn::llama::{Cache, Llama};
use crate::nn::patches;
use crate::nn::vit::Vit;
use crate::picture::{Frames, Picture};
use crate::subject::{Request, Turns};
use crate::tensor::{DType, Tensor};
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Facts, Weights};
use config::Config;
use image::{ImageConfig, prepare};
use prompt::{Grid, check_messages, expand};

/// A loaded SmolVLM.
pub struct SmolVlm<T: Tensor> {
    vision: Vit<T>,
    projection: T::Linear,
    text: Llama<T>,
    config: Config,
    image: ImageConfig,
    template: ChatTemplate,
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
    connector: &'static str,
}

const fn names(layout: Layout) -> Names {
    match layout {
        Layout::HuggingFace => Names {
            text: "model.text_model",
            head: "",
            vision: "model.vision_model",
            connector: "model.connector",
        },
        Layout::Mlx => Names {
            text: "language_model",
            head: "language_model",
            vision: "vision_model",
            connector: "connector",
        },
    }
}

impl<T: Tensor> SmolVlm<T> {
    /// Reads the checkpoint in `dir`.
    ///
    /// # Errors
    /// When a file is missing, broken or does not fit the configuration.
    pub fn load(dir: &Path, on: &T::Device, precision: Precision) -> Result<Self> {
        let config = Config::load(dir)?;
        let (image, template, tokenizer) = (
            ImageConfig::load(dir)?,
            ChatTemplate::load(dir)?,
            Tokenizer::load(dir)?,
        );
        let checkpoint = Checkpoint::open(dir)?;
        let mlx = checkpoint.has("language_model.embed_tokens.weight");
        let names = names(if mlx {
            Layout::Mlx
        } else {
            Layout::HuggingFace
        });
        let facts = checkpoint.facts();
        let dtype = precision.dtype(on, facts.float);
        let root = Weights::<T>::new(&checkpoint, dtype, on);
        let head = root.at(names.head);
        let table = root.at(names.text).at("embed_tokens");
        let wide = config.vision.dim * config.shuffle * config.shuffle;
        let connector = root.at(names.connector).at("modality_projection");
        if image.tile != config.vision.image {
            let detail = format!(
                "tiles of {} pixels, the vision tower takes {}",
                image.tile, config.vision.image
            );
            return Err(Error::Format {
                path: dir.join("preprocessor_config.json"),
                detail,
            });
        }
        Ok(Self {
            vision: Vit::load(&root.at(names.vision), config.vision.clone())?,
            projection: connector.linear("proj", config.text.dim, wide)?,
            text: Llama::load(&root.at(names.text), &table, &head, config.text.clone())?,
            manners: Manners {
                stop_ids: stop_ids(dir)?,
                never_later: Vec::new(),
                placeholder: Some(prompt::IMAGE),
                turns: Turns::Many,
            },
            // Read last: everything is made by then.
            facts: Facts {
                held: root.held(),
                ..facts
            },
            dtype,
            on: on.clone(),
            config,
            image,
            template,
            tokenizer,
        })
    }

    /// Sizes.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Features of frames `[count, side, side, 3]` before the connector, `[count, patches, dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn see(&self, frames: &Frames) -> Result<T> {
        let dims = [frames.count, frames.side, frames.side, 3];
        self.vision
            .forward(&T::from_f32(&frames.pixels, &dims, self.dtype, &self.on)?)
    }

    /// `[count, patches, dim] -> [count, tokens, text dim]`: what takes the placeholders' places.
    ///
    /// # Errors
    /// When the library fails.
    pub fn connect(&self, seen: &T) -> Result<T> {
        patches::merge(seen, self.config.vision.side(), self.config.shuffle)?
            .linear(&self.projection)
    }
}

impl<T: Tensor> Vlm for SmolVlm<T> {
    type Tensor = T;
    type Cache = Cache<T>;

    fn prompt(&self, request: &Request<'_>) -> Result<Prompt> {
        check_messages(request.messages)?;
        let prepared = |bytes: &&[u8]| prepare(&Picture::decode(bytes)?, &self.image);
        let frames = request
            .images
            .iter()
            .map(prepared)
            .collect::<Result<Vec<_>>>()?;
        let grids: Vec<_> = frames
            .iter()
            .map(|f| Grid {
                rows: f.rows,
                cols: f.cols,
            })
            .collect();
        let text = self
            .template
            .render(request.messages, frames.len(), |_| prompt::IMAGE.to_owned())?;
        let ids = self
            .tokenizer
            .encode(&expand(&text, &grids, self.config.tokens_per_frame())?)?;
        let image_positions: Vec<_> = (0..ids.len())
            .filter(|&i| ids[i] == self.config.image_token)
            .collect();
        let wanted = frames.iter().map(|f| f.count).sum::<usize>() * self.config.tokens_per_frame();
        if image_positions.len() != wanted {
            let detail = format!(
                "{} image positions where the pictures fill {wanted}",
                image_positions.len()
            );
            return Err(Error::Prompt(detail));
        }
        Ok(Prompt::of_ids(text, &ids, image_positions, frames))
    }

    fn encode(&self, prompt: &Prompt) -> Result<Option<T>> {
        let mut parts = Vec::new();
        for frames in &prompt.frames {
            let features = self.connect(&self.see(frames)?)?;
            parts.push(features.reshape(&[
                frames.count * self.config.tokens_per_frame(),
                self.config.text.dim,
            ])?);
        }
        join(&parts)
    }

    fn room(&self) -> usize {
        self.text.config().max_len
    }

    fn cache(&self, capacity: usize) -> Result<Self::Cache> {
        self.text.cache(capacity)
    }

    fn prefill(&self, prompt: &Prompt, features: Option<&T>, cache: &mut Self::Cache) -> Result<T> {
        let embedded = self.text.embed(&prompt.text_ids())?;
        match features {
            None => self.text.forward(&embedded, cache),
            Some(features) => self.text.forward(
                &scatter(&embedded, features, &prompt.image_positions)?,
                cache,
            ),
        }
    }

    fn step(&self, id: u32, cache: &mut Self::Cache) -> Result<T> {
        self.text.forward(&self.text.embed(&[id])?, cache)
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
