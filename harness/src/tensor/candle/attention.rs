//! Grouped-query attention over candle's products.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops;

use super::cpu;
use crate::tensor::Mask;

/// See [`crate::tensor::Tensor::attention`].
pub(super) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    scale: f32,
    mask: Mask,
) -> Result<Tensor> {
    let (_, heads, queries, _) = q.dims4()?;
    let (_, kv_heads, keys, _) = k.dims4()?;
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) || keys < queries && mask == Mask::Causal {
        let (q, k) = (q.dims(), k.dims());
        candle_core::bail!("attention: queries {q:?} do not fit keys {k:?}");
    }
    if cpu::is_here(q) {
        return cpu::attention(q, k, v, (scale, mask));
    }
    one(q, k, v, scale, mask)
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

    /// The processor's kernel against the devices' chain of candle's operations.
    fn check([queries, keys, dim]: [usize; 3], [heads, kv_heads]: [usize; 2], mask: Mask) {
        let values = |heads, len| {
            let dims = (2, len, heads, dim);
            let x = Tensor::rand(-1f32, 1f32, dims, &Device::Cpu)?;
            x.transpose(1, 2) // read where it lies, not copied
        };
        let run = || {
            let (q, k) = (values(heads, queries)?, values(kv_heads, keys)?);
            let v = values(kv_heads, keys)?;
            let found = attention(&q, &k, &v, 0.3, mask)?;
            let wanted = one(&q, &k.contiguous()?, &v.contiguous()?, 0.3, mask)?;
            assert_eq!(found.dims(), wanted.dims());
            (found - wanted)?.abs()?.max_all()?.to_scalar::<f32>()
        };
        let gap = run().unwrap();
        let what = format!("{queries} queries, {keys} keys of {dim}, {heads}/{kv_heads} heads");
        assert!(gap < 2e-6, "{what}, {mask:?}: {gap}");
    }

    #[test]
    fn heads_on_the_processor_attend_as_candles_operations_do() {
        for mask in [Mask::None, Mask::Causal] {
            for heads in [[3, 3], [6, 2], [4, 1]] {
                for (queries, keys) in [(1, 1), (1, 37), (3, 33), (5, 64), (70, 70), (70, 97)] {
                    check([queries, keys, 16], heads, mask);
                    check([queries, keys, 40], heads, mask);
                }
            }
        }
        check([200, 2300, 64], [2, 1], Mask::Causal);
    }
}
