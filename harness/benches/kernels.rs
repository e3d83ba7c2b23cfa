//! The processor's kernels through the tensor contract, each beside what bounds it.
//!
//! Bounds a core, of the machine the kernels were made on (Zen 4, 3.7 GHz): 25 GB/s of memory read,
//! 117 GFLOP/s of f32. Criterion's throughput is in bytes of weights for one row, in floating-point
//! operations ("elements") for many, in elements for the rest.
//! `RAYON_NUM_THREADS=2 cargo bench --package harness --bench kernels`

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::{bf16, f16};
use harness::tensor::candle::{Candle, On};
use harness::tensor::{Affine, DType, Mask, Tensor, Values, Weight};

/// Rows and columns of the matrices: 67 MB in f32, 34 MB in 16 bits, 9.4 MB in 4 bits, 18 in 8.
const N: usize = 4096;

fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect()
}

fn tensor(dims: &[usize]) -> Candle {
    let values = ramp(dims.iter().product());
    Candle::from_f32(&values, dims, DType::F32, &On::cpu()).expect("a tensor")
}

fn stored(values: Values, dims: &[usize]) -> Candle {
    Candle::from_values(values, dims, &On::cpu()).expect("a tensor")
}

/// A matrix `[N, N]` of each stored form, with its name and its bytes.
fn matrices() -> Vec<(&'static str, usize, Weight<Candle>)> {
    let wide = ramp(N * N);
    let brain = Values::BF16(wide.iter().map(|&x| bf16::from_f32(x)).collect());
    let half = Values::F16(wide.iter().map(|&x| f16::from_f32(x)).collect());
    let dense = |values| Weight::Dense(stored(values, &[N, N]));
    let affine = |bits: usize| {
        let word = |i: usize| (i as u32).wrapping_mul(2_654_435_761);
        let words = (0..N * N * bits / 32).map(word).collect();
        let floats = || Values::F16(ramp(N * N / 64).into_iter().map(f16::from_f32).collect());
        Weight::Affine(Affine {
            words: stored(Values::U32(words), &[N, N * bits / 32]),
            scales: stored(floats(), &[N, N / 64]),
            biases: stored(floats(), &[N, N / 64]),
            bits,
            group: 64,
        })
    };
    vec![
        ("f32", N * N * 4, dense(Values::F32(wide))),
        ("bf16", N * N * 2, dense(brain)),
        ("f16", N * N * 2, dense(half)),
        ("8 bits", N * N * 17 / 16, affine(8)),
        ("4 bits", N * N * 9 / 16, affine(4)),
    ]
}

/// One row is bound by the bytes of the matrix (4 bits by unpacking: 11 GB/s a core), many rows by
/// 2 N N operations each.
fn linears(c: &mut Criterion) {
    let mut group = c.benchmark_group("linear 4096x4096");
    group.sample_size(10);
    for (name, bytes, weight) in matrices() {
        let layer = Candle::linear_new(weight, None, DType::F32).expect("a layer");
        for rows in [1, 4, 16, 64, 512] {
            group.throughput(match rows {
                1 => Throughput::Bytes(bytes as u64),
                rows => Throughput::Elements((2 * rows * N * N) as u64),
            });
            let x = tensor(&[rows, N]);
            group.bench_with_input(BenchmarkId::new(name, rows), &x, |b, x| {
                b.iter(|| x.linear(&layer).expect("a product"));
            });
        }
    }
    group.finish();
}

/// Bound by operations: 4 queries keys d of the two products a head (causal: half), about 20 of the
/// exponential a score. One query is bound by the bytes of keys and values.
fn attention(c: &mut Criterion) {
    let mut group = c.benchmark_group("attention");
    group.sample_size(10);
    for (name, heads, kv_heads, queries, mask) in [
        ("12 heads of 1024x1024", 12, 12, 1024, Mask::None),
        ("15/5 heads of 1024x1024, causal", 15, 5, 1024, Mask::Causal),
        ("15/5 heads of 1x1024", 15, 5, 1, Mask::Causal),
    ] {
        let q = tensor(&[1, heads, queries, 64]);
        let (k, v) = (
            tensor(&[1, kv_heads, 1024, 64]),
            tensor(&[1, kv_heads, 1024, 64]),
        );
        group.throughput(Throughput::Elements(
            (4 * heads * queries * 1024 * 64) as u64,
        ));
        group.bench_function(name, |b| {
            b.iter(|| q.attention(&k, &v, 0.125, mask).expect("attention"));
        });
    }
    group.finish();
}

/// Bound by memory where the arithmetic is light (8 to 12 bytes an element read and written), else
/// by about 20 operations of the exponential.
fn elements(c: &mut Criterion) {
    let mut group = c.benchmark_group("512x4096");
    group.throughput(Throughput::Elements(512 * 4096));
    let (x, y) = (tensor(&[512, 4096]), tensor(&[512, 4096]));
    let (w, b) = (tensor(&[4096]), tensor(&[4096]));
    group.bench_function("add", |bench| bench.iter(|| x.add(&y).expect("a sum")));
    group.bench_function("gelu_tanh", |bench| {
        bench.iter(|| x.gelu_tanh().expect("gelu"))
    });
    group.bench_function("gelu_erf", |bench| {
        bench.iter(|| x.gelu_erf().expect("gelu"))
    });
    group.bench_function("quick_gelu", |bench| {
        bench.iter(|| x.quick_gelu().expect("gelu"))
    });
    group.bench_function("swiglu", |bench| {
        bench.iter(|| Candle::swiglu(&x, &y).expect("a gated unit"));
    });
    group.bench_function("softmax", |bench| {
        bench.iter(|| x.softmax().expect("weights"))
    });
    group.bench_function("rms_norm", |bench| {
        bench.iter(|| x.rms_norm(&w, 1e-5).expect("a norm"));
    });
    group.bench_function("layer_norm", |bench| {
        bench.iter(|| x.layer_norm(&w, &b, 1e-5).expect("a norm"));
    });
    group.finish();
}

criterion_group!(benches, linears, attention, elements);
criterion_main!(benches);
