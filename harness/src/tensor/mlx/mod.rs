//! The tensor contract on MLX, through mlx-rs.
//!
//! MLX builds a graph and computes it when a value is asked for, on the stream of the asking thread.
//! It promotes unequal dtypes, broadcasts where it can and reads past the end of a table without a
//! word; what the contract calls an error is therefore checked before MLX sees it.

mod activation;
mod checks;
mod device;
mod linear;
mod rope;
#[cfg(test)]
mod tests;

use mlx_rs::error::{AsSliceError, ConversionError, Exception};
use mlx_rs::ops::indexing::{
    ArrayIndex, ArrayIndexOp, TryIndexMutOp, TryIndexOp, argmax_axis, take_axis,
};
use mlx_rs::{Array, Dtype, fast, ops, transforms};

use super::{DType, Mask, RopeSpec, Tensor, Values, Weight};
use crate::error::{Error, Result};
use activation::Activation;
use checks::{check_count, check_ids, shape_error, sizes};
pub use device::On;
pub use linear::Linear;
pub use rope::Rope;

/// An MLX array: a value, or the graph that gives it.
#[derive(Clone, Debug)]
pub struct Mlx(Array);

impl From<Exception> for Error {
    fn from(error: Exception) -> Self {
        backend_error(error.what())
    }
}

impl From<ConversionError> for Error {
    fn from(error: ConversionError) -> Self {
        backend_error(&error.to_string())
    }
}

impl From<AsSliceError> for Error {
    fn from(error: AsSliceError) -> Self {
        backend_error(&error.to_string())
    }
}

/// MLX's own words, without the place in its sources that it appends.
fn backend_error(text: &str) -> Error {
    let first = text.lines().next().unwrap_or_default();
    let (message, _) = first.split_once(" at /").unwrap_or((first, ""));
    Error::Backend {
        library: "mlx",
        message: message.trim_end_matches('.').to_owned(),
    }
}

const fn to_mlx(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::Float32,
        DType::F16 => Dtype::Float16,
        DType::BF16 => Dtype::Bfloat16,
        DType::U32 => Dtype::Uint32,
    }
}

impl Mlx {
    /// What every operation's graph node becomes.
    fn of(array: Result<Array, Exception>) -> Result<Self> {
        Ok(Self(array?))
    }

    fn same_dtype(&self, op: &'static str, rhs: &Self) -> Result<()> {
        if self.0.dtype() == rhs.0.dtype() {
            return Ok(());
        }
        Err(Error::DType {
            op,
            left: self.dtype().name(),
            right: rhs.dtype().name(),
        })
    }

    /// The same values in `dtype`; the same node where they are in it already.
    fn cast_to(&self, dtype: Dtype) -> Result<Self> {
        if self.0.dtype() == dtype {
            return Ok(self.clone());
        }
        Self::of(self.0.as_dtype(dtype))
    }

    /// All values of the type asked for, row-major.
    fn values<V: mlx_rs::ArrayElement + Clone>(&self) -> Result<Vec<V>> {
        if self.0.size() == 0 {
            return Ok(Vec::new());
        }
        Ok(self.0.contiguous()?.to_vec_exact()?)
    }

    /// The slices of one axis from `start` to `end`, all of the axes before and after it.
    fn window(
        &self,
        op: &'static str,
        axis: usize,
        [start, end]: [usize; 2],
    ) -> Result<Vec<ArrayIndexOp<'static>>> {
        match self.0.shape().get(axis) {
            Some(&size) if start <= end && end <= size as usize => {
                let mut window = vec![(..).index_op(); axis];
                window.push((start as i32..end as i32).index_op());
                Ok(window)
            }
            _ => {
                let dims = self.dims();
                Err(shape_error(
                    op,
                    format!("{start}..{end} of axis {axis} of {dims:?}"),
                ))
            }
        }
    }
}

impl Tensor for Mlx {
    type Device = On;
    type Linear = Linear;
    type Rope = Rope;

    fn from_f32(data: &[f32], dims: &[usize], dtype: DType, _on: &On) -> Result<Self> {
        check_count("from_f32", data.len(), dims)?;
        Self(Array::from_slice(data, &sizes("from_f32", dims)?)).cast(dtype)
    }

    fn from_values(data: Values, dims: &[usize], _on: &On) -> Result<Self> {
        check_count("from_values", data.len(), dims)?;
        let sizes = sizes("from_values", dims)?;
        Ok(Self(match data {
            Values::F32(data) => Array::from_slice(&data, &sizes),
            Values::F16(data) => Array::from_slice(&data, &sizes),
            Values::BF16(data) => Array::from_slice(&data, &sizes),
            Values::U32(data) => Array::from_slice(&data, &sizes),
        }))
    }

    fn from_u32(data: &[u32], dims: &[usize], _on: &On) -> Result<Self> {
        check_count("from_u32", data.len(), dims)?;
        Ok(Self(Array::from_slice(data, &sizes("from_u32", dims)?)))
    }

    fn zeros(dims: &[usize], dtype: DType, _on: &On) -> Result<Self> {
        Self::of(ops::zeros_dtype(&sizes("zeros", dims)?, to_mlx(dtype)))
    }

    fn to_f32(&self) -> Result<Vec<f32>> {
        match self.dtype() {
            DType::U32 => Err(Error::DType {
                op: "to_f32",
                left: "u32",
                right: "f32",
            }),
            _ => self.cast(DType::F32)?.values(),
        }
    }

    fn to_u32(&self) -> Result<Vec<u32>> {
        self.values()
    }

    fn dims(&self) -> Vec<usize> {
        self.0.shape().iter().map(|&size| size as usize).collect()
    }

    fn dtype(&self) -> DType {
        match self.0.dtype() {
            Dtype::Float16 => DType::F16,
            Dtype::Bfloat16 => DType::BF16,
            Dtype::Uint32 => DType::U32,
            _ => DType::F32, // no other type is ever made here
        }
    }

    fn cast(&self, dtype: DType) -> Result<Self> {
        self.cast_to(to_mlx(dtype))
    }

    fn reshape(&self, dims: &[usize]) -> Result<Self> {
        check_count("reshape", self.0.size(), dims)?;
        Self::of(self.0.reshape(&sizes("reshape", dims)?))
    }

    fn permute(&self, axes: &[usize]) -> Result<Self> {
        Self::of(self.0.transpose_axes(&sizes("permute", axes)?))
    }

    fn narrow(&self, axis: usize, start: usize, len: usize) -> Result<Self> {
        let window = self.window("narrow", axis, [start, start.saturating_add(len)])?;
        Self::of(self.0.try_index(&window[..]))
    }

    fn concat(parts: &[&Self], axis: usize) -> Result<Self> {
        if let [first, rest @ ..] = parts {
            rest.iter()
                .try_for_each(|part| first.same_dtype("concat", part))?;
        }
        let parts: Vec<_> = parts.iter().map(|part| &part.0).collect();
        Self::of(ops::concatenate(&parts, axis as i32))
    }

    // In place as long as no other handle on the buffer is alive when the graph is computed: the
    // old handle is dropped here, and views of it end with the step that made them.
    fn write_at(&mut self, axis: usize, start: usize, src: &Self) -> Result<()> {
        self.same_dtype("write_at", src)?;
        let (mut fitting, given) = (self.dims(), src.dims());
        let len = given.get(axis).copied().unwrap_or(0);
        let window = self.window("write_at", axis, [start, start.saturating_add(len)])?;
        fitting[axis] = len;
        if fitting != given {
            return Err(shape_error(
                "write_at",
                format!("{given:?} into {:?}", self.dims()),
            ));
        }
        Ok(self.0.try_index_mut(&window[..], &src.0)?)
    }

    fn add(&self, rhs: &Self) -> Result<Self> {
        self.same_dtype("add", rhs)?;
        Self::of(self.0.add(&rhs.0))
    }

    fn mul(&self, rhs: &Self) -> Result<Self> {
        self.same_dtype("mul", rhs)?;
        Self::of(self.0.multiply(&rhs.0))
    }

    fn scale(&self, by: f32) -> Result<Self> {
        let by = Self(Array::from_f32(by)).cast_to(self.0.dtype())?;
        self.mul(&by)
    }

    fn sigmoid(&self) -> Result<Self> {
        Activation::Sigmoid.of(std::slice::from_ref(&self.0))
    }

    fn silu(&self) -> Result<Self> {
        Activation::Silu.of(std::slice::from_ref(&self.0))
    }

    fn gelu_tanh(&self) -> Result<Self> {
        Activation::GeluTanh.of(std::slice::from_ref(&self.0))
    }

    fn gelu_erf(&self) -> Result<Self> {
        Activation::GeluErf.of(std::slice::from_ref(&self.0))
    }

    fn quick_gelu(&self) -> Result<Self> {
        Activation::QuickGelu.of(std::slice::from_ref(&self.0))
    }

    fn swiglu(gate: &Self, up: &Self) -> Result<Self> {
        gate.same_dtype("swiglu", up)?;
        if gate.0.shape() != up.0.shape() {
            let detail = format!("{:?} and {:?}", gate.dims(), up.dims());
            return Err(shape_error("swiglu", detail));
        }
        Activation::Swiglu.of(&[gate.0.clone(), up.0.clone()])
    }

    fn softmax(&self) -> Result<Self> {
        Self::of(ops::softmax_axis(&self.0, -1, true))
    }

    fn argmax(&self) -> Result<Self> {
        Self::of(argmax_axis(&self.0, -1, false))
    }

    fn matmul(&self, rhs: &Self) -> Result<Self> {
        self.same_dtype("matmul", rhs)?;
        Self::of(self.0.matmul(&rhs.0))
    }

    fn rows(&self, ids: &Self) -> Result<Self> {
        check_ids("rows", ids, self.0.shape().first().copied())?;
        Self::of(take_axis(&self.0, &ids.0, 0))
    }

    fn linear_new(weight: Weight<Self>, bias: Option<Self>, dtype: DType) -> Result<Linear> {
        Linear::new(weight, bias, dtype)
    }

    fn linear_bytes(layer: &Linear) -> usize {
        layer.bytes()
    }

    fn linear(&self, layer: &Linear) -> Result<Self> {
        layer.forward(self)
    }

    fn embed(table: &Linear, ids: &Self) -> Result<Self> {
        table.rows(ids)
    }

    fn rms_norm(&self, weight: &Self, eps: f32) -> Result<Self> {
        self.same_dtype("rms_norm", weight)?;
        Self::of(fast::rms_norm(&self.0, Some(&weight.0), eps))
    }

    fn layer_norm(&self, weight: &Self, bias: &Self, eps: f32) -> Result<Self> {
        self.same_dtype("layer_norm", weight)?;
        self.same_dtype("layer_norm", bias)?;
        Self::of(fast::layer_norm(
            &self.0,
            Some(&weight.0),
            Some(&bias.0),
            eps,
        ))
    }

    fn rope_new(spec: &RopeSpec, _dtype: DType, _on: &On) -> Result<Rope> {
        Rope::new(spec)
    }

    fn rope(&self, table: &Rope, offset: usize) -> Result<Self> {
        table.turn(self, offset)
    }

    fn attention(&self, k: &Self, v: &Self, scale: f32, mask: Mask) -> Result<Self> {
        self.same_dtype("attention", k)?;
        self.same_dtype("attention", v)?;
        let (queries, keys) = (self.0.shape(), k.0.shape());
        let causal = match (mask, queries, keys) {
            (Mask::None, ..) => None,
            (Mask::Causal, [_, _, 1, _], _) => None, // the last position sees all
            (Mask::Causal, [_, _, queries, _], [_, _, keys, _]) if queries <= keys => {
                Some(fast::ScaledDotProductAttentionMask::Causal)
            }
            _ => {
                return Err(shape_error(
                    "attention",
                    format!("queries {queries:?}, keys {keys:?}"),
                ));
            }
        };
        Self::of(fast::scaled_dot_product_attention(
            &self.0, &k.0, &v.0, scale, causal, None,
        ))
    }

    fn eval(of: &[&Self]) -> Result<()> {
        Ok(transforms::eval(of.iter().map(|tensor| &tensor.0))?)
    }
}
