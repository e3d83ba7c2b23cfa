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
/// `erfc(z) = t e^(-z^2 + P(t))`, `t = 1 / (1 + z / 2)`, is within 1.2e-7 of the value.
///
/// Source of `P`: Numerical Recipes, 2nd edition, 6.2, `erfcc`.
#[inline(always)]
fn gelu_erf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let p = 0.170_872_77;
    let p = p * t - 0.822_152_23;
    let p = p * t + 1.488_515_9;
    let p = p * t - 1.135_204;
    let p = p * t + 0.278_868_07;
    let p = p * t - 0.186_288_06;
    let p = p * t + 0.096_784_18;
    let p = p * t + 0.374_091_96;
    let p = p * t + 1.000_023_7;
    let p = p * t - 1.265_512_2;
    let q = 0.5 * t * exp(p - z * z);
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
