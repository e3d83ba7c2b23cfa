//! The matrix of a linear layer as the checkpoint stores it.

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, bail};
use half::{bf16, f16};
use rayon::prelude::*;

use super::affine::Codes;
use super::product::product;
use super::rows::{Plain, Rows};
use super::stored::Stored;
use super::{arch, read, write};
use crate::tensor::Affine;
use crate::tensor::candle::linear::size;

/// A matrix `[n, k]` in its stored form.
#[derive(Clone, Debug)]
pub(in crate::tensor::candle) enum Matrix {
    /// Floats of any type, contiguous.
    Dense(Tensor),
    /// Affine groups of whole words, all parts contiguous, scales and biases of one type.
    Affine(Affine<Tensor>),
}

/// Something to do with the rows of a matrix.
trait Work {
    fn on(self, rows: impl Rows) -> Result<Vec<f32>>;
}

impl Matrix {
    /// `n` and `k`.
    pub(in crate::tensor::candle) fn sizes(&self) -> Result<(usize, usize)> {
        match self {
            Self::Dense(values) => values.dims2(),
            Self::Affine(matrix) => {
                let (n, words) = matrix.words.dims2()?;
                Ok((n, words * 32 / matrix.bits))
            }
        }
    }

    /// Bytes of all its parts.
    pub(in crate::tensor::candle) fn bytes(&self) -> usize {
        match self {
            Self::Dense(values) => size(values),
            Self::Affine(Affine {
                words,
                scales,
                biases,
                ..
            }) => size(words) + size(scales) + size(biases),
        }
    }

    /// `x W^T + b`: `[.., k] -> [.., n]`, of `x`'s type; the bias is f32 `[n]`.
    pub(in crate::tensor::candle) fn product(
        &self,
        x: &Tensor,
        bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (n, k) = self.sizes()?;
        let mut dims = x.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == k => *last = n,
            _ => bail!("linear: input {dims:?} does not end in {k}"),
        }
        let multiply = |x: &[f32]| match bias {
            None => self.give(Product { x, bias: None }),
            Some(bias) => read(bias, |bias| {
                self.give(Product {
                    x,
                    bias: Some(bias),
                })
            }),
        };
        write(read(x, multiply)?, &dims, x.dtype())
    }

    /// Rows by number: ids `[t]` -> `[t, k]` of `dtype`.
    pub(in crate::tensor::candle) fn rows(&self, ids: &Tensor, dtype: DType) -> Result<Tensor> {
        let (_, k) = self.sizes()?;
        let ids = ids.flatten_all()?.to_vec1::<u32>()?;
        write(self.give(Lookup(&ids))?, &[ids.len(), k], dtype)
    }

    fn give(&self, work: impl Work) -> Result<Vec<f32>> {
        match self {
            Self::Dense(values) => {
                let (n, k) = values.dims2()?;
                let (storage, layout) = values.storage_and_layout();
                match here(&storage)? {
                    CpuStorage::F32(all) => work.on(plain(window(all, layout)?, n, k)),
                    CpuStorage::F16(all) => work.on(plain(window(all, layout)?, n, k)),
                    CpuStorage::BF16(all) => work.on(plain(window(all, layout)?, n, k)),
                    _ => bail!("linear: a matrix of {:?}", values.dtype()),
                }
            }
            Self::Affine(matrix) => {
                let (scales, at) = matrix.scales.storage_and_layout();
                let (biases, other) = matrix.biases.storage_and_layout();
                match (here(&scales)?, here(&biases)?) {
                    (CpuStorage::F32(s), CpuStorage::F32(b)) => {
                        self.affine(window(s, at)?, window(b, other)?, work)
                    }
                    (CpuStorage::F16(s), CpuStorage::F16(b)) => {
                        self.affine::<f16>(window(s, at)?, window(b, other)?, work)
                    }
                    (CpuStorage::BF16(s), CpuStorage::BF16(b)) => {
                        self.affine::<bf16>(window(s, at)?, window(b, other)?, work)
                    }
                    _ => bail!("linear: scales and biases of two types"),
                }
            }
        }
    }

    fn affine<W: Stored>(&self, scales: &[W], biases: &[W], work: impl Work) -> Result<Vec<f32>> {
        let (Self::Affine(matrix), sizes) = (self, self.sizes()?) else {
            bail!("linear: no affine matrix")
        };
        let (storage, layout) = matrix.words.storage_and_layout();
        let CpuStorage::U32(words) = here(&storage)? else {
            bail!("linear: codes that are no words")
        };
        let (words, group) = (window(words, layout)?, matrix.group * matrix.bits / 32);
        match matrix.bits {
            4 => work.on(Codes::<W, 4> {
                words,
                scales,
                biases,
                sizes,
                group,
            }),
            8 => work.on(Codes::<W, 8> {
                words,
                scales,
                biases,
                sizes,
                group,
            }),
            bits => bail!("linear: codes of {bits} bits"),
        }
    }
}

const fn plain<W>(values: &[W], n: usize, k: usize) -> Plain<'_, W> {
    Plain {
        values,
        n,
        k,
        stride: k,
    }
}

fn here(storage: &Storage) -> Result<&CpuStorage> {
    match storage {
        Storage::Cpu(values) => Ok(values),
        _ => bail!("a kernel of the processor needs values in its memory"),
    }
}

fn window<'a, W>(all: &'a [W], layout: &Layout) -> Result<&'a [W]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&all[from..to]),
        None => bail!("linear: a matrix with gaps"),
    }
}

struct Product<'a> {
    x: &'a [f32],
    bias: Option<&'a [f32]>,
}

impl Work for Product<'_> {
    fn on(self, rows: impl Rows) -> Result<Vec<f32>> {
        Ok(product(rows, self.x, self.bias))
    }
}

struct Lookup<'a>(&'a [u32]);

impl Work for Lookup<'_> {
    fn on(self, rows: impl Rows) -> Result<Vec<f32>> {
        let (n, k) = rows.sizes();
        if let Some(id) = self.0.iter().find(|&&id| id as usize >= n) {
            bail!("embed: id {id} is outside the table of {n}")
        }
        let mut out = vec![0f32; self.0.len() * k];
        let found = out.par_chunks_exact_mut(k.max(1)).zip(self.0);
        found.for_each(|(out, &id)| arch().dispatch(Widen(rows, id as usize, out)));
        Ok(out)
    }
}

struct Widen<'a, R>(R, usize, &'a mut [f32]);

impl<R: Rows> pulp::WithSimd for Widen<'_, R> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        self.0.widen(simd, self.1, 0, self.2);
    }
}
