//! What is asked about: pictures of one size, and an answer of one length.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

use crate::probes::ProbeSet;
use crate::subject::Message;

/// How long an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scenarios) enum Length {
    /// A description of at most 100 ids.
    Describe,
    /// A few words, at most 16 ids.
    Short,
}

/// What is asked for a few words.
const BRIEFLY: &str = "What shapes are in this image? Answer in a few words.";

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scenarios) struct Workload {
    /// Width and height of its pictures, in pixels.
    pub(in crate::scenarios) size: (u32, u32),
    /// How long an answer.
    pub(in crate::scenarios) length: Length,
}

impl Workload {
    /// Most ids of an answer.
    pub(in crate::scenarios) const fn most(self) -> usize {
        match self.length {
            Length::Describe => 100,
            Length::Short => 16,
        }
    }

    /// The conversation.
    pub(in crate::scenarios) fn messages(self, set: &ProbeSet) -> [Message; 1] {
        [Message::user(match self.length {
            Length::Describe => &set.describe,
            Length::Short => BRIEFLY,
        })]
    }

    /// The length, as answers are filed under.
    pub(super) const fn arm(self) -> &'static str {
        match self.length {
            Length::Describe => "describe",
            Length::Short => "short",
        }
    }
}

/// The encoded `n`-th picture of a seed. No two are alike, so that no cache of an engine knows the
/// next, and the same seed draws the same ones again.
///
/// PNG with its cheapest compression: drawing and encoding lie outside all clocks but are overhead.
// Stands in for `crate::scenes::novel`, which replaces the body.
pub(in crate::scenarios) fn picture(workload: Workload, seed: u64, n: usize) -> Vec<u8> {
    const SHAPES: usize = 6;
    let (width, height) = workload.size;
    let mut state = seed ^ (n as u64).wrapping_mul(0xA24B_AED4_963E_E407);
    let mut random = |below: u32| below_of(&mut state, below);
    let mut drawing = RgbImage::from_pixel(width, height, color(&mut random));
    for shape in 0..SHAPES {
        let color = color(&mut random);
        let radius = random(height / 8) + height / 16;
        let at = [random(width), random(height)];
        for (x, y) in around(at, radius).filter(|&(x, y)| x < width && y < height) {
            let (dx, dy) = (x.abs_diff(at[0]), y.abs_diff(at[1]));
            if shape % 2 == 0 || dx * dx + dy * dy <= radius * radius {
                drawing.put_pixel(x, y, color);
            }
        }
    }
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Up)
        .write_image(&drawing, width, height, ExtendedColorType::Rgb8)
        .map_or_else(|_| Vec::new(), |()| bytes)
}

fn color(random: &mut impl FnMut(u32) -> u32) -> Rgb<u8> {
    Rgb([0; 3].map(|_: u8| random(256).to_le_bytes()[0]))
}

fn around([x, y]: [u32; 2], radius: u32) -> impl Iterator<Item = (u32, u32)> {
    let of = move |centre: u32| centre.saturating_sub(radius)..=centre + radius;
    of(y).flat_map(move |y| of(x).map(move |x| (x, y)))
}

/// The next number of a sequence, below `below`. SplitMix64 (Steele, Lea and Flood 2014).
fn below_of(state: &mut u64, below: u32) -> u32 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let high = (z ^ (z >> 31)) >> 32;
    ((high * u64::from(below)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_differ_by_seed_and_number_and_by_nothing_else() {
        let photo = Workload {
            size: (1024, 683),
            length: Length::Short,
        };
        let first = picture(photo, 7, 0);
        assert_eq!(first, picture(photo, 7, 0));
        assert_ne!(first, picture(photo, 7, 1));
        assert_ne!(first, picture(photo, 8, 0));
        let shown = image::load_from_memory(&first).unwrap();
        assert_eq!((shown.width(), shown.height()), photo.size);
    }
}
