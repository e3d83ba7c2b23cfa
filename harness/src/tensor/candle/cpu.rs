//! CPU kernels where candle's own leave most of the machine idle.
//!
//! candle 0.11's `gelu` and `softmax` call libm element by element; for the vision tower's
//! 160 million activations a picture that is half of its time. These split the work over the
//! thread pool and use an exponential that the compiler can vectorise. Other devices and dtypes
//! take candle's path, which is also the oracle of the tests.

use candle_core::{
    CpuStorage, CustomOp1, DType, Device, InplaceOp1, Layout, Result, Shape, Tensor,
};
use candle_nn::ops;
use rayon::prelude::*;

/// Elements a task works on: small enough to share out, large enough to pay for the hand-over.
const CHUNK: usize = 16 * 1024;

/// Elementwise functions of the form `x / (1 + e^-g(x))`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Activation {
    /// `g(x) = x`.
    Silu,
    /// `g(x) = 2 sqrt(2 / pi) (x + 0.044715 x^3)`: GELU by tanh, since `(1 + tanh u) / 2 = 1 / (1 + e^-2u)`.
    GeluTanh,
}

/// Applies an activation, element by element.
pub(super) fn activation(x: &Tensor, kind: Activation) -> Result<Tensor> {
    if matches!(x.device(), Device::Cpu) && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op1_no_bwd(&kind);
    }
    match kind {
        Activation::Silu => ops::silu(x),
        Activation::GeluTanh => x.gelu(),
    }
}

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = window(storage.as_slice::<f32>()?, layout)?;
        let mut out = vec![0f32; x.len()];
        let work = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK));
        match self {
            Self::Silu => work.for_each(|(out, x)| apply(out, x, |x| x / (1.0 + exp(-x)))),
            Self::GeluTanh => work.for_each(|(out, x)| apply(out, x, gelu_tanh)),
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    x / (1.0 + exp(-TWICE_SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)))
}

#[inline(always)]
fn apply(out: &mut [f32], x: &[f32], f: impl Fn(f32) -> f32) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

fn window<'a>(all: &'a [f32], layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&all[from..to]),
        None => candle_core::bail!("kernel needs a contiguous tensor"),
    }
}

/// Turns scores into probabilities in place: `softmax(scale x)` over the last axis.
///
/// `causal` is the number of query positions of each group of rows when keys after the query's
/// own position (aligned to the end) get no weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Softmax {
    pub(super) scale: f32,
    pub(super) causal: Option<usize>,
}

impl InplaceOp1 for Softmax {
    fn name(&self) -> &'static str {
        "attention softmax"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let keys = layout.dims().last().copied().unwrap_or(1).max(1);
        let Some((from, to)) = layout.contiguous_offsets() else {
            candle_core::bail!("attention softmax needs contiguous scores")
        };
        let CpuStorage::F32(scores) = storage else {
            candle_core::bail!("attention softmax needs f32 scores")
        };
        let rows = scores[from..to].par_chunks_mut(keys);
        rows.with_min_len((CHUNK / keys).max(1))
            .enumerate()
            .for_each(|(row, scores)| {
                let seen = match self.causal {
                    None => keys,
                    Some(queries) => (keys + 1 + row % queries)
                        .saturating_sub(queries)
                        .clamp(1, keys),
                };
                let (seen, hidden) = scores.split_at_mut(seen);
                hidden.fill(0.0);
                softmax_row(seen, self.scale);
            });
        Ok(())
    }
}

fn softmax_row(row: &mut [f32], scale: f32) {
    let mut peak = [f32::NEG_INFINITY; 8];
    let mut blocks = row.chunks_exact(8);
    for block in &mut blocks {
        for (peak, &x) in peak.iter_mut().zip(block) {
            *peak = if x > *peak { x } else { *peak };
        }
    }
    let top = blocks
        .remainder()
        .iter()
        .chain(&peak)
        .fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut sums = [0f32; 8];
    let mut blocks = row.chunks_exact_mut(8);
    for block in &mut blocks {
        for (sum, x) in sums.iter_mut().zip(block) {
            *x = exp((*x - top) * scale);
            *sum += *x;
        }
    }
    let mut sum: f32 = sums.iter().sum();
    for x in blocks.into_remainder() {
        *x = exp((*x - top) * scale);
        sum += *x;
    }
    let share = 1.0 / sum;
    for x in row {
        *x *= share;
    }
}

/// `e^x` within 2 units in the last place for normal results; 0 and infinity beyond them.
///
/// `x = n ln 2 + r`, `e^r` by its Taylor series to the seventh power (`|r| <= 0.347`, so the rest
/// is below 1e-8), `2^n` through the exponent bits. Branch-free, so loops over it vectorise.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to a whole number
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    p * f32::from_bits((((n as i32) + 127) << 23) as u32)
}

/// `x W^T`: `[.., k] x [n, k] -> [.., n]`.
///
/// gemm packs its right side anew at each call. For few rows that costs more than the product, so
/// there the roles are turned round: `(W x^T)^T`, which reads `W` once.
pub(super) fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let (n, k) = weight.dims2()?;
    let mut dims = x.dims().to_vec();
    if dims.last() != Some(&k) {
        candle_core::bail!("linear: input {dims:?} does not end in {k}");
    }
    let rows: usize = dims.iter().rev().skip(1).product();
    let flat = x.contiguous()?.reshape((rows, k))?;
    let few = (2..=64).contains(&rows) && matches!(x.device(), Device::Cpu);
    let out = if few {
        weight.matmul(&flat.t()?)?.t()?.contiguous()?
    } else {
        flat.matmul(&weight.t()?)?
    };
    if let Some(last) = dims.last_mut() {
        *last = n;
    }
    out.reshape(dims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(len: usize, from: f32, to: f32) -> Vec<f32> {
        (0..len)
            .map(|i| from + (to - from) * i as f32 / (len - 1) as f32)
            .collect()
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        for x in ramp(200_001, -86.0, 87.0) {
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!(
                (ours / exact - 1.0).abs() < 2.0 * f64::from(f32::EPSILON),
                "{x}: {ours} {exact}"
            );
        }
        assert!(exp(-1e30) < 2e-38 && exp(f32::NEG_INFINITY) < 2e-38);
    }

    #[test]
    fn activations_equal_candles() -> Result<()> {
        let x = Tensor::from_vec(ramp(70_001, -12.0, 12.0), 70_001, &Device::Cpu)?;
        for (kind, oracle) in [
            (Activation::Silu, ops::silu(&x)?),
            (Activation::GeluTanh, x.gelu()?),
        ] {
            let gap = (activation(&x, kind)? - oracle)?
                .abs()?
                .max_all()?
                .to_scalar::<f32>()?;
            assert!(gap < 2e-6, "{kind:?}: {gap}"); // 12 * 2^-23 = 1.4e-6: one unit at the largest value
        }
        Ok(())
    }

    #[test]
    fn product_turned_round_is_the_same() -> Result<()> {
        let w = Tensor::from_vec(ramp(7 * 24, -1.0, 1.0), (7, 24), &Device::Cpu)?;
        for rows in [1, 2, 64, 65] {
            let x = Tensor::from_vec(ramp(rows * 24, -2.0, 2.0), (rows, 24), &Device::Cpu)?;
            let gap = (product(&x, &w)? - x.matmul(&w.t()?)?)?
                .abs()?
                .max_all()?
                .to_scalar::<f32>()?;
            assert!(gap < 1e-5, "{rows} rows: {gap}");
        }
        Ok(())
    }
}
