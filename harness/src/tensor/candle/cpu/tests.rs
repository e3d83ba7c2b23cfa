//! Products on stored weights against sums in f64, at sizes that fill no vector, on vectors of
//! every width.

use half::{bf16, f16};
use pulp::{Scalar, Scalar128b, Scalar256b, Scalar512b, Simd, WithSimd};

use super::affine::Codes;
use super::arch;
use super::product::product;
use super::rows::{Plain, Rows};
use super::stored::Stored;
use super::tile::{HIGH, WIDE, pack, tile};

/// Deterministic values in -2..2.
fn values(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) as f32 / (1 << 22) as f32 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

fn dot(w: &[f64], x: &[f32]) -> f64 {
    w.iter().zip(x).map(|(w, &x)| w * f64::from(x)).sum()
}

/// Sums of `k` products of size `top` in f32 reach about `sqrt(k) top`, and `k` roundings of that
/// size add up like a random walk; twice that for room.
fn allowed(k: usize, top: f64) -> f64 {
    2f64.powi(-23) * top * k.max(8) as f64
}

/// The whole product on this processor, and each kernel on vectors of 1, 4, 8 and 16 lanes.
fn check(what: &str, rows: impl Rows, matrix: &[f64]) {
    let (n, k) = rows.sizes();
    let top = 2.0 * matrix.iter().fold(0f64, |top, w| top.max(w.abs()));
    let allowed = allowed(k, top);
    let bias = values(n, 9);
    for m in [1, 2, 4, 5, 6, 9, 70] {
        let x = values(m * k, 3);
        for bias in [None, Some(&bias[..])] {
            let found = product(rows, &x, bias);
            assert_eq!(found.len(), m * n, "{what}");
            for (i, found) in found.iter().enumerate() {
                let wanted = dot(&matrix[i % n * k..][..k], &x[i / n * k..][..k])
                    + bias.map_or(0.0, |bias| f64::from(bias[i % n]));
                let gap = (f64::from(*found) - wanted).abs();
                assert!(gap <= allowed, "{what}, {n} x {k}, {m} rows [{i}]: {gap}");
            }
        }
    }
    let each = Each {
        what,
        rows,
        matrix,
        allowed,
    };
    each.with_simd(Scalar::new());
    each.with_simd(Scalar128b);
    each.with_simd(Scalar256b);
    each.with_simd(Scalar512b);
    arch().dispatch(each);
}

/// The kernels for one and for many rows of `x`, on vectors of one width.
#[derive(Clone, Copy)]
struct Each<'a, R> {
    what: &'a str,
    rows: R,
    matrix: &'a [f64],
    allowed: f64,
}

impl<R: Rows> WithSimd for Each<'_, R> {
    type Output = ();

    fn with_simd<S: Simd>(self, simd: S) {
        let (n, k) = self.rows.sizes();
        let x = values(HIGH * k, 4);
        let mut found = vec![0f32; n];
        let ready = self.rows.prepare(simd, &x[..k]);
        self.rows.dots(simd, &ready, 0, &mut found);
        let mut panel = vec![0f32; WIDE * k];
        pack(simd, &self.rows, (0, 0), &mut panel, &mut Vec::new());
        for high in 1..=HIGH {
            let mut a = [&x[..0]; HIGH];
            for (a, x) in a.iter_mut().zip(x.chunks_exact(k)) {
                *a = x;
            }
            let mut c = [[1f32; WIDE]; HIGH];
            tile(simd, &a[..high], &panel, &mut c);
            for (r, c) in c.iter().enumerate() {
                for (i, &c) in c.iter().enumerate() {
                    let wanted = match i < n && r < high {
                        true => 1.0 + dot(&self.matrix[i * k..][..k], a[r]),
                        false => 1.0,
                    };
                    let gap = (f64::from(c) - wanted).abs();
                    assert!(gap <= self.allowed, "{} tile [{r}, {i}]: {gap}", self.what);
                }
            }
        }
        for (i, found) in found.iter().enumerate() {
            let gap = (f64::from(*found) - dot(&self.matrix[i * k..][..k], &x[..k])).abs();
            let lanes = S::F32_LANES;
            assert!(
                gap <= self.allowed,
                "{} {lanes} lanes [{i}]: {gap}",
                self.what
            );
        }
    }
}

fn plain<W: Stored>(what: &str, narrow: fn(f32) -> W) {
    for (n, k) in [(1, 1), (3, 7), (7, 64), (33, 129), (130, 65), (20, 1100)] {
        let stored: Vec<W> = values(n * k, 1).into_iter().map(narrow).collect();
        let matrix: Vec<f64> = stored.iter().map(|w| f64::from(w.widen())).collect();
        let stride = k;
        check(
            what,
            Plain {
                values: &stored,
                n,
                k,
                stride,
            },
            &matrix,
        );
    }
}

#[test]
fn stored_floats_multiply_as_their_values_do() {
    plain("f32", |x| x);
    plain("f16", f16::from_f32);
    plain("bf16", bf16::from_f32);
}

fn codes<W: Stored, const BITS: usize>(what: &str, narrow: fn(f32) -> W) {
    let in_word = 32 / BITS;
    for (n, groups, group) in [
        (3, 1, 32),
        (7, 5, 32),
        (9, 3, 64),
        (33, 15, 64),
        (5, 3, 128),
        (2, 1, 640),
        (4, 7, 2 * in_word),
        (4, 5, 3 * in_word),
    ] {
        let (k, top) = (groups * group, (1u32 << BITS) - 1);
        let seeds = values(n * k / in_word, 5);
        let words: Vec<u32> = seeds
            .iter()
            .map(|x| x.to_bits().wrapping_mul(2_654_435_761))
            .collect();
        let narrowed = |seed, by: f32| -> Vec<W> {
            let all = values(n * groups, seed);
            all.into_iter().map(|x| narrow(x * by)).collect()
        };
        let (scales, biases) = (narrowed(6, 1.0 / top as f32), narrowed(7, 0.5));
        let value = |i: usize| {
            let code = words[i / in_word] >> (BITS * (i % in_word)) & top;
            let at = i / group;
            f64::from(code) * f64::from(scales[at].widen()) + f64::from(biases[at].widen())
        };
        let matrix: Vec<f64> = (0..n * k).map(value).collect();
        let rows = Codes::<W, BITS> {
            words: &words,
            scales: &scales,
            biases: &biases,
            sizes: (n, k),
            group: group / in_word,
        };
        check(
            &format!("{what}, {BITS} bits, groups of {group}"),
            rows,
            &matrix,
        );
    }
}

#[test]
fn codes_of_4_bits_multiply_as_their_values_do() {
    codes::<_, 4>("f32", |x| x);
    codes::<_, 4>("f16", f16::from_f32);
    codes::<_, 4>("bf16", bf16::from_f32);
}

#[test]
fn codes_of_8_bits_multiply_as_their_values_do() {
    codes::<_, 8>("f32", |x| x);
    codes::<_, 8>("f16", f16::from_f32);
    codes::<_, 8>("bf16", bf16::from_f32);
}

#[test]
fn every_half_widens_to_its_value() {
    for bits in 0..=u16::MAX {
        let (half, brain) = (f16::from_bits(bits), bf16::from_bits(bits));
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same(half.widen(), half.to_f32()), "{bits:#x}");
        assert!(same(brain.widen(), brain.to_f32()), "{bits:#x}");
    }
}
