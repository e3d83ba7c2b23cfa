//! What must hold before a call reaches MLX, which answers otherwise with a promotion, a broadcast,
//! a panic or whatever lies behind a table's end.

use super::Mlx;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

pub(super) const fn shape_error(op: &'static str, detail: String) -> Error {
    Error::Shape { op, detail }
}

/// Sizes or axes as MLX counts them. mlx-rs multiplies sizes in 32 bits.
pub(super) fn sizes(op: &'static str, dims: &[usize]) -> Result<Vec<i32>> {
    let count = dims.iter().try_fold(1i32, |count, &size| {
        count.checked_mul(i32::try_from(size.max(1)).ok()?)
    });
    match count {
        Some(_) => Ok(dims.iter().map(|&size| size as i32).collect()),
        None => Err(shape_error(
            op,
            format!("{dims:?} is more than MLX can count"),
        )),
    }
}

/// As many values as the sizes hold.
pub(super) fn check_count(op: &'static str, len: usize, dims: &[usize]) -> Result<()> {
    let count = dims
        .iter()
        .try_fold(1usize, |count, &size| count.checked_mul(size));
    if count == Some(len) {
        return Ok(());
    }
    Err(shape_error(
        op,
        format!("{len} values do not fill {dims:?}"),
    ))
}

/// Ids below the number of a table's rows: MLX reads whatever lies behind its end. Ids come from
/// the host, so that looking at them waits for nothing.
pub(super) fn check_ids(op: &'static str, ids: &Mlx, rows: Option<i32>) -> Result<()> {
    let rows = rows.unwrap_or(0);
    match ids
        .to_u32()?
        .iter()
        .find(|&&id| i64::from(id) >= i64::from(rows))
    {
        None => Ok(()),
        Some(id) => Err(shape_error(
            op,
            format!("id {id} is outside a table of {rows} rows"),
        )),
    }
}
