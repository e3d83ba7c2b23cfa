//! The building blocks that the four architectures share, over the tensor contract.

pub mod attention;
pub mod kv_cache;
pub mod llama;
pub mod mlp;
pub mod norm;
pub mod patches;
pub mod phi;
pub mod rope;
pub mod vit;

pub use kv_cache::KvCache;
