//! The layer norm with its weights.

use crate::error::Result;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// `(x - mean) / sqrt(var + eps) * weight + bias` over the last axis.
pub struct LayerNorm<T> {
    weight: T,
    bias: T,
    eps: f32,
}

impl<T: Tensor> LayerNorm<T> {
    /// Reads `weight` and `bias`, both `[dim]`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(weights: &Weights<'_, T>, dim: usize, eps: f32) -> Result<Self> {
        Ok(Self {
            weight: weights.tensor("weight", &[dim])?,
            bias: weights.tensor("bias", &[dim])?,
            eps,
        })
    }

    /// `[.., dim] -> [.., dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn forward(&self, x: &T) -> Result<T> {
        x.layer_norm(&self.weight, &self.bias, self.eps)
    }
}
