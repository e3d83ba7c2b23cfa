//! The two feed-forward blocks.

use crate::error::Result;
use crate::tensor::Tensor;
use crate::weights::Weights;

/// Activation between two plain layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU by tanh.
    GeluTanh,
    /// GELU by the error function.
    GeluErf,
    /// GELU as `x sigmoid(1.702 x)`.
    QuickGelu,
}

/// `fc2(activation(fc1(x)))`, both with bias.
pub struct Mlp<T: Tensor> {
    fc1: T::Linear,
    fc2: T::Linear,
    activation: Activation,
}

impl<T: Tensor> Mlp<T> {
    /// Of layers at hand.
    pub const fn new(fc1: T::Linear, activation: Activation, fc2: T::Linear) -> Self {
        Self {
            fc1,
            fc2,
            activation,
        }
    }

    /// Reads `fc1` `[inner, dim]` and `fc2` `[dim, inner]`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(
        weights: &Weights<'_, T>,
        dim: usize,
        inner: usize,
        activation: Activation,
    ) -> Result<Self> {
        let fc1 = weights.linear_biased("fc1", inner, dim)?;
        Ok(Self {
            fc1,
            fc2: weights.linear_biased("fc2", dim, inner)?,
            activation,
        })
    }

    /// `[.., dim] -> [.., dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn forward(&self, x: &T) -> Result<T> {
        let inner = x.linear(&self.fc1)?;
        let inner = match self.activation {
            Activation::GeluTanh => inner.gelu_tanh()?,
            Activation::GeluErf => inner.gelu_erf()?,
            Activation::QuickGelu => inner.quick_gelu()?,
        };
        inner.linear(&self.fc2)
    }
}

/// `down(silu(gate(x)) * up(x))`, without bias.
pub struct GatedMlp<T: Tensor> {
    gate_up: GateUp<T>,
    down: T::Linear,
}

/// Gate and up: two layers, or one that gives first the one, then the other.
enum GateUp<T: Tensor> {
    /// Each `[inner, dim]`.
    Apart([T::Linear; 2]),
    /// `[2 inner, dim]`.
    Packed(T::Linear),
}

impl<T: Tensor> GatedMlp<T> {
    /// Reads `gate_proj`, `up_proj` `[inner, dim]`, or `gate_up_proj` `[2 inner, dim]` where that is
    /// there, and `down_proj` `[dim, inner]`.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn load(weights: &Weights<'_, T>, dim: usize, inner: usize) -> Result<Self> {
        let gate_up = if weights.has("gate_up_proj.weight") {
            GateUp::Packed(weights.linear("gate_up_proj", 2 * inner, dim)?)
        } else {
            let gate = weights.linear("gate_proj", inner, dim)?;
            GateUp::Apart([gate, weights.linear("up_proj", inner, dim)?])
        };
        Ok(Self {
            gate_up,
            down: weights.linear("down_proj", dim, inner)?,
        })
    }

    /// `[b, t, dim] -> [b, t, dim]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn forward(&self, x: &T) -> Result<T> {
        let [gate, up] = match &self.gate_up {
            GateUp::Apart([gate, up]) => [x.linear(gate)?, x.linear(up)?],
            GateUp::Packed(layer) => {
                let both = x.linear(layer)?;
                let inner = both.dims()[2] / 2;
                [both.narrow(2, 0, inner)?, both.narrow(2, inner, inner)?]
            }
        };
        T::swiglu(&gate, &up)?.linear(&self.down)
    }
}
