//! Grouped-query attention over candle's products.

use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::ops;

use super::cpu::Softmax;
use crate::tensor::Mask;

/// Scores kept at once: beyond this the batch is taken one by one, so that 13 tiles of 12 heads of
/// 1024 x 1024 need 50 MB instead of 654.
const MAX_SCORES: usize = 16 * 1024 * 1024;

/// See [`crate::tensor::Tensor::attention`].
pub(super) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f32,
    mask: Mask,
) -> Result<Tensor> {
    let (batch, heads, queries, _) = q.dims4()?;
    let (_, kv_heads, keys, _) = k.dims4()?;
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) || keys < queries && mask == Mask::Causal {
        candle_core::bail!(
            "attention: queries {:?} do not fit keys {:?}",
            q.dims(),
            k.dims()
        );
    }
    if batch == 1 || batch * heads * queries * keys <= MAX_SCORES {
        return one(q, k, v, scale, mask);
    }
    let each = |b: usize| one(&q.i(b..=b)?, &k.i(b..=b)?, &v.i(b..=b)?, scale, mask);
    Tensor::cat(&(0..batch).map(each).collect::<Result<Vec<_>>>()?, 0)
}

/// Queries that share keys are stacked into the rows of one product, so that keys are never tiled.
fn one(q: &Tensor, k: &Tensor, v: &Tensor, scale: f32, mask: Mask) -> Result<Tensor> {
    let (batch, heads, queries, dim) = q.dims4()?;
    let (_, kv_heads, keys, _) = k.dims4()?;
    let grouped = (batch, kv_heads, heads / kv_heads * queries, dim);
    let scores = q
        .contiguous()?
        .reshape(grouped)?
        .matmul(&k.transpose(2, 3)?)?;
    let weights = probabilities(
        scores,
        scale,
        (mask == Mask::Causal).then_some(queries),
        keys,
    )?;
    weights
        .matmul(v)?
        .reshape((batch, heads, queries, v.dim(3)?))
}

/// `scores`: `[b, kv_heads, group * queries, keys]`.
fn probabilities(scores: Tensor, scale: f32, causal: Option<usize>, keys: usize) -> Result<Tensor> {
    if matches!(scores.device(), Device::Cpu) && scores.dtype() == DType::F32 {
        scores.inplace_op1(&Softmax { scale, causal })?;
        return Ok(scores);
    }
    let dtype = scores.dtype();
    let scores = scores.to_dtype(DType::F32)?.affine(f64::from(scale), 0.0)?;
    let scores = match causal {
        None | Some(1) => scores,
        Some(queries) => {
            let dims = scores.dims().to_vec();
            let hidden = causal_bias(queries, keys, scores.device())?;
            let rows = (dims[0], dims[1], dims[2] / queries, queries, keys);
            scores
                .reshape(rows)?
                .broadcast_add(&hidden)?
                .reshape(dims)?
        }
    };
    ops::softmax_last_dim(&scores)?.to_dtype(dtype)
}

/// `[queries, keys]`: 0 where a query may see a key, minus infinity elsewhere.
fn causal_bias(queries: usize, keys: usize, device: &Device) -> Result<Tensor> {
    let seen = |i: usize| keys - queries + i;
    let bias = |i: usize| {
        (0..keys).map(move |j| {
            if j <= seen(i) {
                0f32
            } else {
                f32::NEG_INFINITY
            }
        })
    };
    Tensor::from_vec(
        (0..queries).flat_map(bias).collect(),
        (queries, keys),
        device,
    )
}
