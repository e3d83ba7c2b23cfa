//! candle's GPUs: whether they are there, and 4-bit matrices on Apple's.
//!
//! On Metal an affine matrix of 4 bits becomes GGML's `Q4_1` blocks, which have a scale and an
//! offset as well: 5 bits a weight where the checkpoint takes 4.5, and no weight changes. 8 bits
//! have no such blocks, and candle's CUDA kernels round activations to 8 bits for all of them: both
//! are dequantised once, at load.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{D, DType, Device, Module, Tensor, utils};
use half::f16;

use super::Candle;
use crate::error::{Error, Result};
use crate::subject::Allocator;
use crate::tensor::{Affine, Tensor as _};

/// Device files of NVIDIA's driver on Linux, and of the one that Windows lends to Linux.
const NVIDIA_DRIVER: [&str; 2] = ["/dev/nvidiactl", "/dev/dxg"];

/// Weights of one block.
const BLOCK: usize = 32;

/// Apple's GPU.
pub(super) fn metal() -> Result<Device> {
    if !cfg!(target_os = "macos") {
        return refused("device metal: needs macOS on Apple silicon");
    }
    if !utils::metal_is_available() {
        return refused("device metal: not built in: build with --features metal");
    }
    Ok(Device::new_metal(0)?)
}

/// The first NVIDIA GPU.
pub(super) fn cuda() -> Result<Device> {
    if !utils::cuda_is_available() {
        return refused("device cuda: not built in: build with --features cuda");
    }
    // Without a driver the CUDA bindings panic instead of answering.
    if !NVIDIA_DRIVER.iter().any(|file| Path::new(file).exists()) {
        return refused("device cuda: no NVIDIA driver: install it, or choose another device");
    }
    Ok(Device::new_cuda(0)?)
}

fn refused(why: &str) -> Result<Device> {
    Err(Error::Unavailable(why.to_owned()))
}

/// What the device's driver counts: of Metal this process's allocations, candle's cache of buffers
/// included, of CUDA what all processes use. candle itself counts nothing, on a processor neither.
pub(super) fn memory(on: &Device) -> Allocator {
    match on {
        #[cfg(feature = "metal")]
        Device::Metal(device) => {
            let bytes = |count: usize| u64::try_from(count).ok();
            let device = device.metal_device();
            Allocator {
                active: bytes(device.current_allocated_size()),
                limit: bytes(device.recommended_max_working_set_size()),
                ..Allocator::default()
            }
        }
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => {
            use candle_core::cuda_backend::cudarc::driver::result::mem_get_info;
            let bytes = |count: usize| u64::try_from(count).ok();
            let (free, total) = mem_get_info().unwrap_or_default();
            Allocator {
                active: bytes(total - free).filter(|_| total > 0),
                limit: bytes(total).filter(|&total| total > 0),
                ..Allocator::default()
            }
        }
        _ => Allocator::default(),
    }
}

/// Index of the first largest element of the last axis. candle's own kernels for it take any of equals.
pub(super) fn first_largest(x: &Tensor) -> candle_core::Result<Tensor> {
    let last = D::Minus1;
    let n = u32::try_from(x.dim(last)?)?;
    let is_top = x.broadcast_eq(&x.max_keepdim(last)?)?;
    let at = Tensor::arange(0, n, x.device())?.broadcast_as(x.shape())?;
    let none = Tensor::full(n, x.shape(), x.device())?;
    is_top.where_cond(&at, &none)?.min(last)
}

/// A matrix `[n, k]` in `Q4_1` blocks.
#[derive(Clone, Debug)]
pub(super) struct Packed(QMatMul);

impl Packed {
    /// Bytes of its blocks.
    pub(super) fn bytes(&self) -> usize {
        match &self.0 {
            QMatMul::QTensor(tensor) => tensor.storage_size_in_bytes(),
            QMatMul::Tensor(tensor) | QMatMul::TensorF16(tensor) => super::linear::size(tensor),
        }
    }

    /// Packs a matrix where `on` computes with blocks and they hold it exactly; none elsewhere.
    pub(super) fn of(matrix: &Affine<Candle>, on: &Device) -> Result<Option<Self>> {
        if !on.is_metal() || matrix.bits != 4 {
            return Ok(None);
        }
        let tensor = blocks(matrix)?.map(|blocks| on_device(&blocks, matrix, on));
        let tensor = tensor.transpose()?;
        Ok(tensor.map(QMatMul::from_arc).transpose()?.map(Self))
    }

    /// `x W^T`. The kernels read f32 and give f32; one of them does not check.
    pub(super) fn product(&self, x: &Tensor) -> Result<Tensor> {
        let wide = x.to_dtype(DType::F32)?.contiguous()?;
        Ok(self.0.forward(&wide)?.to_dtype(x.dtype())?)
    }

    /// Rows in `dtype`.
    pub(super) fn rows(&self, ids: &Tensor, dtype: DType) -> Result<Tensor> {
        Ok(self.0.embedding(ids)?.to_dtype(dtype)?)
    }
}

fn on_device(blocks: &[u8], matrix: &Affine<Candle>, on: &Device) -> Result<Arc<QTensor>> {
    let storage = QStorage::from_data(Cow::Borrowed(blocks), on, GgmlDType::Q4_1)?;
    Ok(Arc::new(QTensor::new(storage, matrix.sizes()?)?))
}

/// All blocks, row-major: scale and offset in f16, then 16 bytes of which byte `j` holds the codes of
/// elements `j` and `j + 16`. None where a group is no whole number of blocks, or a scale or an
/// offset is no f16 number.
fn blocks(matrix: &Affine<Candle>) -> Result<Option<Vec<u8>>> {
    if !matrix.group.is_multiple_of(BLOCK) {
        return Ok(None);
    }
    let words = matrix.words.to_u32()?;
    let (scales, biases) = (matrix.scales.to_f32()?, matrix.biases.to_f32()?);
    let exact = |x: &f32| f16::from_f32(*x).to_f32() == *x;
    if !scales.iter().chain(&biases).all(exact) {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(words.len() / 4 * 20);
    for (block, words) in words.as_chunks::<4>().0.iter().enumerate() {
        let group = block * BLOCK / matrix.group;
        bytes.extend(f16::from_f32(scales[group]).to_le_bytes());
        bytes.extend(f16::from_f32(biases[group]).to_le_bytes());
        let code = |i: usize| (words[i / 8] >> (4 * (i % 8)) & 15) as u8;
        bytes.extend((0..16).map(|i| code(i) | code(i + 16) << 4));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Values;
    use crate::tensor::candle::On;

    fn matrix(scale: impl Fn(usize) -> f32, group: usize) -> Affine<Candle> {
        let (n, k, on) = (3, 128, On::cpu());
        let groups = n * k / group;
        let code = |i: usize| (i as u32).wrapping_mul(2_654_435_761);
        let words = Values::U32((0..n * k / 8).map(code).collect());
        let scales: Vec<f32> = (0..groups).map(scale).collect();
        let biases: Vec<f32> = (0..groups).map(|i| i as f32 / 16.0 - 0.25).collect();
        let dims = [n, k / group];
        let floats =
            |x: &[f32]| Candle::from_f32(x, &dims, crate::tensor::DType::F32, &on).unwrap();
        Affine {
            words: Candle::from_values(words, &[n, k / 8], &on).unwrap(),
            scales: floats(&scales),
            biases: floats(&biases),
            bits: 4,
            group,
        }
    }

    #[test]
    fn blocks_hold_every_weight_exactly() {
        for group in [32, 64, 128] {
            let matrix = matrix(|i| 0.031_25 - i as f32 / 128.0, group);
            let bytes = blocks(&matrix).unwrap().unwrap();
            let tensor = on_device(&bytes, &matrix, &Device::Cpu).unwrap();
            let found = tensor.dequantize(&Device::Cpu).unwrap();
            let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(found, matrix.dequantised().unwrap(), "groups of {group}");
            let packed = Packed(QMatMul::from_arc(tensor).unwrap());
            let ids = Tensor::new(&[2u32], &Device::Cpu).unwrap();
            let row = packed.rows(&ids, DType::F32).unwrap();
            assert_eq!(row.to_vec2::<f32>().unwrap(), [&found[256..]]);
        }
    }

    #[test]
    fn the_first_of_equals_is_found() {
        let x = Tensor::new(&[[1f32, 3.0, 3.0], [-1.0, -1.0, -2.0]], &Device::Cpu).unwrap();
        let found = first_largest(&x).unwrap();
        assert_eq!(found.to_vec1::<u32>().unwrap(), [1, 0]);
    }

    #[test]
    fn what_blocks_cannot_hold_is_left_alone() {
        let check = |scale: f32, group| {
            let found = blocks(&matrix(|_| scale, group)).unwrap();
            assert!(found.is_none(), "{scale} {group}");
        };
        check(1.0 + 1.0 / 4096.0, 64); // between two f16 numbers
        check(70_000.0, 64);
        check(1e-9, 64);
        check(0.5, 16);
        let exact = matrix(|_| 0.5, 64);
        assert!(Packed::of(&exact, &Device::Cpu).unwrap().is_none());
    }
}
