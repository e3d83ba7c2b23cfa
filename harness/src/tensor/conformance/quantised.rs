//! Matrices of affine groups.

use super::{DType, Tensor, by_row, check, tensor, values};
use crate::tensor::{Affine, Values, Weight};

/// Rows, columns.
const SIZES: [usize; 2] = [6, 256];

pub(super) fn affine_linears<T: Tensor>(dtype: DType, on: &T::Device) {
    for (bits, group) in [(4, 32), (4, 64), (4, 128), (8, 64)] {
        for stored in super::DTYPES {
            linear::<T>(dtype, on, (bits, group, stored));
        }
    }
}

/// Bits, group, type of scales and offsets.
type Form = (usize, usize, DType);

fn linear<T: Tensor>(dtype: DType, on: &T::Device, form: Form) {
    let [n, k] = SIZES;
    let (weight, matrix) = matrix::<T>(form, on);
    let (bias, offsets) = tensor::<T>(&[n], 21, dtype, on);
    let plain = T::linear_new(Weight::Affine(weight.clone()), None, dtype).unwrap();
    let biased = T::linear_new(Weight::Affine(weight), Some(bias), dtype).unwrap();
    let what = |op: &str| format!("{op}, {form:?}");
    // f32 sums round once a product, at random: by the square root of their number. The half types
    // are summed in f32.
    let roundings = if dtype == DType::F32 { 16.0 } else { 4.0 };
    for rows in [1, 3, 70] {
        let (x, data) = tensor::<T>(&[1, rows, k], 22, dtype, on);
        let product = |n: usize, row: &[f64]| {
            let pairs = row.iter().zip(&matrix[n * k..]);
            pairs.map(|(x, w)| x * w).sum::<f64>()
        };
        let without = by_row(&data, k, |row| (0..n).map(|n| product(n, row)).collect());
        let found = x.linear(&plain).unwrap();
        check(
            &what("linear"),
            &found,
            &[1, rows, n],
            &without,
            roundings,
            dtype,
        );
        let with = by_row(&data, k, |row| {
            (0..n).map(|n| product(n, row) + offsets[n]).collect()
        });
        let found = x.linear(&biased).unwrap();
        check(
            &what("bias"),
            &found,
            &[1, rows, n],
            &with,
            roundings,
            dtype,
        );
    }
    let ids = T::from_u32(&[5, 2], &[2], on).unwrap();
    let rows = [&matrix[5 * k..6 * k], &matrix[2 * k..3 * k]].concat();
    let found = T::embed(&plain, &ids).unwrap();
    check(&what("embed"), &found, &[2, k], &rows, 2.0, dtype);
    assert!(T::embed(&plain, &T::from_u32(&[n as u32], &[1], on).unwrap()).is_err());
}

/// A matrix and its values. Scales, of either sign, and offsets are such that every type holds
/// them exactly.
fn matrix<T: Tensor>((bits, group, stored): Form, on: &T::Device) -> (Affine<T>, Vec<f64>) {
    let [n, k] = SIZES;
    let (groups, in_word) = (n * k / group, 32 / bits);
    let coarse = |seed, over: f64| -> Vec<f64> {
        let steps = values(groups, seed, DType::F32).into_iter();
        let exact = |x: f64| f64::from(half::bf16::from_f64((x * 64.0).round() / over).to_f32());
        steps.map(exact).collect()
    };
    let scales = coarse(23, 64.0 * f64::from((1u32 << bits) - 1));
    let biases = coarse(24, 64.0);
    let scrambled = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> (32 - bits);
    let codes: Vec<u32> = (0..n * k).map(scrambled).collect();
    let pack = |codes: &[u32]| (0..in_word).map(|i| codes[i] << (bits * i)).sum();
    let words = codes.chunks_exact(in_word).map(pack).collect();
    let of = |values: &[f64]| {
        let narrow: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        T::from_f32(&narrow, &[n, k / group], stored, on).unwrap()
    };
    let affine = Affine {
        words: T::from_values(Values::U32(words), &[n, k / in_word], on).unwrap(),
        scales: of(&scales),
        biases: of(&biases),
        bits,
        group,
    };
    let value = |i: usize| f64::from(codes[i]) * scales[i / group] + biases[i / group];
    (affine, (0..n * k).map(value).collect())
}
