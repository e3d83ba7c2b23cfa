//! The contract between models and tensor libraries, and the libraries that keep it.
//!
//! Rules for every method: operands of unequal dtypes are an error, scalars take the tensor's
//! dtype, the result has the input's dtype; norms, softmax and products accumulate in f32 or
//! better. Axes count from the front. The conformance suite holds each library to it.

pub mod affine;
#[cfg(feature = "candle")]
pub mod candle;
#[cfg(all(test, any(feature = "candle", feature = "mlx")))]
#[expect(clippy::unwrap_used, reason = "a case that fails fails its test")]
mod conformance;
#[cfg(any(feature = "candle", feature = "mlx"))]
mod heap;
#[cfg(feature = "mlx")]
pub mod mlx;

use std::fmt;

use crate::error::Result;
use crate::subject::Allocator;

/// Element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// 16-bit brain float.
    BF16,
    /// 32-bit unsigned integer: ids.
    U32,
}

impl DType {
    /// Bytes of one element.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// Lower-case name, as in error texts and in a run's precision.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::U32 => "u32",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which keys a query may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All.
    None,
    /// Those up to its own position, aligned to the end of the keys.
    Causal,
}

/// Rotary embedding, computed once on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeSpec {
    /// Leading dimensions of a head that are turned; the rest pass unchanged.
    pub dims: usize,
    /// Angle a position, one for each pair: `dims / 2` values.
    pub inv_freq: Vec<f32>,
    /// Factor on cosine and sine.
    pub factor: f32,
    /// Positions to be ready for.
    pub max_len: usize,
}

impl RopeSpec {
    /// The plain form: `inv_freq[i] = theta^(-2 i / dims)`, factor 1.
    #[must_use]
    pub fn plain(dims: usize, theta: f64, max_len: usize) -> Self {
        let angle = |i: usize| theta.powf(-2.0 * i as f64 / dims as f64) as f32;
        Self {
            dims,
            inv_freq: (0..dims / 2).map(angle).collect(),
            factor: 1.0,
            max_len,
        }
    }
}

/// Values on the host, row-major, in the type a checkpoint stores them in.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 16-bit IEEE floats.
    F16(Vec<half::f16>),
    /// 16-bit brain floats.
    BF16(Vec<half::bf16>),
    /// Ids, or packed 4- and 8-bit codes.
    U32(Vec<u32>),
}

impl Values {
    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F16(values) => values.len(),
            Self::BF16(values) => values.len(),
            Self::U32(values) => values.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    #[must_use]
    pub const fn dtype(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::F16(_) => DType::F16,
            Self::BF16(_) => DType::BF16,
            Self::U32(_) => DType::U32,
        }
    }
}

/// The matrix of a linear layer as the checkpoint holds it.
#[derive(Clone, Debug)]
pub enum Weight<T> {
    /// `[n, k]` floats, in the type they are stored in.
    Dense(T),
    /// MLX's affine groups; see [`affine`] for the layout.
    Affine(Affine<T>),
}

/// A matrix `[n, k]` of small codes: in each group of `group` neighbours of a row,
/// `value = code * scale + bias`. Scales may be negative.
#[derive(Clone, Debug)]
pub struct Affine<T> {
    /// `[n, k * bits / 32]`, u32: codes packed from the least significant bits on.
    pub words: T,
    /// `[n, k / group]`, floats as stored.
    pub scales: T,
    /// `[n, k / group]`, floats as stored: offsets, not the layer's bias.
    pub biases: T,
    /// Bits of a code: 4 or 8.
    pub bits: usize,
    /// Neighbours that share a scale.
    pub group: usize,
}

/// Where tensors live.
pub trait Device: Clone {
    /// `cpu`, `metal` or `cuda`.
    fn name(&self) -> &'static str;
    /// The type activations have, where the user does not choose one, for a checkpoint whose floats
    /// are stored as `stored`.
    fn arithmetic(&self, stored: DType) -> DType;
    /// How a matrix of affine groups of so many bits is kept: a few words for the run's precision.
    fn keeps_affine(&self, bits: usize) -> &'static str;
    /// What the library's own allocator counts.
    fn memory(&self) -> Allocator;
    /// Waits for the device and gives cached memory back to the system.
    ///
    /// # Errors
    /// When the library fails.
    fn release(&self) -> Result<()>;
    /// Elements of one activation above which a batch is better taken in parts.
    ///
    /// A processor returns larger buffers to the system after each operation and pays for every
    /// page again at the next (a fifth of the vision tower's time with 13 frames at once); a GPU
    /// wants all of them.
    fn batch_elements(&self) -> usize;
}

/// A tensor of some library, with the operations the models need and no more.
pub trait Tensor: Clone + Sized {
    /// Where new tensors go.
    type Device: Device;
    /// The matrix of a linear layer or an embedding table, laid out for this library.
    type Linear;
    /// Tables of a rotary embedding.
    type Rope;

    /// A tensor of `dims`, row-major, from `data`, cast to `dtype`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when the product of `dims` is not the length of `data`.
    fn from_f32(data: &[f32], dims: &[usize], dtype: DType, on: &Self::Device) -> Result<Self>;
    /// A tensor of `dims`, row-major, of the values' own type.
    ///
    /// # Errors
    /// As [`Tensor::from_f32`].
    fn from_values(data: Values, dims: &[usize], on: &Self::Device) -> Result<Self>;
    /// Ids.
    ///
    /// # Errors
    /// As [`Tensor::from_f32`].
    fn from_u32(data: &[u32], dims: &[usize], on: &Self::Device) -> Result<Self>;
    /// All zeros, contiguous.
    ///
    /// # Errors
    /// When the library cannot allocate.
    fn zeros(dims: &[usize], dtype: DType, on: &Self::Device) -> Result<Self>;
    /// All values, row-major, widened to f32. Waits for the device.
    ///
    /// # Errors
    /// When the dtype is not a float.
    fn to_f32(&self) -> Result<Vec<f32>>;
    /// All ids. Waits for the device.
    ///
    /// # Errors
    /// When the dtype is not [`DType::U32`].
    fn to_u32(&self) -> Result<Vec<u32>>;

    /// Sizes of the axes.
    fn dims(&self) -> Vec<usize>;
    /// Element type.
    fn dtype(&self) -> DType;
    /// The same values in another float type.
    ///
    /// # Errors
    /// When the library has no such cast.
    fn cast(&self, dtype: DType) -> Result<Self>;

    /// The same elements in the same order under other sizes.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when the counts differ.
    fn reshape(&self, dims: &[usize]) -> Result<Self>;
    /// Axis `i` of the result is axis `axes[i]` of `self`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when `axes` is no permutation.
    fn permute(&self, axes: &[usize]) -> Result<Self>;
    /// `len` slices of `axis` from `start`.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when they reach past the end.
    fn narrow(&self, axis: usize, start: usize, len: usize) -> Result<Self>;
    /// One after the other along `axis`.
    ///
    /// # Errors
    /// When other axes or dtypes differ.
    fn concat(parts: &[&Self], axis: usize) -> Result<Self>;
    /// Overwrites slices of `axis` from `start` by `src`, in place.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when `src` does not fit.
    fn write_at(&mut self, axis: usize, start: usize, src: &Self) -> Result<()>;

    /// Sum; broadcasts.
    ///
    /// # Errors
    /// [`crate::Error::DType`] on unequal dtypes.
    fn add(&self, rhs: &Self) -> Result<Self>;
    /// Product, element by element; broadcasts.
    ///
    /// # Errors
    /// [`crate::Error::DType`] on unequal dtypes.
    fn mul(&self, rhs: &Self) -> Result<Self>;
    /// Every element times `by`.
    ///
    /// # Errors
    /// When the library fails.
    fn scale(&self, by: f32) -> Result<Self>;
    /// `1 / (1 + e^-x)`.
    ///
    /// # Errors
    /// When the library fails.
    fn sigmoid(&self) -> Result<Self>;
    /// `x sigmoid(x)`.
    ///
    /// # Errors
    /// When the library fails.
    fn silu(&self) -> Result<Self>;
    /// GELU by its tanh approximation.
    ///
    /// # Errors
    /// When the library fails.
    fn gelu_tanh(&self) -> Result<Self>;
    /// GELU by the error function.
    ///
    /// # Errors
    /// When the library fails.
    fn gelu_erf(&self) -> Result<Self>;
    /// `x sigmoid(1.702 x)`: CLIP's activation.
    ///
    /// # Errors
    /// When the library fails.
    fn quick_gelu(&self) -> Result<Self> {
        self.mul(&self.scale(1.702)?.sigmoid()?)
    }
    /// `silu(gate) * up`: the gated unit of Llama's MLP.
    ///
    /// # Errors
    /// When shapes or dtypes differ.
    fn swiglu(gate: &Self, up: &Self) -> Result<Self> {
        gate.silu()?.mul(up)
    }

    /// Softmax over the last axis.
    ///
    /// # Errors
    /// When the library fails.
    fn softmax(&self) -> Result<Self>;
    /// Index of the largest element of the last axis, the first of equals: `[.., n] -> [..]`, u32.
    ///
    /// # Errors
    /// When the library fails.
    fn argmax(&self) -> Result<Self>;
    /// `[.., m, k] x [.., k, n] -> [.., m, n]`.
    ///
    /// # Errors
    /// When shapes or dtypes do not fit.
    fn matmul(&self, rhs: &Self) -> Result<Self>;
    /// Rows of a `[n, ..]` table: ids `[t]` -> `[t, ..]`.
    ///
    /// # Errors
    /// When an id is outside the table.
    fn rows(&self, ids: &Self) -> Result<Self>;

    /// Readies a matrix `[n, k]` for [`Tensor::linear`] and [`Tensor::embed`] on activations of
    /// `dtype`. The library keeps the matrix in whatever form it computes best with, as long as
    /// no stored value changes but by rounding to `dtype`.
    ///
    /// # Errors
    /// When the bias is not `[n]` of `dtype`, or the parts of an affine matrix do not fit.
    fn linear_new(weight: Weight<Self>, bias: Option<Self>, dtype: DType) -> Result<Self::Linear>;
    /// Bytes that a layer's matrix and bias take.
    fn linear_bytes(layer: &Self::Linear) -> usize;
    /// `x W^T + b`: `[.., k] -> [.., n]`.
    ///
    /// # Errors
    /// When the last axis is not `k`, or `self` is not of the layer's dtype.
    fn linear(&self, layer: &Self::Linear) -> Result<Self>;
    /// Rows of a layer's matrix as embeddings, in the layer's dtype: ids `[t]` -> `[t, k]`.
    ///
    /// # Errors
    /// When an id is outside the table.
    fn embed(table: &Self::Linear, ids: &Self) -> Result<Self>;
    /// `x / sqrt(mean(x^2) + eps) * weight` over the last axis.
    ///
    /// # Errors
    /// When `weight` does not fit.
    fn rms_norm(&self, weight: &Self, eps: f32) -> Result<Self>;
    /// `(x - mean) / sqrt(var + eps) * weight + bias` over the last axis.
    ///
    /// # Errors
    /// When `weight` or `bias` does not fit.
    fn layer_norm(&self, weight: &Self, bias: &Self, eps: f32) -> Result<Self>;
    /// Readies the tables of a rotary embedding.
    ///
    /// # Errors
    /// When the library fails.
    fn rope_new(spec: &RopeSpec, dtype: DType, on: &Self::Device) -> Result<Self::Rope>;
    /// Turns pairs `(i, i + dims / 2)` by the angle of their position, the first being `offset`:
    /// `[b, heads, len, head_dim]`, shape kept.
    ///
    /// # Errors
    /// When `offset + len` is past the tables' end.
    fn rope(&self, table: &Self::Rope, offset: usize) -> Result<Self>;
    /// `softmax(scale q k^T + mask) v`.
    ///
    /// `self`: `[b, heads, len, d]`; `k`, `v`: `[b, kv_heads, keys, d]`, `kv_heads` dividing `heads`,
    /// each serving `heads / kv_heads` consecutive query heads -> `[b, heads, len, d]`.
    ///
    /// # Errors
    /// When the shapes do not fit.
    fn attention(&self, k: &Self, v: &Self, scale: f32, mask: Mask) -> Result<Self>;
    /// Returns when all work behind these tensors is done.
    ///
    /// # Errors
    /// When that work failed.
    fn eval(of: &[&Self]) -> Result<()>;
}
