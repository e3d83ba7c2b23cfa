//! Phi-3.5-vision and Phi-3-vision: CLIP, tiles as one grid between learned separators, Phi-3.
//!
//! Follows the code beside the published weights, not mlx-vlm, which stretches pictures, mixes up the
//! rows of tiles that stand side by side and drops the start token after a picture.
//!
//! Source: `modeling_phi3_v.py`, `processing_phi3_v.py` there; golden values in `tests/golden/`.

pub mod config;
pub mod image;
pub mod prompt;
pub mod shapes;

use std::path::Path;

use crate::chat::ChatTemplate;
use crate::error::Result;
use crate::models::stop_ids::stop_ids;
use crate::models::{Manners, Precision, Prompt, Vlm, join, scatter};
use crate::nn::llama::{Cache, Llama};
use crate::nn::mlp::{Activation, Mlp};
use crate::nn::patches;
use crate::nn::vit::Vit;
use crate::picture::{Frames, Picture};
use crate::subject::{Request, Turns};
use crate::tensor::{DType, Tensor};
use crate::tokenizer::Tokenizer;
use crate::weights::{Checkpoint, Facts, Weights};
use config::{Config, MERGED};
use image::{ImageConfig, prepare};
use prompt::{IMAGE, check_messages, expand, mark, positions};

const TEXT: &str = "model";
const IMAGES: &str = "model.vision_embed_tokens";
/// Below [`IMAGES`].
const CLIP: &str = "img_processor.vision_model";

/// A loaded Phi-3.5-vision.
pub struct Phi35Vision<T: Tensor> {
    vision: Vit<T>,
    /// What ends each row of tokens, `[1, 1, wide]`.
    row_end: T,
    /// What stands between tiles and overview, `[1, wide]`.
    between: T,
    projection: Mlp<T>,
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

impl<T: Tensor> Phi35Vision<T> {
    /// Reads the checkpoint in `dir`.
    ///
    /// # Errors
    /// When a file is missing, broken or does not fit the configuration.
    pub fn load(dir: &Path, on: &T::Device, precision: Precision) -> Result<Self> {
        let config = Config::load(dir)?;
        let image = ImageConfig::load(dir, config.vision.image)?;
        let (template, tokenizer) = (ChatTemplate::load(dir)?, Tokenizer::load(dir)?);
        let checkpoint = Checkpoint::open(dir)?;
        let facts = checkpoint.facts();
        let dtype = precision.dtype(on, facts.float);
        let root = Weights::<T>::new(&checkpoint, dtype, on);
        let (images, text) = (root.at(IMAGES), root.at(TEXT));
        let (wide, dim) = (config.wide(), config.text.dim);
        let projection = images.at("img_projection");
        // Pictures and text share one table, which Hugging Face's files may keep under either's name.
        let table = match images.has("wte.weight") {
            true => images.at("wte"),
            false => text.at("embed_tokens"),
        };
        Ok(Self {
            vision: Vit::load(&images.at(CLIP), config.vision.clone())?,
            row_end: images
                .tensor("sub_GN", &[1, 1, 1, wide])?
                .reshape(&[1, 1, wide])?,
            between: images
                .tensor("glb_GN", &[1, 1, wide])?
                .reshape(&[1, wide])?,
            projection: Mlp::new(
                projection.linear_biased("0", dim, wide)?,
                Activation::GeluErf,
                projection.linear_biased("2", dim, dim)?,
            ),
            text: Llama::load(&text, &table, &root, config.text.clone())?,
            manners: Manners {
                stop_ids: all_stop_ids(dir, &tokenizer)?,
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

    /// Features of frames `[count, side, side, 3]` before the projection, `[count, patches, dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn see(&self, frames: &Frames) -> Result<T> {
        let dims = [frames.count, frames.side, frames.side, 3];
        self.vision
            .forward(&T::from_f32(&frames.pixels, &dims, self.dtype, &self.on)?)
    }

    /// Features `[count, patches, dim]` -> `[positions, text dim]`: four patches to a token, the tiles as
    /// one grid, then the overview, a separator after each row and between the two, all projected.
    ///
    /// # Errors
    /// When the library fails.
    pub fn connect(&self, seen: &T, frames: &Frames) -> Result<T> {
        let (rows, cols, side) = (frames.rows, frames.cols, self.config.side());
        let wide = self.config.wide();
        let merged = patches::merge(seen, self.config.vision.side(), MERGED)?;
        let grid = merged
            .narrow(0, 1, rows * cols)?
            .reshape(&[rows, cols, side, side, wide])?
            .permute(&[0, 2, 1, 3, 4])?
            .reshape(&[rows * side, cols * side, wide])?;
        let overview = merged.narrow(0, 0, 1)?.reshape(&[side, side, wide])?;
        let (grid, overview) = (self.end_rows(&grid)?, self.end_rows(&overview)?);
        let all = T::concat(&[&grid, &self.between, &overview], 0)?;
        self.projection.forward(&all)
    }

    /// `[rows, cols, wide] -> [rows * (cols + 1), wide]`: a separator after each row.
    fn end_rows(&self, grid: &T) -> Result<T> {
        let dims = grid.dims();
        let (rows, cols, wide) = (dims[0], dims[1], dims[2]);
        let ends = T::zeros(&[rows, 1, wide], grid.dtype(), &self.on)?.add(&self.row_end)?;
        T::concat(&[grid, &ends], 1)?.reshape(&[rows * (cols + 1), wide])
    }
}

/// What the configuration names, and what ends a turn in the template: the published files name an id
/// that the model never says.
fn all_stop_ids(dir: &Path, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let mut ids = stop_ids(dir)?;
    let turn_ends = ["<|end|>", "<|endoftext|>"].map(|token| tokenizer.id(token));
    for id in turn_ends.into_iter().flatten() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

impl<T: Tensor> Vlm for Phi35Vision<T> {
    type Tensor = T;
    type Cache = Cache<T>;

    fn prompt(&self, request: &Request<'_>) -> Result<Prompt> {
        check_messages(request.messages)?;
        let prepared = |bytes: &&[u8]| prepare(&Picture::decode(bytes)?, &self.image);
        let frames: Vec<_> = request.images.iter().map(prepared).collect::<Result<_>>()?;
        let side = self.config.side();
        let counts: Vec<_> = frames.iter().map(|f| positions(f, side)).collect();
        let line = |number| format!("{}\n", mark(number));
        let text = self.template.render(request.messages, frames.len(), line)?;
        let encode = |part: &str| self.tokenizer.encode(part);
        let (ids, image_positions) = expand(&text, &counts, encode)?;
        Ok(Prompt {
            text,
            positions: ids.len(),
            ids,
            image_positions,
            frames,
        })
    }

    fn encode(&self, prompt: &Prompt) -> Result<Option<T>> {
        let features = |frames| self.connect(&self.see(frames)?, frames);
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
