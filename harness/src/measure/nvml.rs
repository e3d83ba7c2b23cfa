//! What NVIDIA's driver tells of the GPU that CUDA computes on: memory, energy, held-back clocks.
//!
//! For the parent: a worker's own view of the GPU is its library's. The driver's library is looked
//! for when asked, so that a program built with the feature `cuda` runs where there is none; without
//! the feature there is never a GPU.

/// The GPU that `CUDA_VISIBLE_DEVICES` names first, or else the first in the order of the PCI bus.
///
/// CUDA puts the fastest first: where a machine holds GPUs of several kinds, name one.
#[derive(Debug)]
pub struct Gpu(system::Gpu);

/// Memory of a GPU, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpuMemory {
    /// What is built in, less what the driver keeps for itself.
    pub total: u64,
    /// What nobody uses.
    pub free: u64,
}

impl Gpu {
    /// `None` without the feature `cuda`, a driver, or such a GPU.
    #[must_use]
    pub fn open() -> Option<Self> {
        system::Gpu::open().map(Self)
    }

    /// All memory, and the free part.
    #[must_use]
    pub fn memory(&self) -> Option<GpuMemory> {
        self.0.memory()
    }

    /// Bytes of the GPU's memory that a process holds, CUDA's context included. `None` before the
    /// process computes there, and in a container that does not see processes by the driver's ids.
    #[must_use]
    pub fn memory_of(&self, pid: u32) -> Option<u64> {
        self.0.memory_of(pid)
    }

    /// Bytes a second that its memory delivers at most, by its highest clock and its width. `None` where the
    /// driver does not tell, and where it is not sure which of several GPUs computes: CUDA numbers them
    /// otherwise than the driver, so that only a UUID in `CUDA_VISIBLE_DEVICES` names one of unlike ones.
    #[must_use]
    pub fn bandwidth(&self) -> Option<f64> {
        self.0.bandwidth()
    }

    /// Millijoules that the board has used since the driver was loaded. `None` before Volta.
    #[must_use]
    pub fn energy_mj(&self) -> Option<u64> {
        self.0.energy_mj()
    }

    /// The driver's version.
    #[must_use]
    pub fn driver(&self) -> Option<String> {
        self.0.driver()
    }

    /// What holds the clocks back right now, in NVIDIA's words; empty where nothing does.
    #[must_use]
    pub fn held_back_by(&self) -> Option<Vec<&'static str>> {
        self.0.held_back_by()
    }
}

#[cfg(not(feature = "cuda"))]
mod system {
    use super::GpuMemory;

    #[derive(Debug)]
    pub(super) enum Gpu {}

    impl Gpu {
        pub(super) const fn open() -> Option<Self> {
            None
        }

        pub(super) const fn memory(&self) -> Option<GpuMemory> {
            match *self {}
        }

        pub(super) const fn memory_of(&self, _pid: u32) -> Option<u64> {
            match *self {}
        }

        pub(super) const fn bandwidth(&self) -> Option<f64> {
            match *self {}
        }

        pub(super) const fn energy_mj(&self) -> Option<u64> {
            match *self {}
        }

        pub(super) const fn driver(&self) -> Option<String> {
            match *self {}
        }

        pub(super) const fn held_back_by(&self) -> Option<Vec<&'static str>> {
            match *self {}
        }
    }
}

#[cfg(feature = "cuda")]
mod system {
    use nvml_wrapper::bitmasks::device::ThrottleReasons as Reasons;
    use nvml_wrapper::enum_wrappers::device::Clock;
    use nvml_wrapper::enums::device::UsedGpuMemory;
    use nvml_wrapper::{Device, Nvml};

    use super::GpuMemory;
    use crate::measure::bandwidth::rated_bandwidth;

    #[derive(Debug)]
    pub(super) struct Gpu {
        nvml: Nvml,
        /// A number on the bus or a UUID.
        name: String,
    }

    impl Gpu {
        pub(super) fn open() -> Option<Self> {
            // The name that the driver installs; the one without `.1` is for developers.
            let library = "libnvidia-ml.so.1".as_ref();
            let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
            let gpu = Self {
                nvml: Nvml::builder().lib_path(library).init().ok()?,
                name: super::first_visible(visible.as_deref()).to_owned(),
            };
            gpu.device().is_some().then_some(gpu)
        }

        fn device(&self) -> Option<Device<'_>> {
            match self.name.parse() {
                Ok(index) => self.nvml.device_by_index(index),
                Err(_) => self.nvml.device_by_uuid(self.name.as_str()),
            }
            .ok()
        }

        pub(super) fn memory(&self) -> Option<GpuMemory> {
            let memory = self.device()?.memory_info().ok()?;
            Some(GpuMemory {
                total: memory.total.saturating_sub(memory.reserved),
                free: memory.free,
            })
        }

        pub(super) fn driver(&self) -> Option<String> {
            let version = self.nvml.sys_driver_version().ok()?;
            Some(format!("NVIDIA {version}"))
        }

        pub(super) fn memory_of(&self, pid: u32) -> Option<u64> {
            let processes = self.device()?.running_compute_processes().ok()?;
            let process = processes.into_iter().find(|process| process.pid == pid)?;
            match process.used_gpu_memory {
                UsedGpuMemory::Used(bytes) => Some(bytes),
                UsedGpuMemory::Unavailable => None,
            }
        }

        pub(super) fn bandwidth(&self) -> Option<f64> {
            if self.name.parse::<u32>().is_err() {
                return rate(&self.device()?);
            }
            let count = self.nvml.device_count().ok()?;
            let rates = (0..count).map(|at| rate(&self.nvml.device_by_index(at).ok()?));
            super::alike(rates)
        }

        pub(super) fn energy_mj(&self) -> Option<u64> {
            self.device()?.total_energy_consumption().ok()
        }

        pub(super) fn held_back_by(&self) -> Option<Vec<&'static str>> {
            let reasons = self.device()?.current_throttle_reasons().ok()?;
            let known = [
                (Reasons::APPLICATIONS_CLOCKS_SETTING, "clocks setting"),
                (Reasons::SW_POWER_CAP, "software power cap"),
                (Reasons::HW_SLOWDOWN, "hardware slowdown"),
                (Reasons::SYNC_BOOST, "sync boost"),
                (Reasons::SW_THERMAL_SLOWDOWN, "software thermal slowdown"),
                (Reasons::HW_THERMAL_SLOWDOWN, "hardware thermal slowdown"),
                (
                    Reasons::HW_POWER_BRAKE_SLOWDOWN,
                    "hardware power brake slowdown",
                ),
                (Reasons::DISPLAY_CLOCK_SETTING, "display clock setting"),
            ];
            let found = known
                .into_iter()
                .filter(|(reason, _)| reasons.contains(*reason));
            Some(found.map(|(_, name)| name).collect())
        }
    }

    fn rate(device: &Device<'_>) -> Option<f64> {
        let clock = device.max_clock_info(Clock::Memory).ok()?;
        rated_bandwidth(clock, device.memory_bus_width().ok()?)
    }
}

/// The rate of all GPUs, where each has the same.
#[cfg(any(feature = "cuda", test))]
fn alike(rates: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let rates = rates.collect::<Option<Vec<f64>>>()?;
    let first = *rates.first()?;
    rates.iter().all(|&rate| rate == first).then_some(first)
}

/// The first entry of `CUDA_VISIBLE_DEVICES`.
#[cfg(any(feature = "cuda", test))]
fn first_visible(visible: Option<&str>) -> &str {
    let first = visible.and_then(|list| list.split(',').next());
    first.map_or("0", str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_visible_gpu_is_taken() {
        let check = |visible, expected| assert_eq!(first_visible(visible), expected, "{visible:?}");
        check(None, "0");
        check(Some("3,1"), "3");
        check(
            Some(" GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"),
            "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6",
        );
        // Set to nothing, it hides every GPU.
        check(Some(""), "");
    }

    #[test]
    fn unlike_gpus_have_no_rate_in_common() {
        let check = |rates: &[Option<f64>], expected| {
            assert_eq!(alike(rates.iter().copied()), expected, "{rates:?}");
        };
        check(&[], None);
        check(&[Some(3e12)], Some(3e12));
        check(&[Some(3e12), Some(3e12)], Some(3e12));
        check(&[Some(3e12), Some(1e12)], None);
        check(&[Some(3e12), None], None);
    }

    #[test]
    fn a_process_that_is_not_there_holds_nothing() {
        // Where there is no GPU, as on most machines that test, there is nothing to ask.
        assert!(Gpu::open().is_none_or(|gpu| gpu.memory_of(u32::MAX).is_none()));
    }
}
