//! The model families, one folder each.

pub mod smolvlm;
