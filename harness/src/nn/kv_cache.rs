//! Keys and values of earlier positions, kept in place.

use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor};

/// One layer's keys and values: two buffers `[1, kv_heads, capacity, head_dim]`, made once and
/// written in place, so that a token costs its own row and not a copy of all before it.
#[derive(Clone, Debug)]
pub struct KvCache<T> {
    keys: T,
    values: T,
    len: usize,
    capacity: usize,
}

impl<T: Tensor> KvCache<T> {
    /// Room for `capacity` positions.
    ///
    /// # Errors
    /// When the library cannot allocate.
    pub fn new(
        kv_heads: usize,
        capacity: usize,
        head_dim: usize,
        dtype: DType,
        on: &T::Device,
    ) -> Result<Self> {
        let dims = [1, kv_heads, capacity, head_dim];
        Ok(Self {
            keys: T::zeros(&dims, dtype, on)?,
            values: T::zeros(&dims, dtype, on)?,
            len: 0,
            capacity,
        })
    }

    /// Positions written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none is written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all positions; the room stays.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends `k` and `v`, `[1, kv_heads, t, head_dim]`, and returns all keys and values so far.
    ///
    /// # Errors
    /// [`Error::Shape`] when they do not fit any more.
    pub fn append(&mut self, k: &T, v: &T) -> Result<(T, T)> {
        let more = k.dims()[2];
        if self.len + more > self.capacity {
            let detail = format!(
                "{} + {more} positions exceed the room for {}",
                self.len, self.capacity
            );
            return Err(Error::Shape {
                op: "kv cache",
                detail,
            });
        }
        self.keys.write_at(2, self.len, k)?;
        self.values.write_at(2, self.len, v)?;
        self.len += more;
        Ok((
            self.keys.narrow(2, 0, self.len)?,
            self.values.narrow(2, 0, self.len)?,
        ))
    }
}
