//! Rotary embedding by MLX's own kernel.

use mlx_rs::{Array, fast};

use super::{Mlx, shape_error};
use crate::error::Result;
use crate::tensor::{RopeSpec, Tensor};

/// What the kernel needs of a [`RopeSpec`].
#[derive(Clone, Debug)]
pub struct Rope {
    /// `[dims / 2]`: positions of one turn by a radian.
    periods: Array,
    dims: usize,
    /// The kernel has no factor on cosine and sine; the turned values are linear in its input, so
    /// that goes first.
    factor: f32,
    max_len: usize,
}

impl Rope {
    /// See [`Tensor::rope_new`].
    pub(super) fn new(spec: &RopeSpec) -> Result<Self> {
        let half = spec.inv_freq.len();
        if half == 0 || spec.dims != 2 * half {
            let detail = format!("{half} frequencies for {} dimensions", spec.dims);
            return Err(shape_error("rope_new", detail));
        }
        let periods: Vec<f32> = spec.inv_freq.iter().map(|&angle| period(angle)).collect();
        Ok(Self {
            periods: Array::from_slice(&periods, &[half as i32]),
            dims: spec.dims,
            factor: spec.factor,
            max_len: spec.max_len,
        })
    }

    /// See [`Tensor::rope`].
    pub(super) fn turn(&self, x: &Mlx, offset: usize) -> Result<Mlx> {
        let dims = x.dims();
        let fits = matches!(dims[..], [_, _, len, width]
            if width >= self.dims && offset.checked_add(len).is_some_and(|end| end <= self.max_len));
        if !fits {
            let detail = format!(
                "{dims:?} from position {offset} on, {} dimensions, {} positions",
                self.dims, self.max_len
            );
            return Err(shape_error("rope", detail));
        }
        let (turning, offset) = (self.scaled(x, dims[3])?, offset as i32);
        let width = self.dims as i32;
        Mlx::of(fast::rope(
            &turning.0,
            width,
            false,
            None,
            1.0,
            offset,
            &self.periods,
        ))
    }

    /// `x` with the factor on the dimensions that will turn.
    fn scaled(&self, x: &Mlx, width: usize) -> Result<Mlx> {
        if self.factor == 1.0 {
            return Ok(x.clone());
        }
        if self.dims == width {
            return x.scale(self.factor);
        }
        let turning = x.narrow(3, 0, self.dims)?.scale(self.factor)?;
        Mlx::concat(&[&turning, &x.narrow(3, self.dims, width - self.dims)?], 3)
    }
}

/// The number whose reciprocal, as the kernel takes it in f32, is nearest to `angle`: angles grow
/// with the position, and so would its error.
fn period(angle: f32) -> f32 {
    let plain = angle.recip();
    let near = [plain, plain.next_up(), plain.next_down()];
    let gap = |period: &f32| (period.recip() - angle).abs();
    near.into_iter()
        .min_by(|a, b| gap(a).total_cmp(&gap(b)))
        .unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_give_back_the_angles() {
        let spec = RopeSpec::plain(128, 1e6, 1);
        let exact = spec
            .inv_freq
            .iter()
            .filter(|&&angle| period(angle).recip() == angle);
        assert!(exact.count() >= 40, "of 64");
        let near = |&angle: &f32| (period(angle).recip() / angle - 1.0).abs() <= f32::EPSILON;
        assert!(spec.inv_freq.iter().all(near));
    }
}
