//! A scene's pixels: hard edges, flat colours, noise that moves all three channels alike.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};

use super::{Background, Color, Noise, Object, Place, Scene, Shape, Size};
use crate::random::{SplitMix64, mixed};

/// Steps a pixel is divided into.
const STEPS: i64 = 64;

/// What unit vectors are measured in.
const UNIT: i64 = 1 << 12;

impl Scene {
    /// The picture; the same bytes on every machine.
    #[must_use]
    pub fn draw(&self) -> RgbImage {
        // A stream of its own, so that words and pixels do not depend on each other.
        let mut random = SplitMix64(!mixed(self.seed));
        let ground = shade(&mut random, background(self.background));
        let mut picture = RgbImage::from_pixel(self.width, self.height, ground);
        for object in &self.objects {
            let color = shade(&mut random, filling(object.color));
            let figure = Figure::new(&mut random, object, (self.width, self.height));
            figure.paint(&mut picture, color);
        }
        if let tosses @ 1.. = tosses(self.noise) {
            for pixel in picture.as_chunks_mut::<3>().0 {
                let change = noise(&mut random, tosses);
                *pixel = pixel.map(|value| value.saturating_add_signed(change));
            }
        }
        picture
    }

    /// The picture as a PNG file of this compression.
    #[must_use]
    pub(super) fn png(&self, compression: CompressionType) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut bytes, compression, FilterType::default());
        let (width, height) = (self.width, self.height);
        // Writing to memory fails only where a side is 0, and `random` gives none: then it is empty.
        let _ = encoder.write_image(&self.draw(), width, height, ExtendedColorType::Rgb8);
        bytes
    }
}

const fn background(color: Background) -> [u8; 3] {
    match color {
        Background::White => [250, 250, 250],
        Background::Gray => [165, 165, 165],
        Background::Tan => [210, 185, 140],
    }
}

const fn filling(color: Color) -> [u8; 3] {
    match color {
        Color::Red => [220, 40, 45],
        Color::Green => [40, 160, 60],
        Color::Blue => [45, 70, 210],
        Color::Yellow => [235, 210, 40],
        Color::Purple => [140, 50, 170],
        Color::Orange => [250, 130, 30],
        Color::Pink => [250, 125, 180],
        Color::Black => [18, 20, 22],
    }
}

/// The colour, a little off.
fn shade(random: &mut SplitMix64, color: [u8; 3]) -> Rgb<u8> {
    Rgb(color.map(|value| shifted(value, random.around_zero(7))))
}

fn shifted(value: u8, change: i64) -> u8 {
    (i64::from(value) + change).clamp(0, 255) as u8
}

/// How often 64 coins are tossed for a pixel.
const fn tosses(noise: Noise) -> usize {
    match noise {
        Noise::Plain => 0,
        Noise::Light => 1,
        Noise::Strong => 4, // four times the variance
    }
}

/// A change of brightness: of so many times 64 coins, heads less half; 64 have a deviation of 4.
fn noise(random: &mut SplitMix64, tosses: usize) -> i8 {
    (0..tosses).fold(0, |sum: i8, _| {
        sum.saturating_add(random.next().count_ones() as i8 - 32)
    })
}

/// A shape with its measures, all in steps.
struct Figure {
    shape: Shape,
    center: (i64, i64),
    radius: i64,
    /// Corners about the centre; none for a circle or a square.
    corners: Vec<(i64, i64)>,
}

impl Figure {
    fn new(random: &mut SplitMix64, object: &Object, (width, height): (u32, u32)) -> Self {
        let short = STEPS * i64::from(width.min(height));
        // Thousandths of the short side: a shape's radius, and how far it may be off its place.
        let (radius, astray) = match object.size {
            Size::Large => (158 + random.around_zero(7), 6),
            Size::Small => (89 + random.around_zero(5), 30),
        };
        let sixths = match object.place {
            Place::Left => (1, 3),
            Place::Right => (5, 3),
            Place::Top => (3, 1),
            Place::Bottom => (3, 5),
            Place::Center => (3, 3),
        };
        let mut along = |side: u32, sixth: i64| {
            STEPS * i64::from(side) * sixth / 6 + short * random.around_zero(astray) / 1000
        };
        let center = (along(width, sixths.0), along(height, sixths.1));
        let radius = short * radius / 1000;
        let tilt = random.around_zero(9);
        let corners = corners(object.shape).iter();
        Self {
            shape: object.shape,
            center,
            radius,
            corners: corners.map(|&at| tilted(at, radius, tilt)).collect(),
        }
    }

    fn paint(&self, picture: &mut RgbImage, color: Rgb<u8>) {
        let span = |center: i64, side: u32| {
            let pixel = |at: i64| (at / STEPS).clamp(0, i64::from(side)) as u32;
            pixel(center - self.radius)..pixel(center + self.radius + STEPS)
        };
        let (width, height) = picture.dimensions();
        for y in span(self.center.1, height) {
            for x in span(self.center.0, width) {
                let middle = |at: u32, center: i64| STEPS * i64::from(at) + STEPS / 2 - center;
                if self.covers(middle(x, self.center.0), middle(y, self.center.1)) {
                    picture.put_pixel(x, y, color);
                }
            }
        }
    }

    /// Whether a point, seen from the centre, is in it.
    fn covers(&self, x: i64, y: i64) -> bool {
        match self.shape {
            Shape::Circle => x * x + y * y <= self.radius * self.radius,
            // Half its side is 0.86 of its radius: about as much paint as the others.
            Shape::Square => 100 * x.abs().max(y.abs()) <= 86 * self.radius,
            Shape::Triangle | Shape::Star => inside(&self.corners, (x, y)),
        }
    }
}

/// Corners on a circle of radius [`UNIT`], y downwards; the star's inner ones at 0.44 of it.
const fn corners(shape: Shape) -> &'static [(i64, i64)] {
    match shape {
        Shape::Circle | Shape::Square => &[],
        Shape::Triangle => &[(0, -4096), (3547, 2048), (-3547, 2048)],
        Shape::Star => &[
            (0, -4096),
            (1059, -1458),
            (3896, -1266),
            (1714, 557),
            (2408, 3314),
            (0, 1802),
            (-2408, 3314),
            (-1714, 557),
            (-3896, -1266),
            (-1059, -1458),
        ],
    }
}

/// A corner at its radius, turned by twice the angle whose tangent is `tilt` / 128: that turn has a
/// rational cosine and sine, so no library's trigonometry is in it.
fn tilted((x, y): (i64, i64), radius: i64, tilt: i64) -> (i64, i64) {
    let whole = 128 * 128 + tilt * tilt;
    let (cos, sin) = (128 * 128 - tilt * tilt, 2 * 128 * tilt);
    let at = |part: i64| part / whole * radius / UNIT;
    (at(x * cos - y * sin), at(x * sin + y * cos))
}

/// Whether a ray from the point crosses the outline an odd number of times.
fn inside(corners: &[(i64, i64)], (x, y): (i64, i64)) -> bool {
    let ends = corners.iter().zip(corners.iter().cycle().skip(1));
    let crossed = ends.filter(|&(&a, &b)| {
        let side = (b.0 - a.0) * (y - a.1) - (x - a.0) * (b.1 - a.1);
        (a.1 > y) != (b.1 > y) && (side > 0) == (b.1 > a.1)
    });
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// The first bytes of the SHA-256 of the pixels.
    fn check_pixels(seed: u64, (width, height): (u32, u32), wanted: &str) {
        let picture = Scene::random(seed, width, height).draw();
        assert_eq!(picture.dimensions(), (width, height));
        let digest = Sha256::digest(picture.as_raw());
        let digest: String = digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(digest, wanted, "seed {seed}");
    }

    #[test]
    fn pixels_are_the_same_everywhere() {
        check_pixels(1, (224, 224), "7271f633d0a5");
        check_pixels(2, (448, 448), "7b713a2f3ee5");
        check_pixels(3, (1024, 683), "fa8fee69453e");
        check_pixels(u64::MAX, (7, 300), "9f0d6d9d145a");
    }

    #[test]
    fn every_shape_is_painted_where_it_is_said_to_be() {
        for seed in 0..60 {
            let mut scene = Scene::random(seed, 240, 180);
            scene.noise = Noise::Plain;
            let picture = scene.draw();
            let ground = *picture.get_pixel(0, 0);
            for object in &scene.objects {
                let (x, y) = match object.place {
                    Place::Left => (40, 90),
                    Place::Right => (200, 90),
                    Place::Top => (120, 30),
                    Place::Bottom => (120, 150),
                    Place::Center => (120, 90),
                };
                let near = |value: u8, wanted: u8| value.abs_diff(wanted) <= 7;
                let found = picture.get_pixel(x, y).0;
                let right = found.iter().zip(filling(object.color));
                assert!(right.clone().all(|(&a, b)| near(a, b)), "{scene:?}");
            }
            let painted = picture.pixels().filter(|pixel| **pixel != ground).count();
            let share = |object: &Object| match object.size {
                Size::Small => 250..1000,
                Size::Large => 800..3000,
            };
            let least: usize = scene.objects.iter().map(|object| share(object).start).sum();
            let most: usize = scene.objects.iter().map(|object| share(object).end).sum();
            assert!((least..most).contains(&painted), "{painted} of {scene:?}");
        }
    }
}
