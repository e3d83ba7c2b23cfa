//! Activations, element by element.

use candle_core::{Result, Tensor};

use super::elementwise::map;
use super::exp::exp;

/// An elementwise function.
#[derive(Clone, Copy, Debug)]
pub(in crate::tensor::candle) enum Activation {
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `x / (1 + e^-x)`.
    Silu,
    /// GELU by tanh: `x / (1 + e^-2u)`, since `(1 + tanh u) / 2 = 1 / (1 + e^-2u)`.
    GeluTanh,
    /// GELU by the error function.
    GeluErf,
    /// `x / (1 + e^(-1.702 x))`.
    QuickGelu,
}

/// Applies an activation.
pub(in crate::tensor::candle) fn activation(x: &Tensor, kind: Activation) -> Result<Tensor> {
    match kind {
        Activation::Sigmoid => map(x, |x| 1.0 / (1.0 + exp(-x))),
        Activation::Silu => map(x, silu),
        Activation::GeluTanh => map(x, gelu_tanh),
        Activation::GeluErf => map(x, gelu_erf),
        Activation::QuickGelu => map(x, |x| x / (1.0 + exp(-1.702 * x))),
    }
}

#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const TWICE_SQRT_2_OVER_PI: f32 = 1.595_769;
    x / (1.0 + exp(-TWICE_SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)))
}

/// `x (1 + erf(x / sqrt 2)) / 2`, through the complement, which does not cancel: with
/// `q = erfc(|x| / sqrt 2) / 2` it is `x - x q` above zero and `x q` below.
///
/// `erfc(z) = t Q(t) e^(-z^2)` with `t = 1 / (1 + 0.35 z)`. `Q` goes through the exact values at ten
/// Chebyshev points of the range of `t` for `z` from 0 to 10, and is within 1e-8 of them between; its
/// coefficients, from the constant on, were computed with 40 digits. Beyond 10 nothing is left of
/// `e^(-z^2)`.
#[inline(always)]
fn gelu_erf(x: f32) -> f32 {
    const Q: [f32; 10] = [
        0.197_489_26,
        0.197_030_74,
        0.188_806_4,
        0.146_915_78,
        0.158_554_69,
        0.063_405_11,
        0.001_045_613_4,
        0.159_641_22,
        -0.149_543_54,
        0.036_654_73,
    ];
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.35 * z);
    let series = Q.iter().rev().fold(0.0, |sum, q| sum * t + q);
    let q = 0.5 * t * series * exp(-z * z);
    if x < 0.0 { x * q } else { x - x * q }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use candle_nn::ops;

    use super::*;

    #[test]
    fn activations_equal_candles() -> Result<()> {
        let ramp = (0..70_001).map(|i| -12.0 + 24.0 * i as f32 / 70_000.0);
        let x = Tensor::from_iter(ramp, &Device::Cpu)?;
        let quick = (&x * ops::sigmoid(&(&x * 1.702)?)?)?;
        for (kind, oracle) in [
            (Activation::Sigmoid, ops::sigmoid(&x)?),
            (Activation::Silu, ops::silu(&x)?),
            (Activation::GeluTanh, x.gelu()?),
            (Activation::GeluErf, x.gelu_erf()?),
            (Activation::QuickGelu, quick),
        ] {
            let gap = (activation(&x, kind)? - oracle)?
                .abs()?
                .max_all()?
                .to_scalar::<f32>()?;
            assert!(gap < 2e-6, "{kind:?}: {gap}"); // 12 * 2^-23 = 1.4e-6: one unit at the largest value
        }
        Ok(())
    }
}
