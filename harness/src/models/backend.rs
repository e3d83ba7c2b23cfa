//! Tensor libraries, devices, precisions: what a user chooses, and what is there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tensor::{self, DType};

/// What computes: a tensor library, or a server that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// candle.
    Candle,
    /// MLX, through mlx-rs.
    Mlx,
    /// None of ours: a server that speaks OpenAI's protocol, see [`crate::served`].
    #[serde(rename = "openai")]
    OpenAi,
}

impl Backend {
    /// Every tensor library this program knows, built in or not.
    pub const LIBRARIES: &'static [Self] = &[Self::Candle, Self::Mlx];

    /// Devices it has on some machine, fastest first.
    #[must_use]
    pub const fn devices(self) -> &'static [Device] {
        match self {
            Self::Candle => &[Device::Cuda, Device::Metal, Device::Cpu],
            Self::Mlx => &[Device::Metal, Device::Cpu],
            Self::OpenAi => &[Device::Server],
        }
    }

    /// The one to use where none is asked for: MLX on Apple silicon, which it is made for, else the
    /// first that was compiled in.
    #[must_use]
    pub fn preferred() -> Option<Self> {
        let apple = cfg!(all(target_os = "macos", target_arch = "aarch64"));
        let order = if apple {
            [Self::Mlx, Self::Candle]
        } else {
            [Self::Candle, Self::Mlx]
        };
        order.into_iter().find(|backend| backend.built_in())
    }

    /// Whether it was compiled in.
    #[must_use]
    pub const fn built_in(self) -> bool {
        match self {
            Self::Candle => cfg!(feature = "candle"),
            Self::Mlx => cfg!(feature = "mlx"),
            Self::OpenAi => true,
        }
    }

    /// Settings that a worker of this library is started with, where the user has none of their own.
    ///
    /// candle 0.11 asks the system for the number of processors at every product unless it is
    /// told, and the threads of its second pool spin 25,000 rounds before they sleep: together they
    /// double the time of a small model on a busy machine.
    #[must_use]
    pub fn environment(self, threads: u32) -> Vec<(&'static str, String)> {
        match self {
            Self::Candle => vec![
                ("RAYON_NUM_THREADS", threads.to_string()),
                ("CANDLE_BARRIER_POOL_SPIN_LIMIT", "100".to_owned()),
            ],
            // Products on Linux; Apple's systems have a library that needs no telling.
            Self::Mlx => vec![("OPENBLAS_NUM_THREADS", threads.to_string())],
            Self::OpenAi => Vec::new(),
        }
    }
}

/// Where a backend computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor.
    Cpu,
    /// Apple's GPU.
    Metal,
    /// NVIDIA's GPU.
    Cuda,
    /// Wherever a server computes.
    Server,
}

/// A backend and where it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The backend.
    pub backend: Backend,
    /// The device.
    pub device: Device,
}

impl Place {
    /// What was asked for, or the best there is on this machine.
    ///
    /// # Errors
    /// As [`super::ready`]; when no backend was compiled in at all.
    pub fn choose(backend: Option<Backend>, device: Option<Device>) -> Result<Self> {
        let backend = backend.or_else(Backend::preferred).ok_or_else(|| {
            Error::Unavailable("no backend is built in: build with --features candle".to_owned())
        })?;
        if let Some(device) = device {
            let place = Self { backend, device };
            return super::ready(place).map(|()| place);
        }
        let places = backend.devices().iter();
        let mut refusal = None;
        for place in places.map(|&device| Self { backend, device }) {
            match super::ready(place) {
                Ok(()) => return Ok(place),
                Err(error) => refusal = Some(error), // the processor's, which comes last
            }
        }
        Err(refusal.unwrap_or_else(|| Error::Unavailable(format!("backend {backend}: no device"))))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.backend, self.device)
    }
}

/// The type of activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// What the device does best with this checkpoint, see [`crate::tensor::Device::arithmetic`].
    #[default]
    Native,
    /// 32-bit floats, whatever it costs: what reference outputs are computed in.
    F32,
}

impl Precision {
    /// The type on this device, for a checkpoint whose floats are stored as `stored`.
    pub fn dtype(self, on: &impl tensor::Device, stored: DType) -> DType {
        match self {
            Self::Native => on.arithmetic(stored),
            Self::F32 => DType::F32,
        }
    }
}

macro_rules! named {
    ($type:ident, $what:literal, $($variant:ident $name:literal),*) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $name,)* })
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(format!(concat!("unknown ", $what, " {:?}: known: {}"), name, [$($name),*].join(", "))),
                }
            }
        }
    };
}

named!(Backend, "backend", Candle "candle", Mlx "mlx", OpenAi "openai");
named!(Precision, "precision", Native "native", F32 "f32");
named!(Device, "device", Cpu "cpu", Metal "metal", Cuda "cuda", Server "server");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_says_what_to_do() {
        let check = |backend, device, expected: &str| {
            let error = Place::choose(Some(backend), Some(device)).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        if !Backend::Mlx.built_in() {
            let text = "backend mlx: not built in: build with --features mlx";
            check(Backend::Mlx, Device::Cpu, text);
        } else {
            let text = "device cuda: mlx-rs reaches no NVIDIA GPU: choose backend candle";
            check(Backend::Mlx, Device::Cuda, text);
        }
        if !Backend::Candle.built_in() {
            let text = "backend candle: not built in: build with --features candle";
            check(Backend::Candle, Device::Cpu, text);
        } else if !cfg!(target_os = "macos") {
            let text = "device metal: needs macOS on Apple silicon";
            check(Backend::Candle, Device::Metal, text);
        }
    }

    #[test]
    fn the_processor_is_there_wherever_a_library_is() {
        for &backend in Backend::LIBRARIES
            .iter()
            .filter(|backend| backend.built_in())
        {
            let place = Place::choose(Some(backend), None).unwrap();
            assert_eq!(place.backend, backend);
            let device = Some(Device::Cpu);
            assert!(Place::choose(Some(backend), device).is_ok(), "{backend}");
        }
    }
}
