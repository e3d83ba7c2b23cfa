//! Counters of energy: of a whole processor or GPU, whoever uses it.

#[cfg(not(target_os = "macos"))]
#[path = "energy/linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "energy/macos.rs"]
mod system;

use super::nvml::Gpu;

/// A counter that only rises.
pub trait Meter {
    /// Joules since some moment in the past; none once it no longer tells.
    fn joules(&mut self) -> Option<f64>;
}

/// The counter of the processor: on Apple silicon of the whole chip, its GPU and neural engine
/// and memory included; on Linux of its packages, with their memory where that is told.
///
/// # Errors
/// Why there is none here, and what helps.
pub fn of_processor() -> Result<Box<dyn Meter>, String> {
    system::open()
}

/// The counter of the GPU that CUDA computes on: the whole board, by NVIDIA's driver.
///
/// # Errors
/// Why there is none here.
pub fn of_gpu() -> Result<Box<dyn Meter>, String> {
    let gpu = Gpu::open().filter(|gpu| gpu.energy_mj().is_some());
    match gpu {
        Some(gpu) => Ok(Box::new(gpu)),
        None => Err("the driver of the GPU tells of no energy".to_owned()),
    }
}

impl Meter for Gpu {
    fn joules(&mut self) -> Option<f64> {
        Some(self.energy_mj()? as f64 / 1e3)
    }
}
