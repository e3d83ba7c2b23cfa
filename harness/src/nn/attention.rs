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

/// Queries, keys and values: three layers, or one that gives them one after the other.
pub enum Qkv<T: Tensor> {
    /// `q` `[heads * d, dim]`, `k` and `v` `[kv_heads * d, dim]`.
    Apart([T::Linear; 3]),
    /// `[(heads + 2 kv_heads) * d, dim]`.
    Packed(T::Linear),
}

impl<T: Tensor> Qkv<T> {
    /// `[b, t, dim]` -> queries `[b, heads, t, d]`, keys and values `[b, kv_heads, t, d]`.
    ///
    /// # Errors
    /// When the library fails.
    pub fn forward(&self, x: &T, heads: usize, kv_heads: usize) -> Result<[T; 3]> {
        let [q, k, v] = match self {
            Self::Apart([q, k, v]) => [x.linear(q)?, x.linear(k)?, x.linear(v)?],
            Self::Packed(layer) => {
                let all = x.linear(layer)?;
                let d = all.dims()[2] / (heads + 2 * kv_heads);
                let part = |start, len| all.narrow(2, start * d, len * d);
                [
                    part(0, heads)?,
                    part(heads, kv_heads)?,
                    part(heads + kv_heads, kv_heads)?,
                ]
            }
        };
        Ok([
            split_heads(&q, heads)?,
            split_heads(&k, kv_heads)?,
            split_heads(&v, kv_heads)?,
        ])
    }
}
