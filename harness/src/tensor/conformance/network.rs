//! Norms, rotary embedding, attention.

use super::{DType, Tensor, by_row, check, rounding, tensor};
use crate::tensor::{Mask, RopeSpec};

pub(super) fn norms<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, data) = tensor::<T>(&[1, 5, 24], 1, dtype, on);
    let (w, weight) = tensor::<T>(&[24], 2, dtype, on);
    let (b, bias) = tensor::<T>(&[24], 3, dtype, on);
    let rms = by_row(&data, 24, |row| {
        let share = (row.iter().map(|x| x * x).sum::<f64>() / 24.0 + 1e-5)
            .sqrt()
            .recip();
        row.iter()
            .zip(&weight)
            .map(|(x, w)| x * share * w)
            .collect()
    });
    check(
        "rms_norm",
        &x.rms_norm(&w, 1e-5).unwrap(),
        &[1, 5, 24],
        &rms,
        6.0,
        dtype,
    );
    let layer = by_row(&data, 24, |row| {
        let mean = row.iter().sum::<f64>() / 24.0;
        let share = (row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 24.0 + 1e-6)
            .sqrt()
            .recip();
        row.iter()
            .zip(weight.iter().zip(&bias))
            .map(|(x, (w, b))| (x - mean) * share * w + b)
            .collect()
    });
    check(
        "layer_norm",
        &x.layer_norm(&w, &b, 1e-6).unwrap(),
        &[1, 5, 24],
        &layer,
        8.0,
        dtype,
    );
}

pub(super) fn ropes<T: Tensor>(dtype: DType, on: &T::Device) {
    for (dims, factor, offset) in [(8, 1.0f32, 5), (4, 1.25, 5), (8, 1.19, 4000)] {
        let mut spec = RopeSpec::plain(dims, 10_000.0, offset + 27);
        spec.factor = factor;
        let table = T::rope_new(&spec, dtype, on).unwrap();
        let (x, data) = tensor::<T>(&[1, 2, 3, 8], 4, dtype, on);
        let expected = turned(&data, &spec, offset);
        // An angle is a product in f32, off by up to one rounding of its size.
        let angle = 2.0 * offset as f64 * rounding(DType::F32) / rounding(dtype);
        check(
            "rope",
            &x.rope(&table, offset).unwrap(),
            &[1, 2, 3, 8],
            &expected,
            6.0 + angle,
            dtype,
        );
        assert!(
            x.rope(&table, offset + 25).is_err(),
            "past the end of the tables"
        );
    }
}

fn turned(data: &[f64], spec: &RopeSpec, offset: usize) -> Vec<f64> {
    let half = spec.dims / 2;
    let row = |i: usize, row: &[f64]| {
        let mut out = row.to_vec();
        for (pair, &freq) in spec.inv_freq.iter().enumerate() {
            let (sin, cos) = ((offset + i % 3) as f64 * f64::from(freq)).sin_cos();
            let (sin, cos) = (sin * f64::from(spec.factor), cos * f64::from(spec.factor));
            out[pair] = row[pair] * cos - row[pair + half] * sin;
            out[pair + half] = row[pair + half] * cos + row[pair] * sin;
        }
        out
    };
    data.chunks_exact(8)
        .enumerate()
        .flat_map(|(i, x)| row(i, x))
        .collect()
}

pub(super) fn attentions<T: Tensor>(dtype: DType, on: &T::Device) {
    attends::<T>(dtype, on, [2, 4, 2, 3, 5], Mask::None);
    attends::<T>(dtype, on, [1, 3, 3, 1, 9], Mask::None);
}

pub(super) fn causal_attentions<T: Tensor>(dtype: DType, on: &T::Device) {
    attends::<T>(dtype, on, [1, 6, 2, 4, 4], Mask::Causal); // a whole prompt
    attends::<T>(dtype, on, [1, 6, 2, 3, 8], Mask::Causal); // more after a cache
    attends::<T>(dtype, on, [1, 6, 2, 1, 8], Mask::Causal); // one token
}

/// Batch, heads, key heads, queries, keys.
fn attends<T: Tensor>(dtype: DType, on: &T::Device, sizes: [usize; 5], mask: Mask) {
    const DIM: usize = 16;
    let [batch, heads, kv_heads, queries, keys] = sizes;
    let (q, qs) = tensor::<T>(&[batch, heads, queries, DIM], 5, dtype, on);
    let (k, ks) = tensor::<T>(&[batch, kv_heads, keys, DIM], 6, dtype, on);
    let (v, vs) = tensor::<T>(&[batch, kv_heads, keys, DIM], 7, dtype, on);
    let one = |row: usize| {
        let (b, head, i) = (
            row / (heads * queries),
            row / queries % heads,
            row % queries,
        );
        let at = (b * kv_heads + head / (heads / kv_heads)) * keys * DIM;
        let seen = if mask == Mask::Causal {
            keys - queries + i + 1
        } else {
            keys
        };
        let dot = |j: usize| {
            (0..DIM)
                .map(|d| qs[row * DIM + d] * ks[at + j * DIM + d])
                .sum::<f64>()
                * 0.25
        };
        let weights: Vec<_> = (0..seen).map(|j| dot(j).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mix = |d: usize| {
            weights
                .iter()
                .enumerate()
                .map(|(j, w)| w / sum * vs[at + j * DIM + d])
                .sum::<f64>()
        };
        (0..DIM).map(mix).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (0..batch * heads * queries).flat_map(one).collect();
    let found = q.attention(&k, &v, 0.25, mask).unwrap();
    // Scores of size 16 are rounded before the exponential: 16 more half units in the half types.
    check(
        "attention",
        &found,
        &[batch, heads, queries, DIM],
        &expected,
        24.0,
        dtype,
    );
}

pub(super) fn waits<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, _) = tensor::<T>(&[2, 2], 8, dtype, on);
    T::eval(&[&x, &x.scale(2.0).unwrap()]).unwrap();
    T::eval(&[]).unwrap();
}
