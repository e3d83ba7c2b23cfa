//! How the matrix of a linear layer is kept: as stored on the processor, cast elsewhere.

use candle_core as cc;

use super::{Candle, On, cpu};
use crate::error::Result;
use crate::tensor::{Affine, DType, Tensor, Values, Weight};

/// A matrix `[n, k]` with its bias `[n]`, for activations of one type.
#[derive(Clone, Debug)]
pub struct Linear {
    pub(super) weight: Kept,
    pub(super) bias: Option<cc::Tensor>,
    pub(super) dtype: DType,
}

/// How a matrix is kept.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// On the processor as the checkpoint stores it; the bias is f32 then.
    Stored(cpu::Matrix),
    /// Elsewhere in the activations' type.
    Cast(cc::Tensor),
}

impl Kept {
    pub(super) fn new(weight: Weight<Candle>, dtype: DType) -> Result<Self> {
        match weight {
            Weight::Dense(weight) if cpu::is_here(&weight.0) => {
                weight.0.dims2()?;
                Ok(Self::Stored(cpu::Matrix::Dense(weight.0.contiguous()?)))
            }
            Weight::Dense(weight) => Ok(Self::Cast(weight.cast(dtype)?.0.contiguous()?)),
            Weight::Affine(matrix) => {
                let (n, k) = matrix.sizes()?;
                let on = On(matrix.words.0.device().clone());
                if !matches!(on.0, cc::Device::Cpu) {
                    let values = matrix.dequantised()?;
                    return Ok(Self::Cast(
                        Candle::from_f32(&values, &[n, k], dtype, &on)?.0,
                    ));
                }
                if !(matrix.group * matrix.bits).is_multiple_of(32) {
                    // Groups that end inside a word: nobody publishes them.
                    let values = Values::F32(matrix.dequantised()?);
                    let values = Candle::from_values(values, &[n, k], &on)?;
                    return Ok(Self::Stored(cpu::Matrix::Dense(values.0)));
                }
                Ok(Self::Stored(cpu::Matrix::Affine(parts(matrix)?)))
            }
        }
    }

    pub(super) fn rows(&self) -> Result<usize> {
        match self {
            Self::Stored(matrix) => Ok(matrix.sizes()?.0),
            Self::Cast(weight) => Ok(weight.dim(0)?),
        }
    }
}

/// The parts of an affine matrix with scales and biases of one type, which published ones have.
fn parts(matrix: Affine<Candle>) -> Result<Affine<cc::Tensor>> {
    let (mut scales, mut biases) = (matrix.scales.0, matrix.biases.0);
    if scales.dtype() != biases.dtype() {
        scales = scales.to_dtype(cc::DType::F32)?;
        biases = biases.to_dtype(cc::DType::F32)?;
    }
    Ok(Affine {
        words: matrix.words.0.contiguous()?,
        scales: scales.contiguous()?,
        biases: biases.contiguous()?,
        bits: matrix.bits,
        group: matrix.group,
    })
}

/// `x W^T`: `[.., k] x [n, k] -> [.., n]`, by the device's own product.
pub(super) fn product(x: &cc::Tensor, weight: &cc::Tensor) -> cc::Result<cc::Tensor> {
    let (n, k) = weight.dims2()?;
    let mut dims = x.dims().to_vec();
    match dims.last_mut() {
        Some(last) if *last == k => *last = n,
        _ => cc::bail!("linear: input {dims:?} does not end in {k}"),
    }
    let rows: usize = dims.iter().rev().skip(1).product();
    x.contiguous()?
        .reshape((rows, k))?
        .matmul(&weight.t()?)?
        .reshape(dims)
}
