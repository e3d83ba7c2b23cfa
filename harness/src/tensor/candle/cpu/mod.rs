//! Kernels for the processor, where candle's own leave most of it idle.
//!
//! candle 0.11 widens whole matrices at each product, packs them anew, copies and adds in one
//! thread, and calls libm element by element. These compute in f32 whatever the tensors' type is,
//! round once, share the work out over rayon's pool and use all the vector width that is there:
//! [`arch`] finds it at run time, and loops inside its `dispatch` are compiled for each width.

mod activation;
mod affine;
mod attention;
mod dot;
mod elementwise;
mod exp;
mod matrix;
mod norm;
mod product;
mod rows;
mod softmax;
mod stored;
#[cfg(test)]
mod tests;
mod tile;

use std::sync::OnceLock;

use candle_core::{CpuStorage, DType, Device, Result, Storage, Tensor};
use pulp::Arch;

pub(super) use activation::{Activation, activation};
pub(super) use attention::attention;
pub(super) use elementwise::{add, mul, swiglu};
pub(super) use matrix::Matrix;
pub(super) use norm::{layer_norm, rms_norm};
pub(super) use softmax::softmax;

/// Elements a task works on: small enough to share out, large enough to pay for the hand-over.
const CHUNK: usize = 16 * 1024;

/// The widest vectors this processor has.
fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(Arch::new)
}

/// Whether a tensor is on the processor.
pub(super) fn is_here(x: &Tensor) -> bool {
    matches!(x.device(), Device::Cpu)
}

/// Calls `f` with the values in f32, row-major.
fn read<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let x = x.to_dtype(DType::F32)?.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(all)), Some((from, to))) => f(&all[from..to]),
        _ => candle_core::bail!("a kernel of the processor needs f32 values in its memory"),
    }
}

/// A tensor of f32 values, rounded to `dtype`.
fn write(values: Vec<f32>, dims: &[usize], dtype: DType) -> Result<Tensor> {
    Tensor::from_vec(values, dims, &Device::Cpu)?.to_dtype(dtype)
}
