//! Attention head by head: scores of a few dozen queries stay in the cache of one core, from their
//! product over the softmax to the product with the values.
//!
//! Queries, keys and values are read where they lie, whatever the order of their axes; the result
//! is laid out with all heads of a position side by side, as the next layer wants it.

use candle_core::{CpuStorage, DType, Result, Storage, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::rows::{Plain, Rows};
use super::softmax::softmax_row;
use super::tile::{HIGH, WIDE, pack, tile};
use super::{arch, dot, write};
use crate::tensor::Mask;

/// Scores a task keeps: 256 KiB of f32.
const SCORES: usize = 64 * 1024;
/// Query rows of a head up to which keys are read in place: packing them would cost more.
const FEW: usize = 4;

/// A tensor `[b, heads, t, d]` of f32 whose last axis is dense, with its strides.
#[derive(Clone, Copy)]
struct Heads<'a> {
    values: &'a [f32],
    dims: [usize; 4],
    strides: [usize; 3],
}

impl<'a> Heads<'a> {
    /// One head's positions.
    fn at(&self, batch: usize, head: usize) -> Plain<'a, f32> {
        let [_, _, n, k] = self.dims;
        Plain {
            values: &self.values[batch * self.strides[0] + head * self.strides[1]..],
            n,
            k,
            stride: self.strides[2],
        }
    }
}

/// See [`crate::tensor::Tensor::attention`]; the caller has checked that the shapes fit.
pub(in crate::tensor::candle) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    (scale, mask): (f32, Mask),
) -> Result<Tensor> {
    let (batch, heads, queries, _) = q.dims4()?;
    let (_, kv_heads, _, _) = k.dims4()?;
    let (d, dtype) = (v.dim(3)?, q.dtype());
    let (q, k, v) = (dense(q)?, dense(k)?, dense(v)?);
    let mut out = vec![0f32; batch * queries * heads * d];
    let mut rows: Vec<Vec<&mut [f32]>> = (0..batch * kv_heads).map(|_| Vec::new()).collect();
    for (i, row) in out.chunks_exact_mut(d.max(1)).enumerate() {
        let (b, head) = (i / (queries * heads), i % heads);
        rows[b * kv_heads + head / (heads / kv_heads)].push(row);
    }
    with(&q, |q| {
        with(&k, |k| {
            with(&v, |v| {
                rows.into_par_iter().enumerate().for_each(|(i, out)| {
                    let (b, head) = (i / kv_heads, i % kv_heads);
                    let group = heads / kv_heads;
                    let queries = (0..group).map(|g| q.at(b, head * group + g)).collect();
                    let one = Head {
                        queries,
                        keys: k.at(b, head),
                        values: v.at(b, head),
                        scale,
                        mask,
                    };
                    one.attend(out);
                });
                Ok(())
            })
        })
    })?;
    write(out, &[batch, queries, heads, d], dtype)?.permute((0, 2, 1, 3))
}

/// The tensor in f32 with a dense last axis: itself, where it is so.
fn dense(x: &Tensor) -> Result<Tensor> {
    let x = x.to_dtype(DType::F32)?;
    if x.stride()[3] == 1 {
        Ok(x)
    } else {
        x.contiguous()
    }
}

fn with<R>(x: &Tensor, f: impl FnOnce(Heads<'_>) -> Result<R>) -> Result<R> {
    let (storage, layout) = x.storage_and_layout();
    let (a, b, c, d) = layout.shape().dims4()?;
    match (&*storage, layout.stride()) {
        (Storage::Cpu(CpuStorage::F32(all)), &[x, y, z, _]) => f(Heads {
            values: &all[layout.start_offset()..],
            dims: [a, b, c, d],
            strides: [x, y, z],
        }),
        _ => bail!("attention: values that are not in the processor's memory"),
    }
}

/// One head of keys and values with all query heads it serves.
struct Head<'a> {
    queries: Vec<Plain<'a, f32>>,
    keys: Plain<'a, f32>,
    values: Plain<'a, f32>,
    scale: f32,
    mask: Mask,
}

impl<'a> Head<'a> {
    /// Row `r` is position `r / group` of the head's query `r % group`.
    fn query(&self, r: usize) -> &'a [f32] {
        let (head, position) = (
            &self.queries[r % self.queries.len()],
            r / self.queries.len(),
        );
        &head.values[position * head.stride..][..head.k]
    }

    /// Keys that row `r` sees.
    fn seen(&self, r: usize) -> usize {
        let (keys, queries) = (self.keys.n, self.queries.first().map_or(0, |head| head.n));
        match self.mask {
            Mask::None => keys,
            Mask::Causal => (keys + 1 + r / self.queries.len())
                .saturating_sub(queries)
                .min(keys),
        }
    }

    fn attend(&self, mut out: Vec<&mut [f32]>) {
        if out.len() <= FEW {
            return arch().dispatch(InPlace { head: self, out });
        }
        let packed = arch().dispatch(Pack(self));
        let share = (SCORES / self.keys.n.max(1) / HIGH).clamp(1, 16) * HIGH;
        out.par_chunks_mut(share).enumerate().for_each(|(i, out)| {
            let part = Part {
                head: self,
                packed: &packed,
                first: i * share,
                out,
            };
            arch().dispatch(part);
        });
    }
}

/// A few queries: dot products with the keys, and the values added up.
struct InPlace<'a, 'o> {
    head: &'a Head<'a>,
    out: Vec<&'o mut [f32]>,
}

impl WithSimd for InPlace<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (keys, values) = (self.head.keys, self.head.values);
        let mut scores = vec![0f32; keys.n];
        for (r, out) in self.out.into_iter().enumerate() {
            let scores = &mut scores[..self.head.seen(r)];
            keys.dots(simd, &keys.prepare(simd, self.head.query(r)), 0, scores);
            softmax_row(scores, self.head.scale);
            for (j, weight) in scores.iter().enumerate() {
                let value = &values.values[j * values.stride..][..values.k];
                for (out, value) in out.iter_mut().zip(value) {
                    *out = dot::fma::<S>(*weight, *value, *out);
                }
            }
        }
    }
}

/// Keys and values of a head in panels.
struct Packed {
    /// For each [`WIDE`] keys `[d, WIDE]`.
    keys: Vec<f32>,
    /// For each [`WIDE`] columns `[keys, WIDE]`.
    values: Vec<f32>,
}

struct Pack<'a>(&'a Head<'a>);

impl WithSimd for Pack<'_> {
    type Output = Packed;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Packed {
        let (k, v) = (self.0.keys, self.0.values);
        let mut keys = vec![0f32; k.n.next_multiple_of(WIDE) * k.k];
        let mut lines = Vec::new();
        for (i, panel) in keys.chunks_exact_mut((WIDE * k.k).max(1)).enumerate() {
            pack(simd, &k, (i * WIDE, 0), panel, &mut lines);
        }
        let mut values = vec![0f32; v.k.next_multiple_of(WIDE) * v.n];
        for (i, panel) in values.chunks_exact_mut((WIDE * v.n).max(1)).enumerate() {
            let columns = i * WIDE..v.k.min((i + 1) * WIDE);
            for (j, out) in panel.chunks_exact_mut(WIDE).enumerate() {
                let row = &v.values[j * v.stride..][columns.clone()];
                out[..row.len()].copy_from_slice(row);
            }
        }
        Packed { keys, values }
    }
}

/// Some query rows of a head.
struct Part<'a, 'o> {
    head: &'a Head<'a>,
    packed: &'a Packed,
    first: usize,
    out: &'a mut [&'o mut [f32]],
}

impl WithSimd for Part<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (head, rows) = (self.head, self.out.len());
        let seen = head.seen(self.first + rows - 1);
        let width = seen.next_multiple_of(WIDE);
        let mut scores = vec![0f32; rows * width];
        let panels = self.packed.keys.chunks_exact(head.keys.k * WIDE);
        for (j, panel) in panels.take(width / WIDE).enumerate() {
            for (i, scores) in scores.chunks_mut(HIGH * width).enumerate() {
                let mut a = [&panel[..0]; HIGH];
                let high = scores.len() / width;
                for (r, a) in a[..high].iter_mut().enumerate() {
                    *a = head.query(self.first + i * HIGH + r);
                }
                let mut c = [[0f32; WIDE]; HIGH];
                tile(simd, &a[..high], panel, &mut c);
                for (scores, c) in scores.chunks_exact_mut(width).zip(&c) {
                    scores[j * WIDE..][..WIDE].copy_from_slice(c);
                }
            }
        }
        for (r, scores) in scores.chunks_exact_mut(width).enumerate() {
            let (seen, hidden) = scores.split_at_mut(head.seen(self.first + r));
            softmax_row(seen, head.scale);
            hidden.fill(0.0);
        }
        let panels = self.packed.values.chunks_exact(head.values.n * WIDE);
        for (j, panel) in panels.enumerate() {
            let panel = &panel[..seen * WIDE];
            for (scores, out) in scores.chunks(HIGH * width).zip(self.out.chunks_mut(HIGH)) {
                let mut a = [&scores[..0]; HIGH];
                for (a, scores) in a.iter_mut().zip(scores.chunks_exact(width)) {
                    *a = &scores[..seen];
                }
                let mut c = [[0f32; WIDE]; HIGH];
                tile(simd, &a[..out.len()], panel, &mut c);
                for (out, c) in out.iter_mut().zip(&c) {
                    for (out, c) in out[j * WIDE..].iter_mut().zip(c) {
                        *out = *c;
                    }
                }
            }
        }
    }
}
