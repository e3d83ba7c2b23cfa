//! Splitting rows into heads and back, around [`Tensor::attention`].

use crate::error::Result;
use crate::tensor::Tensor;

/// `[b, t, heads * d] -> [b, heads, t, d]`.
///
/// # Errors
/// [`crate::Error::Shape`] when `heads` does not divide the last axis.
pub fn split_heads<T: Tensor>(x: &T, heads: usize) -> Result<T> {
    let dims = x.dims();
    x.reshape(&[dims[0], dims[1], heads, dims[2] / heads])?
        .permute(&[0, 2, 1, 3])
}

/// `[b, heads, t, d] -> [b, t, heads * d]`.
///
/// # Errors
/// When the library fails.
pub fn join_heads<T: Tensor>(x: &T) -> Result<T> {
    let dims = x.dims();
    x.permute(&[0, 2, 1, 3])?
        .reshape(&[dims[0], dims[2], dims[1] * dims[3]])
}
