//! The shapes world: pictures of one to three coloured shapes, and questions whose answers follow
//! from what was drawn.
//!
//! The embedded checkpoints were trained on such pictures and on these wordings. A seed and a size
//! make a scene, and a scene makes the same pixels on every machine: all arithmetic is of integers.

mod draw;
mod question;
mod set;
mod text;

pub use question::Question;
pub use set::SetFiles;

use crate::random::{SplitMix64, mixed};

/// An enum whose values have a word each, in `ALL` and in the texts.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $($value:ident $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`.")] $value),+
        }

        impl $name {
            /// All there are.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];

            /// Its word in questions, answers and files.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }
    };
}

words!(
    /// What is drawn.
    Shape: Circle "circle", Square "square", Triangle "triangle", Star "star"
);
words!(
    /// What a shape is filled with.
    Color: Red "red", Green "green", Blue "blue", Yellow "yellow", Purple "purple",
    Orange "orange", Pink "pink", Black "black"
);
words!(
    /// How large a shape is, measured by the picture's short side.
    Size: Small "small", Large "large"
);
words!(
    /// Where a shape is.
    Place: Left "left", Right "right", Top "top", Bottom "bottom", Center "center"
);
words!(
    /// What is behind the shapes.
    Background: White "white", Gray "gray", Tan "tan"
);
words!(
    /// How much the brightness of single pixels varies.
    Noise: Plain "plain", Light "light", Strong "strong"
);

/// One shape of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Small or large.
    pub size: Size,
    /// Its colour; no other object of the scene has it.
    pub color: Color,
    /// Its shape; no other object of the scene has it.
    pub shape: Shape,
    /// Its place; no other object of the scene is there.
    pub place: Place,
}

/// What is in a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// What everything else was drawn from, and what the words leave open still is: shades, tilts,
    /// exact places, noise.
    pub seed: u64,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// What is behind the shapes.
    pub background: Background,
    /// How noisy it is.
    pub noise: Noise,
    /// One to three shapes, all different in shape, colour and place.
    pub objects: Vec<Object>,
}

/// Longest side of a scene, in pixels.
const MAX_SIDE: u32 = 8192;

impl Scene {
    /// A scene of `width` x `height` pixels; a side outside 1 to 8192 is taken as the nearest.
    #[must_use]
    pub fn random(seed: u64, width: u32, height: u32) -> Self {
        let mut scene = Self::of_three(seed, width, height);
        scene.objects.truncate(1 + (mixed(!seed) % 3) as usize);
        scene
    }

    /// A scene with as many objects as there may be.
    fn of_three(seed: u64, width: u32, height: u32) -> Self {
        let mut random = SplitMix64(mixed(seed));
        let shapes = random.shuffled(Shape::ALL);
        let colors = random.shuffled(Color::ALL);
        let places = random.shuffled(Place::ALL);
        let each = shapes.into_iter().zip(colors).zip(places).take(3);
        let objects = each.map(|((shape, color), place)| Object {
            size: random.shuffled(Size::ALL)[0],
            color,
            shape,
            place,
        });
        let objects = objects.collect();
        Self {
            seed,
            width: width.clamp(1, MAX_SIDE),
            height: height.clamp(1, MAX_SIDE),
            background: random.shuffled(Background::ALL)[0],
            // Half of the pictures plain.
            noise: [Noise::Plain, Noise::Plain, Noise::Light, Noise::Strong]
                [random.below(4) as usize],
            objects,
        }
    }
}

/// A picture (PNG, not compressed) of `size` (width, height) that no other seed gives: for a timed
/// request whose picture must not have been seen before.
///
/// All of them take about the same work: three shapes, so that descriptions are of one length. There
/// is no noise and no compression, so that making them takes little beside the fastest model.
#[must_use]
pub fn novel(size: (u32, u32), seed: u64) -> Vec<u8> {
    Scene::of_three(seed, size.0, size.1).plain_png()
}

/// What is in such a picture in words: `A small red circle (left), a large …`.
#[must_use]
pub fn novel_words(seed: u64) -> String {
    let things = Scene::of_three(seed, 1, 1).objects;
    let things = things.iter().map(|thing| {
        let (size, color) = (thing.size.word(), thing.color.word());
        format!(
            "{size} {color} {} ({})",
            thing.shape.word(),
            thing.place.word()
        )
    });
    format!("A {}", things.collect::<Vec<_>>().join(", a "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn objects_of_a_scene_differ_in_every_word() {
        for seed in 0..200 {
            let scene = Scene::random(seed, 200, 100);
            let words = |word: fn(&Object) -> &'static str| {
                scene
                    .objects
                    .iter()
                    .map(word)
                    .collect::<BTreeSet<_>>()
                    .len()
            };
            assert!((1..=3).contains(&scene.objects.len()));
            for distinct in [
                words(|object| object.shape.word()),
                words(|object| object.color.word()),
                words(|object| object.place.word()),
            ] {
                assert_eq!(distinct, scene.objects.len(), "{scene:?}");
            }
        }
    }

    #[test]
    fn novel_pictures_have_the_size_and_differ() {
        let size = (224, 224);
        let pictures: BTreeSet<_> = (0..50).map(|seed| novel(size, seed)).collect();
        assert_eq!(pictures.len(), 50);
        let lengths: BTreeSet<_> = pictures.iter().map(Vec::len).collect();
        assert_eq!(lengths.len(), 1, "{lengths:?} bytes");
        for bytes in &pictures {
            let picture = crate::picture::Picture::decode(bytes).unwrap();
            assert_eq!((picture.width, picture.height), (224, 224));
        }
        assert_eq!(novel(size, 7), novel(size, 7));
        assert!(!novel((0, u32::MAX), 1).is_empty());
    }
}
