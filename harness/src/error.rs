//! The one error type of the inference side: pictures, prompts, weights, tensors.

use std::path::PathBuf;

/// A result of the inference side.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a checkpoint's folder and an answer. One line each, subject first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the checkpoint is not what its name says.
    #[error("{path}: {detail}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        detail: String,
    },
    /// A weight is not in the checkpoint.
    #[error("weights: no tensor {name:?}: the checkpoint is incomplete or of another architecture")]
    MissingTensor {
        /// Its full name.
        name: String,
    },
    /// A weight has another shape than the configuration asks for.
    #[error("weights: tensor {name:?} has shape {found:?}, the configuration asks for {wanted:?}")]
    TensorShape {
        /// Its full name.
        name: String,
        /// What the file holds.
        found: Vec<usize>,
        /// What the model needs.
        wanted: Vec<usize>,
    },
    /// A weight has a type this program does not read.
    #[error("weights: tensor {name:?} has dtype {found}, expected one of f32, f16, bf16, u32")]
    TensorDType {
        /// Its full name.
        name: String,
        /// What the file holds.
        found: String,
    },
    /// Operands do not fit.
    #[error("{op}: {detail}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// Both sides.
        detail: String,
    },
    /// Operands of unequal dtypes.
    #[error("{op}: dtypes {left} and {right} differ")]
    DType {
        /// The operation.
        op: &'static str,
        /// Left operand.
        left: &'static str,
        /// Right operand.
        right: &'static str,
    },
    /// A picture cannot be used.
    #[error("picture: {0}")]
    Picture(String),
    /// A prompt cannot be built.
    #[error("prompt: {0}")]
    Prompt(String),
    /// The model's reference implementation has no form for such a request.
    #[error("not offered by this model: {0}")]
    NotOffered(String),
    /// The configuration asks for something this program does not do.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// A backend or a device is not in this program or on this machine.
    #[error("{0}")]
    Unavailable(String),
    /// The tensor library failed.
    #[error("{library}: {message}")]
    Backend {
        /// Which.
        library: &'static str,
        /// What it said, first line.
        message: String,
    },
}
