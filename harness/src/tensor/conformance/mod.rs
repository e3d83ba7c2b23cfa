//! What every library must do: value and dtype of each method, in f32, f16 and bf16.
//!
//! Oracles are written out in f64 over plain slices. A result may differ from its oracle by the
//! rounding of its own dtype, times a small factor for the operations inside; see [`check`].

mod affine;
mod compute;
mod layout;
mod network;

use super::{DType, Tensor};

/// Floating dtypes each case runs in.
const DTYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// Half the distance of neighbouring values around 1.
fn rounding(dtype: DType) -> f64 {
    match dtype {
        DType::F32 | DType::U32 => 2f64.powi(-24),
        DType::F16 => 2f64.powi(-11),
        DType::BF16 => 2f64.powi(-8),
    }
}

/// Deterministic values in -2..2, rounded to `dtype`, so that every library starts from the same.
fn values(count: usize, seed: u32, dtype: DType) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let raw = f64::from(state >> 8) / f64::from(1 << 22) - 2.0;
        match dtype {
            DType::F32 | DType::U32 => f64::from(raw as f32),
            DType::F16 => f64::from(half::f16::from_f64(raw).to_f32()),
            DType::BF16 => f64::from(half::bf16::from_f64(raw).to_f32()),
        }
    };
    (0..count).map(|_| next()).collect()
}

/// A tensor of such values, with the values.
fn tensor<T: Tensor>(dims: &[usize], seed: u32, dtype: DType, on: &T::Device) -> (T, Vec<f64>) {
    let data = values(dims.iter().product(), seed, dtype);
    let narrow: Vec<f32> = data.iter().map(|&x| x as f32).collect();
    (T::from_f32(&narrow, dims, dtype, on).unwrap(), data)
}

/// Compares sizes, dtype and values; `roundings`: how many roundings of the dtype lie between input
/// and output, at the scale of the largest value.
fn check<T: Tensor>(
    op: &str,
    found: &T,
    dims: &[usize],
    expected: &[f64],
    roundings: f64,
    dtype: DType,
) {
    assert_eq!(found.dims(), dims, "{op} {dtype}");
    assert_eq!(found.dtype(), dtype, "{op}");
    let found = found.to_f32().unwrap();
    assert_eq!(found.len(), expected.len(), "{op} {dtype}");
    let top = expected.iter().fold(1f64, |top, x| top.max(x.abs()));
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let gap = (f64::from(found) - expected).abs();
        assert!(
            gap <= roundings * rounding(dtype) * top,
            "{op} {dtype} [{i}]: {found} for {expected}"
        );
    }
}

/// `f` over each row of the last axis.
fn by_row(data: &[f64], width: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    data.chunks_exact(width).flat_map(f).collect()
}

/// Held by each test of a library whose state is its process's own: MLX counts memory and keeps
/// compiled kernels for all threads together.
pub(super) static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

macro_rules! suite {
    ($library:ident, $tensor:ty, $on:expr) => {
        mod $library {
            use super::*;

            suite!(@case $tensor, $on, layout: conversions, reshapes, narrows_and_concats, writes, rows);
            suite!(@case $tensor, $on, compute: sums_and_products, activations, reductions, matmuls, linears, refusals);
            suite!(@case $tensor, $on, network: norms, ropes, attentions, causal_attentions, waits);
            suite!(@case $tensor, $on, affine: affine_linears, affine_biases);
        }
    };
    (@case $tensor:ty, $on:expr, $file:ident: $($case:ident),*) => {
        $(#[test]
        fn $case() {
            let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for dtype in DTYPES {
                super::$file::$case::<$tensor>(dtype, &$on);
            }
        })*
    };
}

#[cfg(feature = "candle")]
suite!(
    candle,
    crate::tensor::candle::Candle,
    crate::tensor::candle::On::cpu()
);

// Who builds for a GPU and tests there wants to hear that there is none.
#[cfg(feature = "cuda")]
suite!(
    candle_cuda,
    crate::tensor::candle::Candle,
    crate::tensor::candle::On::at(crate::models::Device::Cuda).unwrap()
);

#[cfg(all(feature = "metal", target_os = "macos"))]
suite!(
    candle_metal,
    crate::tensor::candle::Candle,
    crate::tensor::candle::On::at(crate::models::Device::Metal).unwrap()
);

#[cfg(feature = "mlx")]
suite!(mlx, crate::tensor::mlx::Mlx, crate::tensor::mlx::On::cpu());

/// The device says where it is.
#[cfg(feature = "candle")]
#[test]
fn devices_have_names() {
    use super::Device as _;
    assert_eq!(crate::tensor::candle::On::cpu().name(), "cpu");
}
