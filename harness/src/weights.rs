//! Reads safetensors checkpoints through a cursor that walks tensor names and checks every shape.

mod checkpoint;

use std::fmt::Display;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::tensor::{Affine, DType, Tensor, Weight};
pub use checkpoint::{Checkpoint, Facts, bytes_read, weight_files};

/// Whether a layer has a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// It has none.
    None,
    /// It is stored as `bias`.
    Stored,
}

/// A place in a checkpoint's tree of names, and what tensors read from there become.
pub struct Weights<'a, T: Tensor> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    dtype: DType,
    on: &'a T::Device,
}

impl<'a, T: Tensor> Weights<'a, T> {
    /// The root of a checkpoint's tree.
    #[must_use]
    pub const fn new(checkpoint: &'a Checkpoint, dtype: DType, on: &'a T::Device) -> Self {
        Self {
            checkpoint,
            prefix: String::new(),
            dtype,
            on,
        }
    }

    /// The place one step, or several joined by dots, below; the same place for an empty one.
    #[must_use]
    pub fn at(&self, step: impl Display) -> Self {
        let step = step.to_string();
        let prefix = if step.is_empty() {
            self.prefix.clone()
        } else {
            self.name(&step)
        };
        Self { prefix, ..*self }
    }

    /// What tensors become.
    #[must_use]
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// Where tensors go.
    #[must_use]
    pub const fn on(&self) -> &'a T::Device {
        self.on
    }

    fn name(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }

    /// A tensor of the cursor's type that must have these sizes.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`] or [`Error::TensorDType`].
    pub fn tensor(&self, name: &str, dims: &[usize]) -> Result<T> {
        let tensor = self.stored(name, dims)?.cast(self.dtype)?;
        self.hold(dims.iter().product::<usize>() * self.dtype.size());
        Ok(tensor)
    }

    /// Bytes of all tensors made from the checkpoint so far, where they compute.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.checkpoint.held.load(Ordering::Relaxed)
    }

    fn hold(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.checkpoint.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn layer(&self, weight: Weight<T>, bias: Option<T>) -> Result<T::Linear> {
        let layer = T::linear_new(weight, bias, self.dtype)?;
        self.hold(T::linear_bytes(&layer));
        Ok(layer)
    }

    /// The same in the type it is stored in.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn stored(&self, name: &str, dims: &[usize]) -> Result<T> {
        let name = self.name(name);
        let entry = self.checkpoint.entry(&name)?;
        if entry.dims != dims {
            return Err(Error::TensorShape {
                name,
                found: entry.dims.clone(),
                wanted: dims.to_vec(),
            });
        }
        T::from_values(self.checkpoint.values(&name, entry)?, dims, self.on)
    }

    /// Whether a tensor of that name is below this place.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.checkpoint.has(&self.name(name))
    }

    /// `name.weight` `[n, k]` without a bias; quantised where `name.scales` is there.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn linear(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        self.layer(self.matrix(name, n, k)?, None)
    }

    /// `name.weight` `[n, k]` with `name.bias` `[n]`; quantised where `name.scales` is there.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn linear_biased(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        let bias = self.at(name).tensor("bias", &[n])?;
        self.layer(self.matrix(name, n, k)?, Some(bias))
    }

    /// The tensor `name` `[n, k]` itself as a matrix, without a bias.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn bare_linear(&self, name: &str, n: usize, k: usize) -> Result<T::Linear> {
        self.layer(Weight::Dense(self.stored(name, &[n, k])?), None)
    }

    /// `name.weight` `[n, k]` as plain values; dequantised where `name.scales` is there.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn table(&self, name: &str, n: usize, k: usize) -> Result<T> {
        self.hold(n * k * self.dtype.size());
        match self.matrix(name, n, k)? {
            Weight::Dense(table) => table.cast(self.dtype),
            Weight::Affine(matrix) => {
                T::from_f32(&matrix.dequantised()?, &[n, k], self.dtype, self.on)
            }
        }
    }

    fn matrix(&self, name: &str, n: usize, k: usize) -> Result<Weight<T>> {
        let at = self.at(name);
        if !at.has("scales") {
            return Ok(Weight::Dense(at.stored("weight", &[n, k])?));
        }
        // The sizes alone say how many bits a code has and how many share a scale.
        let columns = |part: &str| -> Result<usize> {
            let entry = self.checkpoint.entry(&at.name(part))?;
            Ok(entry.dims.last().copied().unwrap_or(0).max(1))
        };
        let (packed, groups) = (columns("weight")?, columns("scales")?);
        let affine = Affine {
            words: at.stored("weight", &[n, packed])?,
            scales: at.stored("scales", &[n, groups])?,
            biases: at.stored("biases", &[n, groups])?,
            bits: 32 * packed / k,
            group: k / groups,
        };
        match affine.sizes() {
            Ok(sizes) if sizes == (n, k) => Ok(Weight::Affine(affine)),
            _ => Err(Error::TensorShape {
                name: at.name("weight"),
                found: vec![n, packed],
                wanted: vec![n, k / 8],
            }),
        }
    }

    /// A convolution over patches without overlap, as a linear layer over `patch * patch * 3`
    /// values in row, column, channel order: kernels `[n, 3, p, p]` (PyTorch) or `[n, p, p, 3]` (MLX).
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn patch_embedding(
        &self,
        name: &str,
        n: usize,
        patch: usize,
        bias: Bias,
    ) -> Result<T::Linear> {
        let at = self.at(name);
        let full = at.name("weight");
        let dims = &self.checkpoint.entry(&full)?.dims;
        let kernel = match dims[..] {
            [a, 3, b, c] if (a, b, c) == (n, patch, patch) => {
                at.stored("weight", dims)?.permute(&[0, 2, 3, 1])?
            }
            [a, b, c, 3] if (a, b, c) == (n, patch, patch) => at.stored("weight", dims)?,
            _ => {
                let (found, wanted) = (dims.clone(), vec![n, 3, patch, patch]);
                return Err(Error::TensorShape {
                    name: full,
                    found,
                    wanted,
                });
            }
        };
        let bias = match bias {
            Bias::None => None,
            Bias::Stored => Some(at.tensor("bias", &[n])?),
        };
        let kernel = kernel.reshape(&[n, patch * patch * 3])?;
        self.layer(Weight::Dense(kernel), bias)
    }
}
