//! Matrices of linear layers and embedding tables.

use mlx_rs::ops::indexing::take_axis;
use mlx_rs::{Array, DeviceType, ops, transforms};

use super::{Mlx, check_ids, shape_error};
use crate::error::{Error, Result};
use crate::tensor::{Affine, DType, Tensor, Weight};

/// Neighbours that may share a scale: MLX has kernels for these.
const GROUPS: [usize; 3] = [32, 64, 128];
/// Rows from which a processor is faster when it writes a matrix out in f32 first, for one product: its
/// kernel for codes is a plain loop that decodes them anew for each row.
const MANY: usize = 8;

/// A matrix `[n, k]` with its bias `[n]`.
#[derive(Clone, Debug)]
pub struct Linear {
    matrix: Matrix,
    bias: Option<Array>,
    /// Columns.
    k: usize,
    dtype: DType,
}

#[derive(Clone, Debug)]
enum Matrix {
    /// `[n, k]`, and the same buffer seen as `[k, n]`.
    Dense { weight: Array, turned: Array },
    /// Packed as stored; scales and offsets in the type that products are computed in.
    Affine {
        words: Array,
        scales: Array,
        biases: Array,
        bits: i32,
        group: i32,
        /// Rows of the other operand from which it is written out for the product.
        many: usize,
    },
}

impl Linear {
    /// See [`Tensor::linear_new`]. Waits for the device, so that the values as they were stored are
    /// let go before the next layer is read.
    pub(super) fn new(weight: Weight<Mlx>, bias: Option<Mlx>, dtype: DType) -> Result<Self> {
        let (matrix, n, k) = match weight {
            Weight::Dense(weight) => dense(&weight, dtype)?,
            Weight::Affine(parts) => affine(&parts, dtype)?,
        };
        if let Some(bias) = &bias {
            if bias.dtype() != dtype {
                return Err(Error::DType {
                    op: "linear_new",
                    left: dtype.name(),
                    right: bias.dtype().name(),
                });
            }
            if bias.dims() != [n] {
                let detail = format!("bias {:?} on weight {:?}", bias.dims(), [n, k]);
                return Err(shape_error("linear_new", detail));
            }
        }
        let bias = bias.map(|bias| bias.0);
        match &matrix {
            Matrix::Dense { weight, turned } => {
                transforms::eval([weight, turned].into_iter().chain(&bias))?;
            }
            Matrix::Affine { scales, biases, .. } => {
                transforms::eval([scales, biases].into_iter().chain(&bias))?;
            }
        }
        Ok(Self {
            matrix,
            bias,
            k,
            dtype,
        })
    }

    /// See [`Tensor::linear_bytes`].
    pub(super) fn bytes(&self) -> usize {
        let matrix = match &self.matrix {
            Matrix::Dense { weight, .. } => weight.nbytes(),
            Matrix::Affine {
                words,
                scales,
                biases,
                ..
            } => words.nbytes() + scales.nbytes() + biases.nbytes(),
        };
        matrix + self.bias.as_ref().map_or(0, Array::nbytes)
    }

    /// See [`Tensor::linear`].
    pub(super) fn forward(&self, x: &Mlx) -> Result<Mlx> {
        if x.dtype() != self.dtype {
            return Err(Error::DType {
                op: "linear",
                left: x.dtype().name(),
                right: self.dtype.name(),
            });
        }
        if x.dims().last() != Some(&self.k) {
            let detail = format!("{:?} on {} columns", x.dims(), self.k);
            return Err(shape_error("linear", detail));
        }
        let product = match (&self.matrix, &self.bias) {
            (Matrix::Dense { turned, .. }, Some(bias)) => {
                return Mlx::of(ops::addmm(bias, &x.0, turned, None, None));
            }
            (Matrix::Dense { turned, .. }, None) => x.0.matmul(turned)?,
            (
                Matrix::Affine {
                    words,
                    scales,
                    biases,
                    bits,
                    group,
                    many,
                },
                _,
            ) => {
                let rows: usize = x.dims().iter().rev().skip(1).product();
                let x = x.cast_to(scales.dtype())?.0;
                if rows >= *many {
                    let weight = ops::dequantize(words, scales, biases, *group, *bits)?;
                    x.matmul(weight.transpose()?)?
                } else {
                    ops::quantized_matmul(&x, words, scales, biases, true, *group, *bits)?
                }
            }
        };
        let product = Mlx(product).cast(self.dtype)?;
        match &self.bias {
            None => Ok(product),
            Some(bias) => Mlx::of(product.0.add(bias)),
        }
    }

    /// See [`Tensor::embed`].
    pub(super) fn rows(&self, ids: &Mlx) -> Result<Mlx> {
        let rows = |table: &Array| {
            check_ids("embed", ids, table.shape().first().copied())?;
            Ok::<_, Error>(take_axis(table, &ids.0, 0)?)
        };
        match &self.matrix {
            Matrix::Dense { weight, .. } => rows(weight).map(Mlx),
            Matrix::Affine {
                words,
                scales,
                biases,
                bits,
                group,
                ..
            } => {
                let (scales, biases) = (rows(scales)?, rows(biases)?);
                let found = ops::dequantize(rows(words)?, scales, &biases, *group, *bits)?;
                Mlx(found).cast(self.dtype)
            }
        }
    }
}

fn dense(weight: &Mlx, dtype: DType) -> Result<(Matrix, usize, usize)> {
    let [n, k] = weight.dims()[..] else {
        let detail = format!("weight {:?} is no matrix", weight.dims());
        return Err(shape_error("linear_new", detail));
    };
    let weight = weight.cast(dtype)?.0.contiguous()?;
    let turned = weight.transpose()?;
    Ok((Matrix::Dense { weight, turned }, n, k))
}

fn affine(parts: &Affine<Mlx>, dtype: DType) -> Result<(Matrix, usize, usize)> {
    let (n, k) = parts.sizes()?;
    if !GROUPS.contains(&parts.group) {
        return Err(Error::Unsupported(format!(
            "affine groups of {}: MLX computes with groups of 32, 64 or 128",
            parts.group
        )));
    }
    // A processor's kernel sums in the type of its operands, a GPU's in f32.
    let (inside, many) = match mlx_rs::Device::try_default()?.get_type()? {
        DeviceType::Cpu => (DType::F32, MANY),
        DeviceType::Gpu => (dtype, usize::MAX),
    };
    let cast = |part: &Mlx| part.cast(inside).map(|part| part.0);
    let matrix = Matrix::Affine {
        words: parts.words.0.clone(),
        scales: cast(&parts.scales)?,
        biases: cast(&parts.biases)?,
        bits: parts.bits as i32,
        group: parts.group as i32,
        many,
    };
    Ok((matrix, n, k))
}
