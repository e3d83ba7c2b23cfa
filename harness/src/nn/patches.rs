//! Merging neighbouring patches into one token.

use crate::error::Result;
use crate::tensor::Tensor;

/// Merges `r x r` neighbouring patches into one token.
///
/// `x`: `[frames, side * side, dim]`, row-major patches -> `[frames, (side / r)^2, r * r * dim]`,
/// the row offset slowest. A pure re-layout.
///
/// # Errors
/// [`crate::Error::Shape`] when `r` does not divide `side`.
pub fn merge<T: Tensor>(x: &T, side: usize, r: usize) -> Result<T> {
    let dims = x.dims();
    let (frames, dim, merged) = (dims[0], dims[2], side / r);
    let grid = x
        .reshape(&[frames, merged, r, merged, r, dim])?
        .permute(&[0, 1, 3, 2, 4, 5])?;
    grid.reshape(&[frames, merged * merged, r * r * dim])
}
