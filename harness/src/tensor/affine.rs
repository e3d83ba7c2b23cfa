//! MLX's affine groups on the host: where a code lies, and what it stands for. Pure layout.
//!
//! The codes of a row fill its u32 words from the least significant bits on: with 4 bits, element
//! `j` is in word `j / 8` at bit `4 (j % 8)`; with 8 bits, in word `j / 4` at bit `8 (j % 4)`.
//! Element `j` belongs to group `j / group`, and `value = code * scale + bias`.
//!
//! Source: `affine_quantize` and `dequantize` in MLX's `ops.cpp`.

use std::num::NonZero;

use super::{Affine, Tensor};
use crate::error::{Error, Result};

impl<T: Tensor> Affine<T> {
    /// Rows and columns `[n, k]` of the matrix that the codes stand for.
    ///
    /// # Errors
    /// [`Error::Shape`] when words, scales and biases are not those of one matrix.
    pub fn sizes(&self) -> Result<(usize, usize)> {
        let (words, scales, biases) = (self.words.dims(), self.scales.dims(), self.biases.dims());
        match (&words[..], &scales[..]) {
            (&[n, packed], &[rows, groups])
                if matches!(self.bits, 4 | 8)
                    && self.group > 0
                    && n == rows
                    && scales == biases
                    && packed.checked_mul(32 / self.bits) == groups.checked_mul(self.group) =>
            {
                Ok((n, groups * self.group))
            }
            _ => Err(Error::Shape {
                op: "affine",
                detail: format!(
                    "words {words:?}, scales {scales:?} and biases {biases:?} are no matrix of {} bits in groups of {}",
                    self.bits, self.group
                ),
            }),
        }
    }

    /// All values in f32, row-major: each an exact product and one rounding.
    ///
    /// # Errors
    /// As [`Affine::sizes`]; when the device fails.
    pub fn dequantised(&self) -> Result<Vec<f32>> {
        let (n, k) = self.sizes()?;
        let (words, scales, biases) = (
            self.words.to_u32()?,
            self.scales.to_f32()?,
            self.biases.to_f32()?,
        );
        let mut values = vec![0f32; n * k];
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        // A large model takes half a minute in one thread; a small matrix is not worth a second one.
        let share = scales.len().div_ceil(threads).max(TASK / self.group).max(1);
        std::thread::scope(|scope| {
            let parts = values.chunks_mut(share * self.group);
            let parts = parts.zip(scales.chunks(share)).zip(biases.chunks(share));
            for (i, ((values, scales), biases)) in parts.enumerate() {
                let codes = Codes {
                    words: &words,
                    bits: self.bits,
                    first: i * share * self.group,
                };
                scope.spawn(move || codes.dequantise(scales, biases, values));
            }
        });
        Ok(values)
    }
}

/// Values that a thread is worth starting for.
const TASK: usize = 1 << 20;

/// Codes of a matrix from one element on.
struct Codes<'a> {
    words: &'a [u32],
    bits: usize,
    first: usize,
}

impl Codes<'_> {
    /// The values of as many groups as there are scales.
    fn dequantise(&self, scales: &[f32], biases: &[f32], values: &mut [f32]) {
        let (in_word, mask) = (32 / self.bits, (1u32 << self.bits) - 1);
        let group = values.len() / scales.len().max(1);
        let groups = values
            .chunks_exact_mut(group.max(1))
            .zip(scales)
            .zip(biases);
        for (i, ((values, scale), bias)) in groups.enumerate() {
            for (at, value) in (self.first + i * group..).zip(values) {
                let code = self.words[at / in_word] >> (self.bits * (at % in_word)) & mask;
                *value = code as f32 * scale + bias;
            }
        }
    }
}
