//! LLaVA-NeXT (LLaVA 1.6): CLIP, a projector of two layers, Mistral or Llama.
//!
//! Follows transformers, not mlx-vlm, which packs tiles whole and so asks the model something else.
//! Tensor names of transformers before 4.52 and of the MLX conversions (`language_model.model…`) and
//! of later versions (`model.language_model…`) are known.
//!
//! Source: `modeling_llava_next.py` in transformers; golden values in `tests/golden/`.

pub mod config;
pub mod image;
pub mod prompt;
pub mod shapes;

use std::path::Path;

use crate::chat::ChatTemplate;
use crate::error::{Error, Result};
use crate::models::stop_ids::stop_ids;
use crate::models::{Manners, Precision, Prompt, Vlm, join, scatter};
use crate::nn::llama::{Cache, Llama};
use crate::nn::mlp::{Activation, Mlp};
use crate::nn::vit::Vit;
use crate::picture::{Frames, Picture};
use crate::subject::{Request, Turns};
use crate::tensor::{DType, Tensor};
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Facts, Weights};
use config::Config;
use image::{ImageConfig, prepare};
use prompt::{IMAGE, Kept, check_messages, expand};

/// A loaded LLaVA-NeXT.
pub struct LlavaNext<T: Tensor> {
    vision: Vit<T>,
    projector: Mlp<T>,
    /// What ends each row of the tiles' features, `[1, 1, text dim]`.
    newline: T,
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

/// Where the parts are, below which the names are the same everywhere.
struct Names {
    text: &'static str,
    head: &'static str,
    vision: &'static str,
    projector: &'static str,
    newline: &'static str,
}

const NESTED: Names = Names {
    text: "language_model.model",
    head: "language_model",
    vision: "vision_tower.vision_model",
    projector: "multi_modal_projector",
    newline: "image_newline",
};

/// transformers from 4.52 on.
const FLAT: Names = Names {
    text: "model.language_model",
    head: "",
    vision: "model.vision_tower.vision_model",
    projector: "model.multi_modal_projector",
    newline: "model.image_newline",
};

impl<T: Tensor> LlavaNext<T> {
    /// Reads the checkpoint in `dir`.
    ///
    /// # Errors
    /// When a file is missing, broken or does not fit the configuration.
    pub fn load(dir: &Path, on: &T::Device, precision: Precision) -> Result<Self> {
        let (config, image) = (Config::load(dir)?, ImageConfig::load(dir)?);
        let (template, tokenizer) = (ChatTemplate::load(dir)?, Tokenizer::load(dir)?);
        if image.tile != config.vision.image {
            let detail = format!(
                "crop_size.height: tiles of {} pixels, the vision tower takes {}",
                image.tile, config.vision.image
            );
            return Err(Error::Format {
                path: dir.join("preprocessor_config.json"),
                detail,
            });
        }
        let checkpoint = Checkpoint::open(dir)?;
        let facts = checkpoint.facts();
        let dtype = precision.dtype(on, facts.float);
        let root = Weights::<T>::new(&checkpoint, dtype, on);
        let flat = root.has("model.language_model.embed_tokens.weight");
        let names = if flat { FLAT } else { NESTED };
        let (seen, dim) = (config.vision.dim, config.text.dim);
        let projector = root.at(names.projector);
        Ok(Self {
            vision: Vit::load(&root.at(names.vision), config.vision.clone())?,
            projector: Mlp::new(
                projector.linear_biased("linear_1", dim, seen)?,
                Activation::GeluErf,
                projector.linear_biased("linear_2", dim, dim)?,
            ),
            newline: root.tensor(names.newline, &[dim])?.reshape(&[1, 1, dim])?,
            text: Llama::load(
                &root.at(names.text),
                &root.at(names.text).at("embed_tokens"),
                &root.at(names.head),
                config.text.clone(),
            )?,
            manners: Manners {
                stop_ids: stop_ids(dir)?,
                never_later: Vec::new(),
                placeholder: Some(IMAGE),
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

    /// Features of frames `[count, side, side, 3]` before the projector, `[count, patches, dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn see(&self, frames: &Frames) -> Result<T> {
        let dims = [frames.count, frames.side, frames.side, 3];
        self.vision
            .forward(&T::from_f32(&frames.pixels, &dims, self.dtype, &self.on)?)
    }

    /// `[count, patches, dim] -> [count, patches, text dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn project(&self, seen: &T) -> Result<T> {
        self.projector.forward(seen)
    }

    /// Projected features `[count, patches, text dim]` -> `[positions, text dim]`: the whole picture's frame,
    /// then the tiles as one grid without what shows only black, a newline after each row.
    ///
    /// # Errors
    /// When the library fails.
    pub fn pack(&self, projected: &T, frames: &Frames) -> Result<T> {
        let (side, dim) = (self.config.vision.side(), self.config.text.dim);
        let base = projected.narrow(0, 0, 1)?.reshape(&[side * side, dim])?;
        let kept = Kept::of(frames, side);
        if kept.rows == 0 || kept.cols == 0 {
            return Ok(base);
        }
        let (rows, cols) = (frames.rows, frames.cols);
        let grid = projected
            .narrow(0, 1, rows * cols)?
            .reshape(&[rows, cols, side, side, dim])?
            .permute(&[0, 2, 1, 3, 4])?
            .reshape(&[rows * side, cols * side, dim])?
            .narrow(0, kept.top, kept.rows)?
            .narrow(1, kept.left, kept.cols)?;
        let newlines =
            T::zeros(&[kept.rows, 1, dim], grid.dtype(), &self.on)?.add(&self.newline)?;
        let tiles =
            T::concat(&[&grid, &newlines], 1)?.reshape(&[kept.rows * (kept.cols + 1), dim])?;
        T::concat(&[&base, &tiles], 0)
    }

    /// Ids of a rendered prompt. The start token may be both in the text and put before it by the
    /// tokenizer: the model was trained on one.
    fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = self.tokenizer.encode(text)?;
        if ids.len() > 1 && ids[0] == ids[1] && self.tokenizer.id("<s>") == Some(ids[0]) {
            ids.remove(0);
        }
        Ok(ids)
    }
}

impl<T: Tensor> Vlm for LlavaNext<T> {
    type Tensor = T;
    type Cache = Cache<T>;

    fn prompt(&self, request: &Request<'_>) -> Result<Prompt> {
        check_messages(request.messages)?;
        let prepared = |bytes: &&[u8]| prepare(&Picture::decode(bytes)?, &self.image);
        let frames: Vec<_> = request.images.iter().map(prepared).collect::<Result<_>>()?;
        let side = self.config.vision.side();
        let counts: Vec<_> = frames
            .iter()
            .map(|f| Kept::of(f, side).positions(side))
            .collect();
        let mark = |_| format!("{IMAGE}\n");
        let text = self.template.render(request.messages, frames.len(), mark)?;
        let (ids, positions) = expand(&self.ids(&text)?, self.config.image_token, &counts)?;
        Ok(Prompt::of_ids(text, &ids, positions, frames))
    }

    fn encode(&self, prompt: &Prompt) -> Result<Option<T>> {
        let packed = |frames| self.pack(&self.project(&self.see(frames)?)?, frames);
        join(
            &prompt
                .frames
                .iter()
                .map(packed)
                .collect::<Result<Vec<_>>>()?,
        )
    }

    fn room(&self) -> usize {
        self.text.config().max_len
    }

    fn cache(&self, capacity: usize) -> Result<Self::Cache> {
        self.text.cache(capacity)
    }

    fn prefill(&self, prompt: &Prompt, features: Option<&T>, cache: &mut Self::Cache) -> Result<T> {
        let embedded = self.text.embed(&prompt.text_ids())?;
        let fed = match features {
            None => embedded,
            Some(features) => scatter(&embedded, features, &prompt.image_positions)?,
        };
        self.text.forward(&fed, cache)
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
