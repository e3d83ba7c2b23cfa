//! Rows of affine groups, multiplied without being unpacked to memory.
//!
//! With `value = code * scale + bias`, a row's product is the sum over its groups of
//! `scale * sum(code x) + bias * sum(x)`, and the sums of `x` are the same for all rows. A code is
//! left where it stands in its word: masked and joined with the bits of 2^23 it is the float
//! `2^23 + code * 2^place`, exactly, and the `x` it meets is scaled by `2^-place` beforehand. So
//! that one operation takes as many words as the processor has lanes, the vector is laid out by
//! the place in the word first: for each run of `lanes` words all values of place 0, then of 1.

use std::borrow::Cow;

use pulp::Simd;

use super::dot::{dot, fma};
use super::rows::{Prepared, Rows};
use super::stored::Stored;

/// Rows of codes of `BITS` bits under scales and biases stored as `W`.
#[derive(Clone, Copy)]
pub(super) struct Codes<'a, W, const BITS: usize> {
    /// `[n, k * BITS / 32]`.
    pub(super) words: &'a [u32],
    /// `[n, k / group]`.
    pub(super) scales: &'a [W],
    /// `[n, k / group]`.
    pub(super) biases: &'a [W],
    /// `n` and `k`.
    pub(super) sizes: (usize, usize),
    /// Words of a group.
    pub(super) group: usize,
}

/// 2^23: an f32 of this size has no bits below 1, so its mantissa holds a whole number.
const WHOLE: f32 = 8_388_608.0;

/// Places of a word that are masked where they are; the upper half is moved down to them first.
const fn places(bits: usize) -> usize {
    16 / bits
}

impl<W: Stored, const BITS: usize> Codes<'_, W, BITS> {
    const IN_WORD: usize = 32 / BITS;

    /// Words, scales and biases of a row.
    #[inline(always)]
    fn row(&self, row: usize) -> (&[u32], &[W], &[W]) {
        let words = self.sizes.1 / Self::IN_WORD;
        let groups = words / self.group;
        let floats = row * groups..(row + 1) * groups;
        (
            &self.words[row * words..][..words],
            &self.scales[floats.clone()],
            &self.biases[floats],
        )
    }

    /// `sum(scale * sum(code x))` of a row; `stretched` has room for a scale for each word.
    #[inline(always)]
    fn scaled<S: Simd>(
        &self,
        simd: S,
        x: &[S::f32s],
        row: usize,
        stretched: &mut [f32],
    ) -> S::f32s {
        let (words, scales, _) = self.row(row);
        let zero = simd.splat_f32s(0.0);
        let mut blocks = x.chunks_exact(Self::IN_WORD);
        let mut sum = zero;
        if self.group.is_multiple_of(S::U32_LANES) {
            for (words, scale) in words.chunks_exact(self.group).zip(scales) {
                let mut part = zero;
                for (word, x) in S::as_simd_u32s(words).0.iter().zip(&mut blocks) {
                    part = block::<S, BITS>(simd, *word, x, part);
                }
                sum = simd.mul_add_e_f32s(part, simd.splat_f32s(scale.widen()), sum);
            }
            return sum;
        }
        stretch(scales, self.group, stretched);
        let ((whole, rest), (scales, last)) = (S::as_simd_u32s(words), S::as_simd_f32s(stretched));
        for ((word, scale), x) in whole.iter().zip(scales).zip(&mut blocks) {
            let part = block::<S, BITS>(simd, *word, x, zero);
            sum = simd.mul_add_e_f32s(part, *scale, sum);
        }
        if let (false, Some(x)) = (rest.is_empty(), blocks.next()) {
            let part = block::<S, BITS>(simd, simd.partial_load_u32s(rest), x, zero);
            sum = simd.mul_add_e_f32s(part, simd.partial_load_f32s(last), sum);
        }
        sum
    }
}

/// One scale for each word: groups may be narrower than the processor's vectors.
#[inline(always)]
fn stretch<W: Stored>(scales: &[W], group: usize, out: &mut [f32]) {
    match group {
        // The published sizes, written out so that each is a single store.
        4 => {
            for (scale, out) in scales.iter().zip(out.as_chunks_mut::<4>().0) {
                *out = [scale.widen(); 4];
            }
        }
        8 => {
            for (scale, out) in scales.iter().zip(out.as_chunks_mut::<8>().0) {
                *out = [scale.widen(); 8];
            }
        }
        _ => {
            for (scale, out) in scales.iter().zip(out.chunks_exact_mut(group)) {
                out.fill(scale.widen());
            }
        }
    }
}

/// `part + code x` over all places of one vector of words.
#[inline(always)]
fn block<S: Simd, const BITS: usize>(
    simd: S,
    words: S::u32s,
    x: &[S::f32s],
    mut part: S::f32s,
) -> S::f32s {
    let whole = simd.splat_f32s(WHOLE);
    let bits = simd.transmute_u32s_f32s(whole);
    let upper = simd.wrapping_dyn_shr_u32s(words, simd.splat_u32s(16));
    for (half, words) in [words, upper].into_iter().enumerate() {
        for place in 0..places(BITS) {
            let mask = simd.splat_u32s(((1 << BITS) - 1) << (BITS * place));
            let code = simd.or_u32s(simd.and_u32s(words, mask), bits);
            let code = simd.sub_f32s(simd.transmute_f32s_u32s(code), whole);
            part = simd.mul_add_e_f32s(code, x[half * places(BITS) + place], part);
        }
    }
    part
}

impl<W: Stored, const BITS: usize> Rows for Codes<'_, W, BITS> {
    fn sizes(&self) -> (usize, usize) {
        self.sizes
    }

    fn step(&self) -> usize {
        self.group * Self::IN_WORD
    }

    fn prepare<'a, S: Simd>(&self, _: S, x: &'a [f32]) -> Prepared<'a> {
        let (lanes, words) = (S::U32_LANES, x.len() / Self::IN_WORD);
        let mut values = vec![0f32; words.next_multiple_of(lanes) * Self::IN_WORD];
        for (word, x) in x.chunks_exact(Self::IN_WORD).enumerate() {
            let (block, lane) = (word / lanes, word % lanes);
            for (i, x) in x.iter().enumerate() {
                let place = (i % places(BITS) * BITS) as u32;
                let down = f32::from_bits((127 - place) << 23);
                values[(block * Self::IN_WORD + i) * lanes + lane] = x * down;
            }
        }
        Prepared {
            values: Cow::Owned(values),
            sums: x
                .chunks_exact(self.step())
                .map(|x| x.iter().sum())
                .collect(),
        }
    }

    #[inline(always)]
    fn dots<S: Simd>(&self, simd: S, x: &Prepared<'_>, first: usize, out: &mut [f32]) {
        let values = S::as_simd_f32s(&x.values).0;
        let mut stretched = vec![0f32; self.sizes.1 / Self::IN_WORD];
        for (i, out) in out.iter_mut().enumerate() {
            let scaled = self.scaled(simd, values, first + i, &mut stretched);
            let (_, _, biases) = self.row(first + i);
            *out = simd.reduce_sum_f32s(scaled) + dot::<S, W>(biases, &x.sums);
        }
    }

    #[inline(always)]
    fn widen<S: Simd>(&self, _: S, row: usize, from: usize, out: &mut [f32]) {
        let (words, scales, biases) = self.row(row);
        let first = from / self.step();
        let groups = words
            .chunks_exact(self.group)
            .zip(scales.iter().zip(biases));
        let parts = out.chunks_exact_mut(self.step());
        for ((words, (scale, bias)), out) in groups.skip(first).zip(parts) {
            let (scale, bias) = (scale.widen(), bias.widen());
            let value = |code: u64| {
                let code = (code & ((1 << BITS) - 1)) as i32 as f32;
                fma::<S>(code, scale, bias)
            };
            let (whole, last) = words.as_chunks::<2>();
            let mut pairs = out.chunks_exact_mut(2 * Self::IN_WORD);
            for (pair, out) in whole.iter().zip(&mut pairs) {
                let pair = u64::from(pair[0]) | u64::from(pair[1]) << 32;
                for (i, out) in out.iter_mut().enumerate() {
                    *out = value(pair >> (BITS * i));
                }
            }
            for (word, out) in last
                .iter()
                .zip(pairs.into_remainder().chunks_mut(Self::IN_WORD))
            {
                for (i, out) in out.iter_mut().enumerate() {
                    *out = value(u64::from(word >> (BITS * i)));
                }
            }
        }
    }
}
