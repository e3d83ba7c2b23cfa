//! Moondream2's vision tower, and how the features of overlapping crops become those of one picture.

use super::config::VisionConfig;
use crate::error::Result;
use crate::nn::attention::Qkv;
use crate::nn::mlp::{Activation, Mlp};
use crate::nn::norm::LayerNorm;
use crate::nn::vit::{Block, in_parts};
use crate::picture::Frames;
use crate::tensor::{DType, Tensor};
use crate::weights::Weights;

/// Patch embedding, learned positions, blocks, closing norm; projector.
pub(super) struct Vision<T: Tensor> {
    patches: T::Linear,
    positions: T,
    blocks: Vec<Block<T>>,
    closing: LayerNorm<T>,
    projector: Mlp<T>,
    config: VisionConfig,
    dtype: DType,
    on: T::Device,
}

impl<T: Tensor> Vision<T> {
    /// Reads the tower below `weights` and the two layers of the projector; `out` is the language
    /// model's width.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub(super) fn load(
        weights: &Weights<'_, T>,
        projector: &Weights<'_, T>,
        config: VisionConfig,
        out: usize,
    ) -> Result<Self> {
        let (c, blocks) = (&config, weights.at("blocks"));
        Ok(Self {
            patches: weights.linear_biased("patch_emb", c.dim, 3 * c.patch * c.patch)?,
            positions: weights.tensor("pos_emb", &[1, c.side() * c.side(), c.dim])?,
            blocks: (0..c.layers)
                .map(|i| block(&blocks.at(i), c))
                .collect::<Result<_>>()?,
            closing: LayerNorm::load(&weights.at("post_ln"), c.dim, c.eps)?,
            projector: Mlp::new(
                projector.linear_biased("fc1", c.projector, 2 * c.dim)?,
                Activation::GeluTanh,
                projector.linear_biased("fc2", out, c.projector)?,
            ),
            dtype: weights.dtype(),
            on: weights.on().clone(),
            config,
        })
    }

    /// Features of each frame, `[frames, side^2, dim]`, patches row by row.
    ///
    /// # Errors
    /// When the library fails.
    pub(super) fn see(&self, frames: &Frames) -> Result<T> {
        let dims = [frames.count, frames.side, frames.side, 3];
        let pixels = T::from_f32(&frames.pixels, &dims, self.dtype, &self.on)?;
        let side = self.config.side();
        in_parts(&pixels, side * side * self.config.inner, &self.on, |part| {
            let mut x = self.embed(part)?;
            for block in &self.blocks {
                x = block.forward(&x, self.config.heads)?;
            }
            self.closing.forward(&x)
        })
    }

    /// Pixels `[frames, crop, crop, 3]` to what enters the first block: the values of a patch channel by
    /// channel, row by row.
    fn embed(&self, pixels: &T) -> Result<T> {
        let (frames, side, patch) = (pixels.dims()[0], self.config.side(), self.config.patch);
        let grid = pixels.reshape(&[frames, side, patch, side, patch, 3])?;
        let rows = grid.permute(&[0, 1, 3, 5, 2, 4])?;
        let rows = rows.reshape(&[frames, side * side, 3 * patch * patch])?;
        rows.linear(&self.patches)?.add(&self.positions)
    }

    /// Features of all frames of a picture -> `[side^2, out]`: those of the whole picture beside those of
    /// its crops, stitched and averaged down to the same grid.
    ///
    /// # Errors
    /// When the library fails.
    pub(super) fn project(&self, seen: &T, frames: &Frames) -> Result<T> {
        let (side, dim) = (self.config.side(), self.config.dim);
        let whole = seen.narrow(0, 0, 1)?.reshape(&[side * side, dim])?;
        let crops = seen.narrow(0, 1, frames.rows * frames.cols)?.reshape(&[
            frames.rows,
            frames.cols,
            side,
            side,
            dim,
        ])?;
        let crops = pool(&stitch(&crops, self.config.margin)?, side, &self.on)?;
        let both = T::concat(&[&whole, &crops.reshape(&[side * side, dim])?], 1)?;
        self.projector.forward(&both)
    }
}

fn block<T: Tensor>(weights: &Weights<'_, T>, c: &VisionConfig) -> Result<Block<T>> {
    let attention = weights.at("attn");
    Ok(Block {
        norm1: LayerNorm::load(&weights.at("ln1"), c.dim, c.eps)?,
        qkv: Qkv::Packed(attention.linear_biased("qkv", 3 * c.dim, c.dim)?),
        out: attention.linear_biased("proj", c.dim, c.dim)?,
        norm2: LayerNorm::load(&weights.at("ln2"), c.dim, c.eps)?,
        mlp: Mlp::load(&weights.at("mlp"), c.dim, c.inner, Activation::GeluTanh)?,
    })
}

/// Crops `[rows, cols, side, side, dim]` -> one grid `[height, width, dim]`: each gives up `margin`
/// cells where it has a neighbour, and keeps them at the picture's border.
///
/// Source: `reconstruct_from_crops` in `image_crops.py` of vikhyat/moondream.
fn stitch<T: Tensor>(crops: &T, margin: usize) -> Result<T> {
    let dims = crops.dims();
    let (rows, cols, side, dim) = (dims[0], dims[1], dims[2], dims[4]);
    let kept = |at: usize, of: usize| {
        let start = if at == 0 { 0 } else { margin };
        let end = if at + 1 == of { side } else { side - margin };
        (start, end - start)
    };
    let mut bands = Vec::new();
    for i in 0..rows {
        let (top, height) = kept(i, rows);
        let mut band = Vec::new();
        for j in 0..cols {
            let (left, width) = kept(j, cols);
            let crop = crops.narrow(0, i, 1)?.narrow(1, j, 1)?;
            let crop = crop.narrow(2, top, height)?.narrow(3, left, width)?;
            band.push(crop.reshape(&[height, width, dim])?);
        }
        bands.push(T::concat(&band.iter().collect::<Vec<_>>(), 1)?);
    }
    T::concat(&bands.iter().collect::<Vec<_>>(), 0)
}

/// Averages a grid `[height, width, dim]` down to `[side, side, dim]`, in f32 whatever its type: one
/// product an axis.
fn pool<T: Tensor>(grid: &T, side: usize, on: &T::Device) -> Result<T> {
    let (dims, dtype) = (grid.dims(), grid.dtype());
    let (height, width, dim) = (dims[0], dims[1], dims[2]);
    if (height, width) == (side, side) {
        return Ok(grid.clone());
    }
    let averages = |of| T::from_f32(&averages(of, side), &[side, of], DType::F32, on);
    let grid = grid.cast(DType::F32)?.reshape(&[height, width * dim])?;
    let grid = averages(height)?.matmul(&grid)?;
    let grid = grid.reshape(&[side, width, dim])?.permute(&[1, 0, 2])?;
    let grid = averages(width)?.matmul(&grid.reshape(&[width, side * dim])?)?;
    let grid = grid.reshape(&[side, side, dim])?.permute(&[1, 0, 2])?;
    grid.cast(dtype)
}

/// `[to, from]`: row `k` averages the cells from `floor(k from / to)` up to `ceil((k + 1) from / to)`.
///
/// Source: torch's `adaptive_avg_pool2d`.
fn averages(from: usize, to: usize) -> Vec<f32> {
    let mut matrix = vec![0f32; to * from];
    for (k, row) in matrix.chunks_exact_mut(from).enumerate() {
        let cells = k * from / to..((k + 1) * from).div_ceil(to);
        let share = 1.0 / cells.len() as f32;
        row[cells].fill(share);
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_uneven_and_overlap_as_torch_has_them() {
        let third = 1.0 / 3.0;
        let wanted = [
            [0.5, 0.5, 0.0, 0.0, 0.0],
            [0.0, third, third, third, 0.0],
            [0.0, 0.0, 0.0, 0.5, 0.5],
        ];
        assert_eq!(averages(5, 3), wanted.concat());
        assert_eq!(averages(2, 2), [1.0, 0.0, 0.0, 1.0]);
    }

    #[cfg(feature = "candle")]
    #[test]
    fn neighbours_give_up_what_they_share() {
        use crate::tensor::candle::{Candle, On};
        // Two crops of 4 x 4 cells that show columns 0 to 3 and 2 to 5 of one row of pictures.
        let cell = |crop: usize, k: usize| (10 * (k / 4) + k % 4 + 2 * crop) as f32;
        let values: Vec<f32> = (0..32).map(|k| cell(k / 16, k % 16)).collect();
        let crops = Candle::from_f32(&values, &[1, 2, 4, 4, 1], DType::F32, &On::cpu()).unwrap();
        let grid = stitch(&crops, 1).unwrap();
        assert_eq!(grid.dims(), [4, 6, 1]);
        let wanted: Vec<f32> = (0..24).map(|k| (10 * (k / 6) + k % 6) as f32).collect();
        assert_eq!(grid.to_f32().unwrap(), wanted);
        let small = pool(&grid, 2, &On::cpu()).unwrap().to_f32().unwrap();
        assert_eq!(small, [6.0, 9.0, 26.0, 29.0]);
    }
}
