//! Arithmetic, activations, products.

use super::{DType, Tensor, by_row, check, tensor};
use crate::tensor::Weight;

pub(super) fn sums_and_products<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, a) = tensor::<T>(&[2, 3, 4], 1, dtype, on);
    let (y, b) = tensor::<T>(&[4], 2, dtype, on);
    let pairs = |f: fn(f64, f64) -> f64| {
        a.iter()
            .enumerate()
            .map(|(i, &a)| f(a, b[i % 4]))
            .collect::<Vec<_>>()
    };
    check(
        "add",
        &x.add(&y).unwrap(),
        &[2, 3, 4],
        &pairs(|a, b| a + b),
        1.0,
        dtype,
    );
    check(
        "mul",
        &x.mul(&y).unwrap(),
        &[2, 3, 4],
        &pairs(|a, b| a * b),
        1.0,
        dtype,
    );
    let scaled: Vec<_> = a.iter().map(|a| a * 0.375).collect();
    check(
        "scale",
        &x.scale(0.375).unwrap(),
        &[2, 3, 4],
        &scaled,
        1.0,
        dtype,
    );
}

pub(super) fn activations<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, data) = tensor::<T>(&[5, 33], 3, dtype, on);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let tanh = |x: f64| {
        0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
    };
    let erf = |x: f64| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()));
    let map = |f: &dyn Fn(f64) -> f64| data.iter().map(|&x| f(x)).collect::<Vec<_>>();
    // The half types round inside candle's own kernels too: up to six times.
    check(
        "sigmoid",
        &x.sigmoid().unwrap(),
        &[5, 33],
        &map(&sigmoid),
        4.0,
        dtype,
    );
    check(
        "silu",
        &x.silu().unwrap(),
        &[5, 33],
        &map(&|x| x * sigmoid(x)),
        4.0,
        dtype,
    );
    check(
        "gelu_tanh",
        &x.gelu_tanh().unwrap(),
        &[5, 33],
        &map(&tanh),
        6.0,
        dtype,
    );
    check(
        "gelu_erf",
        &x.gelu_erf().unwrap(),
        &[5, 33],
        &map(&erf),
        6.0,
        dtype,
    );
    check(
        "quick_gelu",
        &x.quick_gelu().unwrap(),
        &[5, 33],
        &map(&|x| x * sigmoid(1.702 * x)),
        6.0,
        dtype,
    );
    let (up, other) = tensor::<T>(&[5, 33], 4, dtype, on);
    let gated: Vec<_> = data
        .iter()
        .zip(&other)
        .map(|(&g, u)| g * sigmoid(g) * u)
        .collect();
    check(
        "swiglu",
        &T::swiglu(&x, &up).unwrap(),
        &[5, 33],
        &gated,
        6.0,
        dtype,
    );
}

/// The error function by its Taylor series: exact to f64 rounding for |x| < 2.
fn erf(x: f64) -> f64 {
    let (mut sum, mut term) = (0.0, x);
    for n in 0..60 {
        sum += term / f64::from(2 * n + 1);
        term *= -x * x / f64::from(n + 1);
    }
    2.0 / std::f64::consts::PI.sqrt() * sum
}

pub(super) fn reductions<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, data) = tensor::<T>(&[3, 7], 5, dtype, on);
    let softmax = by_row(&data, 7, |row| {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / sum).collect()
    });
    check(
        "softmax",
        &x.softmax().unwrap(),
        &[3, 7],
        &softmax,
        4.0,
        dtype,
    );
    let top =
        |row: &[f64]| (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
    let expected: Vec<u32> = data.chunks_exact(7).map(|row| top(row) as u32).collect();
    let found = x.argmax().unwrap();
    assert_eq!((found.dims(), found.to_u32().unwrap()), (vec![3], expected));
    let tie = T::from_f32(&[1.0, 2.0, 2.0], &[3], dtype, on).unwrap();
    assert_eq!(
        tie.argmax().unwrap().to_u32().unwrap(),
        [1],
        "the first of equals"
    );
}

pub(super) fn matmuls<T: Tensor>(dtype: DType, on: &T::Device) {
    let (x, a) = tensor::<T>(&[2, 3, 16], 6, dtype, on);
    let (y, b) = tensor::<T>(&[2, 16, 5], 7, dtype, on);
    let at = |i: usize| {
        let (batch, row, col) = (i / 15, i / 5 % 3, i % 5);
        (0..16)
            .map(|k| a[batch * 48 + row * 16 + k] * b[batch * 80 + k * 5 + col])
            .sum::<f64>()
    };
    let expected: Vec<_> = (0..30).map(at).collect();
    check(
        "matmul",
        &x.matmul(&y).unwrap(),
        &[2, 3, 5],
        &expected,
        4.0,
        dtype,
    );
}

pub(super) fn linears<T: Tensor>(dtype: DType, on: &T::Device) {
    let (w, weight) = tensor::<T>(&[6, 16], 8, dtype, on);
    let (b, bias) = tensor::<T>(&[6], 9, dtype, on);
    let plain = T::linear_new(Weight::Dense(w.clone()), None, dtype).unwrap();
    let biased = T::linear_new(Weight::Dense(w), Some(b), dtype).unwrap();
    for rows in [1, 3, 70] {
        let (x, data) = tensor::<T>(&[1, rows, 16], 10, dtype, on);
        let product = |n: usize, row: &[f64]| {
            row.iter()
                .zip(&weight[n * 16..])
                .map(|(x, w)| x * w)
                .sum::<f64>()
        };
        let without = by_row(&data, 16, |row| (0..6).map(|n| product(n, row)).collect());
        check(
            "linear",
            &x.linear(&plain).unwrap(),
            &[1, rows, 6],
            &without,
            4.0,
            dtype,
        );
        let with = by_row(&data, 16, |row| {
            (0..6).map(|n| product(n, row) + bias[n]).collect()
        });
        check(
            "linear, bias",
            &x.linear(&biased).unwrap(),
            &[1, rows, 6],
            &with,
            4.0,
            dtype,
        );
    }
    let ids = T::from_u32(&[5, 2], &[2], on).unwrap();
    let expected = [&weight[80..96], &weight[32..48]].concat();
    check(
        "embed",
        &T::embed(&plain, &ids).unwrap(),
        &[2, 16],
        &expected,
        0.0,
        dtype,
    );
}

/// Unequal dtypes and sizes are errors on every library, never promotions.
pub(super) fn refusals<T: Tensor>(dtype: DType, on: &T::Device) {
    let other = if dtype == DType::F32 {
        DType::F16
    } else {
        DType::F32
    };
    let (x, _) = tensor::<T>(&[2, 4], 11, dtype, on);
    let (y, _) = tensor::<T>(&[2, 4], 12, other, on);
    let (short, _) = tensor::<T>(&[2, 3], 13, dtype, on);
    assert!(
        x.add(&y).is_err() && x.mul(&y).is_err() && x.matmul(&y.permute(&[1, 0]).unwrap()).is_err()
    );
    assert!(x.add(&short).is_err() && x.matmul(&x).is_err());
    assert!(T::concat(&[&x, &y], 0).is_err() && T::swiglu(&x, &y).is_err());
    assert!(x.rms_norm(&short, 1e-5).is_err() && x.reshape(&[usize::MAX, 2]).is_err());
    let layer = T::linear_new(Weight::Dense(y.clone()), None, other).unwrap();
    assert!(x.linear(&layer).is_err());
    assert!(T::embed(&layer, &T::from_u32(&[2], &[1], on).unwrap()).is_err());
    assert!(T::linear_new(Weight::Dense(y), Some(x), other).is_err());
}
