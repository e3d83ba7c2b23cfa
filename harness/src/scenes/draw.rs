//! A scene's pixels: hard edges, flat colours, noise that moves all three channels alike.

use std::ops::Range;

use image::codecs::png::PngEncoder;
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
        let mut random = self.stream();
        let layers = self.layers(&mut random);
        let mut picture = RgbImage::from_pixel(self.width, self.height, layers.ground);
        let pixels = picture.as_chunks_mut::<3>().0;
        for (figure, color) in &layers.figures {
            figure.spans((self.width, self.height), |span| pixels[span].fill(color.0));
        }
        if let tosses @ 1.. = tosses(self.noise) {
            for pixel in pixels {
                let change = noise(&mut random, tosses);
                *pixel = pixel.map(|value| value.saturating_add_signed(change));
            }
        }
        picture
    }

    /// The picture as a PNG file.
    #[must_use]
    pub(super) fn png(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new(&mut bytes);
        let (width, height) = (self.width, self.height);
        // Writing to memory fails only where a side is 0, and `random` gives none: then it is empty.
        let _ = encoder.write_image(&self.draw(), width, height, ExtendedColorType::Rgb8);
        bytes
    }

    /// The picture without noise as a PNG file with a palette and without compression: a sixth of the
    /// bytes of three channels, and made in a fraction of the time.
    #[must_use]
    pub(super) fn plain_png(&self) -> Vec<u8> {
        let layers = self.layers(&mut self.stream());
        let colors = layers.figures.iter().map(|(_, color)| color);
        let palette: Vec<u8> = [&layers.ground]
            .into_iter()
            .chain(colors)
            .flat_map(|color| color.0)
            .collect();
        let (width, height) = (self.width as usize, self.height as usize);
        let row = width.div_ceil(2);
        let mut pixels = vec![0; row * height];
        for (number, (figure, _)) in layers.figures.iter().enumerate() {
            figure.spans((self.width, self.height), |span| {
                let (y, x) = (span.start / width, span.start % width);
                fill(
                    &mut pixels[y * row..][..row],
                    x..x + span.len(),
                    number as u8 + 1,
                );
            });
        }
        let mut bytes = Vec::with_capacity(pixels.len() + 1024);
        // As above: it fails only where a side is 0.
        let _ = write_palette_png(&mut bytes, (self.width, self.height), palette, &pixels);
        bytes
    }

    /// Random numbers of its pixels: a stream of their own, so that words and pixels do not depend on
    /// each other.
    fn stream(&self) -> SplitMix64 {
        SplitMix64(!mixed(self.seed))
    }

    fn layers(&self, random: &mut SplitMix64) -> Layers {
        let ground = shade(random, background(self.background));
        let figures = self.objects.iter().map(|object| {
            let color = shade(random, filling(object.color));
            (
                Figure::new(random, object, (self.width, self.height)),
                color,
            )
        });
        let figures = figures.collect();
        Layers { ground, figures }
    }
}

/// What is painted, from the bottom up.
struct Layers {
    ground: Rgb<u8>,
    figures: Vec<(Figure, Rgb<u8>)>,
}

/// Four bits a pixel, the first in the upper half of a byte.
fn fill(row: &mut [u8], span: Range<usize>, value: u8) {
    let (mut start, mut end) = (span.start, span.end);
    if start < end && start % 2 == 1 {
        row[start / 2] = row[start / 2] & 0xf0 | value;
        start += 1;
    }
    if start < end && end % 2 == 1 {
        end -= 1;
        row[end / 2] = row[end / 2] & 0x0f | value << 4;
    }
    row[start / 2..end.max(start) / 2].fill(value << 4 | value);
}

fn write_palette_png(
    bytes: &mut Vec<u8>,
    (width, height): (u32, u32),
    palette: Vec<u8>,
    pixels: &[u8],
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(bytes, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Four);
    encoder.set_palette(palette);
    encoder.set_compression(png::Compression::NoCompression);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header()?.write_image_data(pixels)
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

    /// Numbers of the pixels that it covers, counted through all rows: a pixel is covered where its
    /// middle is.
    fn spans(&self, (width, height): (u32, u32), mut fill: impl FnMut(Range<usize>)) {
        let (width, height) = (i64::from(width), i64::from(height));
        let rows = |at: i64| (at / STEPS).clamp(0, height);
        for y in rows(self.center.1 - self.radius)..rows(self.center.1 + self.radius + STEPS) {
            let middle = STEPS * y + STEPS / 2 - self.center.1;
            // The first pixel beyond such a place in the row.
            let beyond = |limit: i64| {
                let at = (limit + self.center.0 - STEPS / 2).div_euclid(STEPS) + 1;
                at.clamp(0, width)
            };
            for pair in self.limits(middle).chunks_exact(2) {
                let (start, end) = (beyond(pair[0]), beyond(pair[1]));
                let at = |x: i64| (y * width + x) as usize;
                if start < end {
                    fill(at(start)..at(end));
                }
            }
        }
    }

    /// Places in the row `y`, in order, by pairs: it covers what lies beyond the first and not beyond
    /// the second. All seen from the centre.
    fn limits(&self, y: i64) -> Vec<i64> {
        let about = |half: i64| vec![-half - 1, half];
        match self.shape {
            Shape::Circle => {
                let square = self.radius * self.radius - y * y;
                if square < 0 {
                    Vec::new()
                } else {
                    about(square.isqrt())
                }
            }
            // Half its side is 0.86 of its radius: about as much paint as the others.
            Shape::Square => {
                let half = 86 * self.radius / 100;
                if y.abs() > half {
                    Vec::new()
                } else {
                    about(half)
                }
            }
            Shape::Triangle | Shape::Star => crossings(&self.corners, y),
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

/// The last places in the row `y` that lie left of an edge of the outline, in order.
fn crossings(corners: &[(i64, i64)], y: i64) -> Vec<i64> {
    let ends = corners.iter().zip(corners.iter().cycle().skip(1));
    let crossed = ends.filter(|&(&a, &b)| (a.1 > y) != (b.1 > y));
    let last = crossed.map(|(&a, &b)| {
        // The edge is at `a.0 + (b.0 - a.0) (y - a.1) / (b.1 - a.1)`, and belongs to one side.
        let (rise, run) = (b.1 - a.1, (b.0 - a.0) * (y - a.1));
        match rise > 0 {
            true => (a.0 * rise + run - 1).div_euclid(rise),
            false => (-a.0 * rise - run).div_euclid(-rise),
        }
    });
    let mut last: Vec<i64> = last.collect();
    last.sort_unstable();
    last
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
    fn a_palette_shows_the_same_picture() {
        for (seed, size) in [(1, (224, 224)), (2, (31, 77)), (3, (448, 301)), (4, (1, 1))] {
            let mut scene = Scene::of_three(seed, size.0, size.1);
            scene.noise = Noise::Plain;
            let shown = image::load_from_memory(&scene.plain_png()).unwrap();
            assert_eq!(shown.to_rgb8(), scene.draw(), "{scene:?}");
        }
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
