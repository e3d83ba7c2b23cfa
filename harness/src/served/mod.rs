//! Servers that speak OpenAI's chat protocol, measured from outside.
//!
//! A server shows text as it arrives and what it counts itself. Phases, ids, logits and loading stay
//! its own business: they are n/a here, never guessed. Pieces of a stream are not taken for tokens
//! unless the server's own count says that they are.

mod address;
mod answer;
mod body;
mod discover;
mod http;
mod remote;
mod sse;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use address::Address;
pub use discover::{Wanted, discover};
pub use remote::Remote;

/// A server and the model that is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Where it listens.
    pub address: Address,
    /// What it calls the model.
    pub model: String,
    /// What it is, as far as it tells: `llama.cpp`, `ollama`, `vllm`, `mlx-vlm`, else `server`.
    pub software: String,
    /// How it keeps the weights, where it tells.
    pub format: Option<String>,
    /// Parameters of the model; 0 where it does not tell.
    pub parameters: u64,
    /// Bytes of its weights; 0 where it does not tell.
    pub weight_bytes: u64,
    /// The process that listens there, where it runs on this machine and can be told.
    pub process: Option<u32>,
}

impl Server {
    /// What stands for the device in a cell: the software, and the host where that is another
    /// machine, so that two machines never share a series.
    #[must_use]
    pub fn place(&self) -> String {
        match self.address.is_here() {
            true => self.software.clone(),
            false => format!("{} at {}", self.software, self.address.host()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.software, self.address)
    }
}
