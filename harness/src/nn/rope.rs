//! LongRoPE: rotary angles for texts longer than a model was first trained on.

use crate::tensor::RopeSpec;

/// Every rotary angle is divided by a factor of its own: one set of factors while a text is short,
/// another for all its positions once it is long. Cosine and sine are scaled in both cases.
///
/// Source: `Phi3SuScaledRotaryEmbedding` in `modeling_phi3_v.py` beside the published weights.
#[derive(Clone, Debug, PartialEq)]
pub struct LongRope {
    /// Divisors while no more than `original` positions are fed, one a pair of dimensions.
    pub short: Vec<f32>,
    /// Divisors once more are fed.
    pub long: Vec<f32>,
    /// Positions that the model was first trained on, at least 2.
    pub original: usize,
    /// Positions that it was made for in the end.
    pub room: usize,
}

impl LongRope {
    /// The angles of short texts.
    #[must_use]
    pub fn near(&self, theta: f64) -> RopeSpec {
        self.spec(&self.short, theta, self.original.min(self.room))
    }

    /// The angles of long texts, for `positions` of them.
    #[must_use]
    pub fn far(&self, theta: f64, positions: usize) -> RopeSpec {
        self.spec(&self.long, theta, positions)
    }

    /// `1 / (factor * theta^(2 i / dims))`, each step rounded to f32 as in the reference: at position
    /// 2,000 one unit of the last place is 1e-4 rad.
    fn spec(&self, factors: &[f32], theta: f64, max_len: usize) -> RopeSpec {
        let dims = 2 * factors.len();
        let angle = |(i, factor): (usize, &f32)| {
            let share = (2 * i) as f32 / dims as f32;
            (factor * theta.powf(f64::from(share)) as f32).recip()
        };
        RopeSpec {
            dims,
            inv_freq: factors.iter().enumerate().map(angle).collect(),
            factor: self.factor(),
            max_len,
        }
    }

    /// `sqrt(1 + ln(room / original) / ln(original))`; 1 where there is no more room.
    fn factor(&self) -> f32 {
        let original = self.original as f64;
        let stretch = self.room as f64 / original;
        if stretch <= 1.0 {
            return 1.0;
        }
        (1.0 + stretch.ln() / original.ln()).sqrt() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_factor_and_angles() {
        let rope = LongRope {
            short: vec![1.0, 2.0],
            long: vec![4.0, 8.0],
            original: 4096,
            room: 131_072,
        };
        let (near, far) = (rope.near(10_000.0), rope.far(10_000.0, 5000));
        assert!((near.factor - 1.190_238_1).abs() < 1e-6, "{}", near.factor);
        assert_eq!(near.factor, far.factor);
        assert_eq!((near.max_len, far.max_len), (4096, 5000));
        assert_eq!((near.dims, &near.inv_freq[..]), (4, &[1.0, 0.005][..]));
        assert_eq!(far.inv_freq, [0.25, 0.00125]);
        let plain = LongRope { room: 4096, ..rope };
        assert_eq!(plain.near(10_000.0).factor, 1.0);
    }
}
