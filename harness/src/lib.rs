//! Measures local vision-language models: scripted scenarios, one worker process an epoch.

pub mod chat;
pub mod cli;
pub mod conditions;
pub mod doctor;
pub mod dummy;
pub mod environment;
pub mod error;
pub mod fetch;
pub mod generate;
pub mod generate_command;
pub mod list;
pub mod machine;
pub mod measure;
pub mod message;
pub mod models;
pub mod nn;
pub mod page_cache;
pub mod parent;
pub mod picture;
pub mod plan;
pub mod probes;
pub mod progress;
pub mod scenarios;
pub mod score;
pub mod session;
mod side_file;
pub mod source;
pub mod subject;
pub mod suite;
pub mod tensor;
pub mod tokenizer;
pub mod weights;
pub mod worker;

pub use error::{Error, Result};
