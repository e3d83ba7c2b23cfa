//! Linear layers: how each device keeps a matrix, and the products with it.

use candle_core as cc;

use super::{Candle, On, check_dtypes, check_ids, cpu, gpu, to_candle};
use crate::error::{Error, Result};
use crate::tensor::{Affine, DType, Tensor as _, Values, Weight};

/// A matrix `[n, k]` with its bias `[n]`, for activations of one type.
#[derive(Clone, Debug)]
pub struct Linear {
    matrix: Matrix,
    /// Rows.
    n: usize,
    /// f32 where the matrix is as stored, else of the activations' type.
    bias: Option<cc::Tensor>,
    dtype: DType,
}

#[derive(Clone, Debug)]
enum Matrix {
    /// On the processor, as the checkpoint stores it.
    Stored(cpu::Matrix),
    /// On a GPU, in the activations' type.
    Cast(cc::Tensor),
    /// On a GPU, in blocks that hold the codes.
    Packed(gpu::Packed),
}

impl Linear {
    /// See [`crate::tensor::Tensor::linear_new`].
    pub(super) fn new(weight: Weight<Candle>, bias: Option<Candle>, dtype: DType) -> Result<Self> {
        let n = match &weight {
            Weight::Dense(weight) => weight.0.dims2()?.0,
            Weight::Affine(affine) => affine.sizes()?.0,
        };
        let bias = bias.map(|bias| check_bias(bias, n, dtype)).transpose()?;
        let matrix = match weight {
            Weight::Dense(weight) => dense(weight, dtype)?,
            Weight::Affine(affine) => quantised(affine, dtype)?,
        };
        let bias = match (&matrix, bias) {
            (Matrix::Stored(_), Some(bias)) => Some(bias.cast(DType::F32)?.0),
            (_, bias) => bias.map(|bias| bias.0),
        };
        Ok(Self {
            matrix,
            n,
            bias,
            dtype,
        })
    }

    /// See [`crate::tensor::Tensor::linear_bytes`].
    pub(super) fn bytes(&self) -> usize {
        let matrix = match &self.matrix {
            Matrix::Stored(matrix) => matrix.bytes(),
            Matrix::Cast(weight) => size(weight),
            Matrix::Packed(packed) => packed.bytes(),
        };
        matrix + self.bias.as_ref().map_or(0, size)
    }

    /// `x W^T + b`: `[.., k] -> [.., n]`.
    pub(super) fn product(&self, x: &Candle) -> Result<cc::Tensor> {
        check_dtypes("linear", x.dtype(), self.dtype)?;
        let product = match &self.matrix {
            Matrix::Stored(matrix) => return Ok(matrix.product(&x.0, self.bias.as_ref())?),
            Matrix::Cast(weight) => by_device(&x.0, weight)?,
            Matrix::Packed(packed) => packed.product(&x.0)?,
        };
        match &self.bias {
            None => Ok(product),
            Some(bias) => Ok(product.broadcast_add(bias)?),
        }
    }

    /// Rows by number: ids `[t]` -> `[t, k]`.
    pub(super) fn rows(&self, ids: &cc::Tensor) -> Result<cc::Tensor> {
        let dtype = to_candle(self.dtype);
        check_ids("embed", ids, self.n)?;
        match &self.matrix {
            Matrix::Stored(matrix) => Ok(matrix.rows(ids, dtype)?),
            Matrix::Cast(weight) => Ok(weight.index_select(ids, 0)?),
            Matrix::Packed(packed) => packed.rows(ids, dtype),
        }
    }
}

/// Bytes of a tensor's elements.
pub(super) fn size(tensor: &cc::Tensor) -> usize {
    tensor.elem_count() * tensor.dtype().size_in_bytes()
}

fn check_bias(bias: Candle, n: usize, dtype: DType) -> Result<Candle> {
    check_dtypes("linear_new", dtype, bias.dtype())?;
    if bias.0.dims() == [n] {
        return Ok(bias);
    }
    Err(Error::Shape {
        op: "linear_new",
        detail: format!("bias {:?} on a weight of {n} rows", bias.0.dims()),
    })
}

fn dense(weight: Candle, dtype: DType) -> Result<Matrix> {
    if cpu::is_here(&weight.0) {
        return Ok(Matrix::Stored(cpu::Matrix::Dense(weight.0.contiguous()?)));
    }
    Ok(Matrix::Cast(weight.cast(dtype)?.0.contiguous()?))
}

fn quantised(affine: Affine<Candle>, dtype: DType) -> Result<Matrix> {
    let (n, k) = affine.sizes()?;
    let on = On(affine.words.0.device().clone());
    if let Some(packed) = gpu::Packed::of(&affine, &on.0)? {
        return Ok(Matrix::Packed(packed));
    }
    if !cpu::is_here(&affine.words.0) {
        let values = affine.dequantised()?;
        return Ok(Matrix::Cast(
            Candle::from_f32(&values, &[n, k], dtype, &on)?.0,
        ));
    }
    if !(affine.group * affine.bits).is_multiple_of(32) {
        // Groups that end inside a word: nobody publishes them.
        let values = Values::F32(affine.dequantised()?);
        return dense(Candle::from_values(values, &[n, k], &on)?, dtype);
    }
    Ok(Matrix::Stored(cpu::Matrix::Affine(parts(affine)?)))
}

/// The parts of an affine matrix with scales and biases of one type, which published ones have.
fn parts(affine: Affine<Candle>) -> Result<Affine<cc::Tensor>> {
    let (mut scales, mut biases) = (affine.scales.0, affine.biases.0);
    if scales.dtype() != biases.dtype() {
        scales = scales.to_dtype(cc::DType::F32)?;
        biases = biases.to_dtype(cc::DType::F32)?;
    }
    Ok(Affine {
        words: affine.words.0.contiguous()?,
        scales: scales.contiguous()?,
        biases: biases.contiguous()?,
        bits: affine.bits,
        group: affine.group,
    })
}

/// `x W^T`: `[.., k] x [n, k] -> [.., n]`, by the device's own product.
fn by_device(x: &cc::Tensor, weight: &cc::Tensor) -> cc::Result<cc::Tensor> {
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
