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
    check(q, k, v, mask)?;
    if cpu::is_here(q) {
        return cpu::attention(q, k, v, (scale, mask));
    }
    one(q, k, v, scale, mask)
}

fn check(q: &Tensor, k: &Tensor, v: &Tensor, mask: Mask) -> Result<()> {
    let (batch, heads, queries, dim) = q.dims4()?;
    let (_, kv_heads, keys, _) = k.dims4()?;
    let (_, _, _, value_dim) = v.dims4()?;
    let fits = k.dims() == [batch, kv_heads, keys, dim]
        && v.dims() == [batch, kv_heads, keys, value_dim]
        && heads.checked_rem(kv_heads) == Some(0)
        && (mask == Mask::None || queries <= keys);
    if fits && k.elem_count() > 0 && v.elem_count() > 0 {
        return Ok(());
    }
    let (q, k, v) = (q.dims(), k.dims(), v.dims());
    candle_core::bail!("attention: queries {q:?} do not fit keys {k:?} and values {v:?}")
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
    fn attends([queries, keys, dim]: [usize; 3], [heads, kv_heads]: [usize; 2], mask: Mask) {
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
                    attends([queries, keys, 16], heads, mask);
                    attends([queries, keys, 40], heads, mask);
                }
            }
        }
        attends([200, 2300, 64], [2, 1], Mask::Causal);
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let zeros = |dims: [usize; 4]| Tensor::zeros(&dims[..], DType::F32, &Device::Cpu).unwrap();
        let run = |q, k, v, mask| attention(&zeros(q), &zeros(k), &zeros(v), 1.0, mask);
        let (q, k) = ([1, 4, 9, 16], [1, 2, 9, 16]);
        assert!(run(q, k, [1, 2, 9, 8], Mask::None).is_ok());
        for (q, k, v) in [
            (q, [1, 2, 9, 8], k),
            (q, [2, 2, 9, 16], [2, 2, 9, 16]),
            (q, k, [1, 2, 8, 16]),
            (q, k, [1, 1, 9, 16]),
            (q, [1, 3, 9, 16], [1, 3, 9, 16]),
            (q, [1, 0, 9, 16], [1, 0, 9, 16]),
            (q, [1, 2, 0, 16], [1, 2, 0, 16]),
            ([1, 4, 9, 0], [1, 2, 9, 0], k),
        ] {
            assert!(run(q, k, v, Mask::None).is_err(), "{q:?} {k:?} {v:?}");
        }
        let longer = [1, 4, 10, 16];
        assert!(run(longer, k, k, Mask::None).is_ok());
        assert!(run(longer, k, k, Mask::Causal).is_err());
    }
}
