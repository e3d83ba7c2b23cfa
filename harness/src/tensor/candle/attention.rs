//! Grouped-query attention over candle's products.

use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::ops;

use super::cpu::Softmax;
use crate::tensor::Mask;

/// Scores kept at once on a processor: 16 MiB of f32. More of them leave the caches, and buffers
/// from 32 MiB on are mapped anew, page by page, at every call.
const MAX_SCORES: usize = 4 << 20;

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
        let (q, k) = (q.dims(), k.dims());
        candle_core::bail!("attention: queries {q:?} do not fit keys {k:?}");
    }
    let group = heads / kv_heads;
    let at_once = (MAX_SCORES / (group * queries * keys).max(1)).max(1);
    if !matches!(q.device(), Device::Cpu) || batch * kv_heads <= at_once {
        return one(q, k, v, scale, mask);
    }
    in_parts([q, k, v], at_once, &|q, k, v| one(q, k, v, scale, mask))
}

/// A computation over `[q, k, v]` and what it gives.
type Attend<'a> = &'a dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

/// Attends for each batch entry, `at_once` key heads at a time, and joins the results.
fn in_parts([q, k, v]: [&Tensor; 3], at_once: usize, attend: Attend<'_>) -> Result<Tensor> {
    let (batch, kv_heads) = (k.dim(0)?, k.dim(1)?);
    let group = q.dim(1)? / kv_heads;
    let mut rows = Vec::with_capacity(batch);
    for b in 0..batch {
        let (q, k, v) = (q.i(b..=b)?, k.i(b..=b)?, v.i(b..=b)?);
        let part = |start: usize| {
            let len = at_once.min(kv_heads - start);
            let q = q.narrow(1, start * group, len * group)?;
            attend(&q, &k.narrow(1, start, len)?, &v.narrow(1, start, len)?)
        };
        let parts = (0..kv_heads).step_by(at_once).map(part);
        rows.push(Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 1)?);
    }
    Tensor::cat(&rows, 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_give_what_the_whole_gives() -> Result<()> {
        let values = |heads| Tensor::rand(-1f32, 1f32, (2, heads, 5, 8), &Device::Cpu);
        let (q, k, v) = (values(6)?, values(3)?, values(3)?);
        for mask in [Mask::None, Mask::Causal] {
            let attend = |q: &Tensor, k: &Tensor, v: &Tensor| one(q, k, v, 0.3, mask);
            let whole = attend(&q, &k, &v)?.flatten_all()?.to_vec1::<f32>()?;
            for at_once in [1, 2, 3] {
                let parts = in_parts([&q, &k, &v], at_once, &attend)?;
                assert_eq!(parts.dims(), [2, 6, 5, 8]);
                assert_eq!(
                    parts.flatten_all()?.to_vec1::<f32>()?,
                    whole,
                    "{at_once} {mask:?}"
                );
            }
        }
        Ok(())
    }
}
