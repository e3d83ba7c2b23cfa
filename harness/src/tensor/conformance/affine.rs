//! Matrices of affine groups: codes of 4 and 8 bits under scales of every stored type.

use half::{bf16, f16};

use super::{DType, Tensor, by_row, check, tensor, values};
use crate::tensor::{Affine, Values, Weight};

/// Rows of the matrix.
const ROWS: usize = 7;
/// Groups of a row: more than one, and odd.
const GROUPS: usize = 3;

/// Rounded scales and offsets meet codes of up to twice the largest value, then come the product,
/// the sum and the result: 8. Sums over `k` are kept in f32, so that only an f32 result sees their
/// `k` roundings, which add up like a random walk.
fn roundings(dtype: DType, k: usize) -> f64 {
    match dtype {
        DType::F32 => 8.0 + (k as f64).sqrt(),
        _ => 8.0,
    }
}

/// Every published layout, with every type of scales, on 1 to 70 rows.
pub(super) fn affine_linears<T: Tensor>(dtype: DType, on: &T::Device) {
    for bits in [4, 8] {
        for group in [32, 64, 128] {
            for stored in super::DTYPES {
                let (affine, matrix) = affine::<T>(bits, group, stored, on);
                let layer = T::linear_new(Weight::Affine(affine), None, dtype).unwrap();
                let what = format!("{bits} bits, groups of {group}, {stored} scales");
                multiplies::<T>(&what, &layer, &matrix, (dtype, on));
                embeds::<T>(&what, &layer, &matrix, (dtype, on));
            }
        }
    }
}

/// A bias is added, and parts that are no matrix are refused.
pub(super) fn affine_biases<T: Tensor>(dtype: DType, on: &T::Device) {
    let (affine, matrix) = affine::<T>(4, 64, DType::F16, on);
    let (bias, offsets) = tensor::<T>(&[ROWS], 5, dtype, on);
    let k = matrix.len() / ROWS;
    let weight = Weight::Affine(affine.clone());
    let layer = T::linear_new(weight, Some(bias), dtype).unwrap();
    let (x, data) = tensor::<T>(&[2, k], 6, dtype, on);
    let expected = by_row(&data, k, |row| {
        let sums = product(row, &matrix);
        sums.iter().zip(&offsets).map(|(y, b)| y + b).collect()
    });
    let found = x.linear(&layer).unwrap();
    check(
        "bias",
        &found,
        &[2, ROWS],
        &expected,
        roundings(dtype, k),
        dtype,
    );
    let broken = Affine {
        group: 32,
        ..affine
    };
    assert!(T::linear_new(Weight::Affine(broken), None, dtype).is_err());
}

fn multiplies<T: Tensor>(
    what: &str,
    layer: &T::Linear,
    matrix: &[f64],
    (dtype, on): (DType, &T::Device),
) {
    let k = matrix.len() / ROWS;
    for rows in [1, 3, 9, 70] {
        let (x, data) = tensor::<T>(&[rows, k], 3, dtype, on);
        let expected = by_row(&data, k, |row| product(row, matrix));
        let (found, dims) = (x.linear(layer).unwrap(), [rows, ROWS]);
        check(what, &found, &dims, &expected, roundings(dtype, k), dtype);
    }
}

fn embeds<T: Tensor>(
    what: &str,
    layer: &T::Linear,
    matrix: &[f64],
    (dtype, on): (DType, &T::Device),
) {
    let k = matrix.len() / ROWS;
    let ids = T::from_u32(&[6, 0, 6], &[3], on).unwrap();
    let (last, first) = (&matrix[6 * k..], &matrix[..k]);
    let expected = [last, first, last].concat();
    let found = T::embed(layer, &ids).unwrap();
    check(what, &found, &[3, k], &expected, roundings(dtype, k), dtype);
    assert!(T::embed(layer, &T::from_u32(&[7], &[1], on).unwrap()).is_err());
}

fn product(row: &[f64], matrix: &[f64]) -> Vec<f64> {
    let dot = |w: &[f64]| row.iter().zip(w).map(|(x, w)| x * w).sum();
    matrix.chunks_exact(row.len()).map(dot).collect()
}

/// A matrix with values in about -2..2, every other scale negative, and the values its parts stand for.
fn affine<T: Tensor>(
    bits: usize,
    group: usize,
    stored: DType,
    on: &T::Device,
) -> (Affine<T>, Vec<f64>) {
    let (k, top) = (GROUPS * group, (1u32 << bits) - 1);
    let codes: Vec<u32> = values(ROWS * k, 1, DType::F32)
        .iter()
        .map(|x| ((x + 2.0) / 4.0 * f64::from(top)).round() as u32)
        .collect();
    let sizes = values(ROWS * GROUPS, 2, DType::F32);
    let scale = |(i, size): (usize, &f64)| {
        let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
        (sign * (2.0 + size.abs()) / f64::from(top)) as f32
    };
    let scales: Vec<f32> = sizes.iter().enumerate().map(scale).collect();
    let biases: Vec<f32> = scales.iter().map(|s| -s * top as f32 / 2.1).collect();
    let (scales, scale) = kept(&scales, stored);
    let (biases, bias) = kept(&biases, stored);
    let value = |(i, &code): (usize, &u32)| f64::from(code) * scale[i / group] + bias[i / group];
    let matrix = codes.iter().enumerate().map(value).collect();
    let pack = |codes: &[u32]| codes.iter().rev().fold(0, |word, code| word << bits | code);
    let words: Vec<u32> = codes.chunks_exact(32 / bits).map(pack).collect();
    let affine = Affine {
        words: T::from_u32(&words, &[ROWS, k * bits / 32], on).unwrap(),
        scales: T::from_values(scales, &[ROWS, GROUPS], on).unwrap(),
        biases: T::from_values(biases, &[ROWS, GROUPS], on).unwrap(),
        bits,
        group,
    };
    (affine, matrix)
}

/// Values in the type a checkpoint stores them in, and what is left of them.
fn kept(values: &[f32], stored: DType) -> (Values, Vec<f64>) {
    match stored {
        DType::F16 => {
            let kept: Vec<_> = values.iter().map(|&x| f16::from_f32(x)).collect();
            let left = kept.iter().map(|x| x.to_f64()).collect();
            (Values::F16(kept), left)
        }
        DType::BF16 => {
            let kept: Vec<_> = values.iter().map(|&x| bf16::from_f32(x)).collect();
            let left = kept.iter().map(|x| x.to_f64()).collect();
            (Values::BF16(kept), left)
        }
        DType::F32 | DType::U32 => {
            let left = values.iter().map(|&x| f64::from(x)).collect();
            (Values::F32(values.to_vec()), left)
        }
    }
}
