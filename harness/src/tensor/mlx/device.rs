//! MLX's devices.

use mlx_rs::transforms::compile::{disable_compile, enable_compile};
use mlx_rs::{Stream, memory};

use crate::error::{Error, Result};
use crate::models::Device;
use crate::subject::Allocator;
use crate::tensor::{self, DType, heap};

/// A device of MLX. The library has one default device a process, which this sets: a process
/// computes on one device at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct On(Device);

impl On {
    /// The processor.
    #[must_use]
    pub fn cpu() -> Self {
        heap::keep_freed();
        Self(Device::Cpu).set_default(&mlx_rs::Device::cpu())
    }

    /// The device of that kind.
    ///
    /// # Errors
    /// When MLX has none, or this machine has none.
    pub fn at(device: Device) -> Result<Self> {
        match device {
            Device::Cpu => Ok(Self::cpu()),
            Device::Metal if cfg!(target_os = "macos") => {
                Ok(Self(device).set_default(&mlx_rs::Device::gpu()))
            }
            Device::Metal => Err(Error::Unavailable(
                "device metal: needs macOS on Apple silicon".to_owned(),
            )),
            Device::Cuda => Err(Error::Unavailable(
                "device cuda: mlx-rs reaches no NVIDIA GPU: choose backend candle".to_owned(),
            )),
            Device::Server => Err(Error::Unavailable(
                "device server: is that of backend openai".to_owned(),
            )),
        }
    }

    fn set_default(self, device: &mlx_rs::Device) -> Self {
        mlx_rs::Device::set_default(device);
        // On a processor MLX would call a C++ compiler at run time, for slower code than its own.
        match self.0 {
            Device::Cpu => disable_compile(),
            _ => enable_compile(),
        }
        // The first checked call puts mlx-rs' error handler in place: without it MLX ends the
        // process at the first error. The answer does not matter.
        let _ = Stream::try_default_on_device(device);
        self
    }
}

impl tensor::Device for On {
    fn name(&self) -> &'static str {
        match self.0 {
            Device::Cpu => "cpu",
            Device::Metal => "metal",
            Device::Cuda => "cuda",
            Device::Server => "server",
        }
    }

    fn arithmetic(&self, stored: DType) -> DType {
        match self.0 {
            Device::Cpu => DType::F32, // its half-precision products are plain loops
            _ => stored,
        }
    }

    fn keeps_affine(&self, _bits: usize) -> &'static str {
        "as stored"
    }

    fn memory(&self) -> Allocator {
        let bytes = |count: usize| u64::try_from(count).ok();
        let active = memory::active_memory().ok().and_then(bytes);
        let peak = memory::peak_memory().ok().and_then(bytes);
        Allocator {
            active,
            cache: memory::cache_memory().ok().and_then(bytes),
            // After a reset the peak starts at zero, whatever is held.
            peak: peak.max(active),
            // Its default limit is one and a half of the working set that Metal recommends.
            limit: match self.0 {
                Device::Metal => memory::memory_limit()
                    .ok()
                    .and_then(bytes)
                    .map(|limit| limit / 3 * 2),
                _ => None,
            },
        }
    }

    fn release(&self) -> Result<()> {
        memory::clear_cache()?;
        heap::release();
        Ok(())
    }

    fn batch_elements(&self) -> usize {
        match self.0 {
            Device::Cpu => 4 << 20, // buffers that malloc keeps instead of mapping them anew
            _ => usize::MAX,
        }
    }
}
