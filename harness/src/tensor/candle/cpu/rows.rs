//! What the products need of a stored matrix, whatever its form.

use std::borrow::Cow;

use pulp::Simd;

use super::dot::dot;
use super::stored::Stored;

/// A vector made ready for [`Rows::dots`].
pub(super) struct Prepared<'a> {
    /// The values, in the order the kernel reads them.
    pub(super) values: Cow<'a, [f32]>,
    /// Their sum in each group, where the matrix has groups.
    pub(super) sums: Vec<f32>,
}

/// The rows of a matrix `[n, k]`.
pub(in crate::tensor::candle) trait Rows: Copy + Send + Sync {
    /// `n` and `k`.
    fn sizes(&self) -> (usize, usize);

    /// Columns that [`Rows::widen`] can only take together.
    fn step(&self) -> usize;

    /// Readies a vector of `k` values.
    fn prepare<'a, S: Simd>(&self, simd: S, x: &'a [f32]) -> Prepared<'a>;

    /// `out[i]` is the product of row `first + i` with the vector; each stored value is read once.
    fn dots<S: Simd>(&self, simd: S, x: &Prepared<'_>, first: usize, out: &mut [f32]);

    /// Values of a row from column `from` on, in f32; both ends are multiples of [`Rows::step`].
    fn widen<S: Simd>(&self, simd: S, row: usize, from: usize, out: &mut [f32]);
}

/// Rows of plain floats, `stride` values apart.
#[derive(Clone, Copy)]
pub(in crate::tensor::candle) struct Plain<'a, W> {
    pub(in crate::tensor::candle) values: &'a [W],
    pub(in crate::tensor::candle) n: usize,
    pub(in crate::tensor::candle) k: usize,
    pub(in crate::tensor::candle) stride: usize,
}

impl<W> Plain<'_, W> {
    #[inline(always)]
    fn row(&self, row: usize) -> &[W] {
        &self.values[row * self.stride..][..self.k]
    }
}

impl<W: Stored> Rows for Plain<'_, W> {
    fn sizes(&self) -> (usize, usize) {
        (self.n, self.k)
    }

    fn step(&self) -> usize {
        1
    }

    fn prepare<'a, S: Simd>(&self, _: S, x: &'a [f32]) -> Prepared<'a> {
        Prepared {
            values: Cow::Borrowed(x),
            sums: Vec::new(),
        }
    }

    #[inline(always)]
    fn dots<S: Simd>(&self, _: S, x: &Prepared<'_>, first: usize, out: &mut [f32]) {
        for (i, out) in out.iter_mut().enumerate() {
            *out = dot::<S, W>(self.row(first + i), &x.values);
        }
    }

    #[inline(always)]
    fn widen<S: Simd>(&self, _: S, row: usize, from: usize, out: &mut [f32]) {
        for (out, value) in out.iter_mut().zip(&self.row(row)[from..]) {
            *out = value.widen();
        }
    }
}
