//! Floats as a checkpoint stores them.

use half::{bf16, f16};

/// A float type of a checkpoint, widened without branches, so that loops over it vectorise.
pub(in crate::tensor::candle) trait Stored: Copy + Send + Sync {
    /// The same value in f32: exact.
    fn widen(self) -> f32;
}

impl Stored for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Stored for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Stored for f16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        // Exponents are 112 apart. The product also brings subnormal values to where they belong;
        // infinities and what is no number have the highest exponent in both types.
        const APART: f32 = f32::from_bits((127 + 112) << 23);
        let bits = u32::from(self.to_bits());
        let size = f32::from_bits((bits & 0x7fff) << 13) * APART;
        let endless = if bits & 0x7c00 == 0x7c00 {
            0x7f80_0000
        } else {
            0
        };
        f32::from_bits(size.to_bits() | endless | (bits & 0x8000) << 16)
    }
}
