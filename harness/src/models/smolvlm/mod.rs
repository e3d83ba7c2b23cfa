//! SmolVLM and SmolVLM2.

pub mod image;
pub mod prompt;
