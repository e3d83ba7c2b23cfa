//! Dot products of stored rows with f32 vectors.

use pulp::Simd;

use super::stored::Stored;

/// Sums kept side by side: enough to hide the latency of an addition on every processor.
const SUMS: usize = 64;

/// `a b + c`, in one step where the processor can.
#[inline(always)]
pub(super) fn fma<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::IS_SCALAR {
        a * b + c // without such an instruction `mul_add` would call a library
    } else {
        a.mul_add(b, c)
    }
}

/// `sum(w[i] x[i])`.
#[inline(always)]
pub(super) fn dot<S: Simd, W: Stored>(w: &[W], x: &[f32]) -> f32 {
    let (whole, w_rest) = w.as_chunks::<SUMS>();
    let (blocks, x_rest) = x.as_chunks::<SUMS>();
    let mut sums = [0f32; SUMS];
    for (w, x) in whole.iter().zip(blocks) {
        for i in 0..SUMS {
            sums[i] = fma::<S>(w[i].widen(), x[i], sums[i]);
        }
    }
    for ((w, x), sum) in w_rest.iter().zip(x_rest).zip(&mut sums) {
        *sum = fma::<S>(w.widen(), *x, *sum);
    }
    let mut half = SUMS / 2;
    while half > 0 {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
        half /= 2;
    }
    sums[0]
}
