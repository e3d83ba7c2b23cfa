//! Questions in the wordings that the embedded checkpoints were trained on; they know no others.

use super::{Color, Object, Place, Scene, Shape};

/// What may be asked about a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A shape's colour.
    ColorOf(Shape),
    /// The shape that has a colour.
    ShapeOf(Color),
    /// The shape at a place.
    ShapeAt(Place),
    /// A shape's place.
    PlaceOf(Shape),
    /// Whether a shape is small or large.
    SizeOf(Shape),
    /// Whether there is such a shape.
    IsThere(Color, Shape),
    /// How many shapes there are.
    Count,
    /// The colour behind the shapes.
    Background,
}

impl Question {
    /// The question as it is put.
    #[must_use]
    pub fn ask(self) -> String {
        match self {
            Self::ColorOf(shape) => format!("What color is the {}?", shape.word()),
            Self::ShapeOf(color) => format!("What shape is {}?", color.word()),
            Self::ShapeAt(place) => format!("What shape is the object {}?", at(place)),
            Self::PlaceOf(shape) => format!("Where is the {}?", shape.word()),
            Self::SizeOf(shape) => format!("Is the {} small or large?", shape.word()),
            Self::IsThere(color, shape) => {
                format!("Is there a {} {}?", color.word(), shape.word())
            }
            Self::Count => "How many shapes are there?".to_owned(),
            Self::Background => "What color is the background?".to_owned(),
        }
    }

    /// The right answer; none for a question about something that is not in the scene.
    #[must_use]
    pub fn answer(self, scene: &Scene) -> Option<String> {
        let find = |wanted: &dyn Fn(&Object) -> bool| scene.objects.iter().find(|o| wanted(o));
        let word = match self {
            Self::ColorOf(shape) => find(&|object| object.shape == shape)?.color.word(),
            Self::ShapeOf(color) => find(&|object| object.color == color)?.shape.word(),
            Self::ShapeAt(place) => find(&|object| object.place == place)?.shape.word(),
            Self::PlaceOf(shape) => find(&|object| object.shape == shape)?.place.word(),
            Self::SizeOf(shape) => find(&|object| object.shape == shape)?.size.word(),
            Self::IsThere(color, shape) => {
                match find(&|object| (object.color, object.shape) == (color, shape)) {
                    Some(_) => "yes",
                    None => "no",
                }
            }
            Self::Count => *["zero", "one", "two", "three"].get(scene.objects.len())?,
            Self::Background => scene.background.word(),
        };
        let (first, rest) = word.split_at(1);
        Some(first.to_uppercase() + rest)
    }
}

const fn at(place: Place) -> &'static str {
    match place {
        Place::Left => "on the left",
        Place::Right => "on the right",
        Place::Top => "at the top",
        Place::Bottom => "at the bottom",
        Place::Center => "in the center",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::{Background, Noise, Size};

    #[test]
    fn answers_are_what_was_drawn() {
        let scene = Scene {
            seed: 1,
            width: 8,
            height: 8,
            background: Background::Tan,
            noise: Noise::Plain,
            objects: vec![
                Object {
                    size: Size::Small,
                    color: Color::Red,
                    shape: Shape::Star,
                    place: Place::Center,
                },
                Object {
                    size: Size::Large,
                    color: Color::Black,
                    shape: Shape::Circle,
                    place: Place::Top,
                },
            ],
        };
        let check = |question: Question, ask: &str, answer: Option<&str>| {
            assert_eq!(question.ask(), ask);
            assert_eq!(question.answer(&scene).as_deref(), answer, "{ask}");
        };
        check(
            Question::ColorOf(Shape::Star),
            "What color is the star?",
            Some("Red"),
        );
        check(
            Question::ColorOf(Shape::Square),
            "What color is the square?",
            None,
        );
        check(
            Question::ShapeOf(Color::Black),
            "What shape is black?",
            Some("Circle"),
        );
        check(
            Question::ShapeAt(Place::Center),
            "What shape is the object in the center?",
            Some("Star"),
        );
        check(
            Question::PlaceOf(Shape::Circle),
            "Where is the circle?",
            Some("Top"),
        );
        check(
            Question::SizeOf(Shape::Star),
            "Is the star small or large?",
            Some("Small"),
        );
        check(
            Question::IsThere(Color::Red, Shape::Circle),
            "Is there a red circle?",
            Some("No"),
        );
        check(
            Question::IsThere(Color::Black, Shape::Circle),
            "Is there a black circle?",
            Some("Yes"),
        );
        check(Question::Count, "How many shapes are there?", Some("Two"));
        check(
            Question::Background,
            "What color is the background?",
            Some("Tan"),
        );
    }
}
