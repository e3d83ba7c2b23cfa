//! The probe set of the embedded suite, made anew from a seed: pictures, what is in them, questions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::text::{MEMORY, NEUTRAL, TEXT};
use super::{Color, Noise, Object, Place, Question, Scene, Shape};
use crate::probes;
use crate::random::mixed;

/// Sizes and noise of the set's pictures, in turn: within what the checkpoints were trained on (64 to
/// 320 pixels a side, up to 2.5 to 1). Noise packs badly, so the noisy pictures are the small ones.
const LOOKS: [(u32, u32, Noise); 6] = [
    (224, 224, Noise::Plain),
    (256, 192, Noise::Plain),
    (160, 240, Noise::Plain),
    (112, 112, Noise::Light),
    (300, 150, Noise::Plain),
    (96, 128, Noise::Strong),
];

/// Conversations, each about a scene of its own.
const CONVERSATIONS: usize = 12;

/// A probe set as its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFiles {
    /// `items.toml`.
    pub items: String,
    /// `scenes.toml`.
    pub scenes: String,
    /// Pictures (PNG) by their names in `images/`.
    pub pictures: BTreeMap<String, Vec<u8>>,
}

impl SetFiles {
    /// The seed of the set that is kept in `datasets/scenes`.
    pub const KEPT: u64 = 1;

    /// The set that a seed makes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut set = Self {
            items: ITEMS.to_owned(),
            scenes: SCENES.to_owned(),
            pictures: BTreeMap::new(),
        };
        // Mixed, so that neighbouring seeds have no scenes in common.
        let mut scenes = Scenes {
            seed: mixed(seed),
            made: 0,
        };
        for (question, answer) in vision() {
            let scene = scenes.next(|scene| shows(question, answer, scene));
            set.add_vision(question, answer, &scene);
        }
        set.add_text();
        for at in 0..CONVERSATIONS {
            let scene = scenes.next(|scene| scene.objects.len() > 1);
            set.add_conversation(at, &scene);
        }
        set
    }

    /// Writes the files to a folder, which is made where it is missing.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        fs::create_dir_all(dir.join("images"))?;
        fs::write(dir.join("items.toml"), &self.items)?;
        fs::write(dir.join("scenes.toml"), &self.scenes)?;
        for (name, bytes) in &self.pictures {
            fs::write(dir.join("images").join(name), bytes)?;
        }
        Ok(())
    }

    fn add_vision(&mut self, question: Question, answer: &str, scene: &Scene) {
        let id = format!("{}_{}", topic(question), answer.to_lowercase());
        let image = self.add_picture(&id, scene);
        let ask = question.ask();
        self.items += &format!(
            "\n[[vision]]\nid = {id:?}\nimage = {image:?}\nprompt = {ask:?}\nanswer = {answer:?}\n"
        );
    }

    fn add_text(&mut self) {
        self.items += ABOUT_TEXT;
        for (id, prompt, answer) in TEXT {
            self.items += &format!("\n[[text]]\nid = {id:?}\nprompt = {prompt:?}\n");
            if !answer.is_empty() {
                self.items += &format!("answer = {answer:?}\n");
            }
        }
        for (id, turns, answer) in MEMORY {
            self.items += &format!("\n[[text]]\nid = {id:?}\nanswer = {answer:?}\nmessages = [\n");
            for (text, role) in turns.iter().zip(["user", "assistant"].iter().cycle()) {
                self.items += &format!("  {{ role = {role:?}, text = {text:?} }},\n");
            }
            self.items += "]\n";
        }
        self.items += ABOUT_CONTEXT;
    }

    fn add_conversation(&mut self, at: usize, scene: &Scene) {
        let id = format!("talk_{:02}", at + 1);
        let image = self.add_picture(&id, scene);
        self.items += &format!("\n[[context]]\nid = {id:?}\nimage = {image:?}\n");
        let facts = facts(scene).map(|fact| (fact.ask(), fact.answer(scene).unwrap_or_default()));
        let fillers = NEUTRAL.iter().cycle().skip(at).take(probes::FILLERS);
        let fillers = fillers.map(|&(ask, answer)| (ask.to_owned(), answer.to_owned()));
        self.add_turns("facts", facts);
        self.add_turns("fillers", fillers);
    }

    fn add_turns(&mut self, key: &str, turns: impl IntoIterator<Item = (String, String)>) {
        self.items += &format!("{key} = [\n");
        for (ask, answer) in turns {
            self.items += &format!("  {{ ask = {ask:?}, answer = {answer:?} }},\n");
        }
        self.items += "]\n";
    }

    /// Adds a picture and what is in it; its file's name.
    fn add_picture(&mut self, id: &str, scene: &Scene) -> String {
        let name = format!("{id}.png");
        self.scenes += &described(&name, scene);
        self.pictures.insert(name.clone(), scene.png());
        name
    }
}

/// The scenes of a set, one after the other.
struct Scenes {
    seed: u64,
    made: usize,
}

impl Scenes {
    /// The next scene that will do, of the next look.
    fn next(&mut self, will_do: impl Fn(&Scene) -> bool) -> Scene {
        let (width, height, noise) = LOOKS[self.made % LOOKS.len()];
        self.made += 1;
        loop {
            self.seed = self.seed.wrapping_add(1);
            // 32 bits: a number that every reader of TOML takes.
            let mut scene = Scene::random(mixed(self.seed) >> 32, width, height);
            scene.noise = noise;
            if will_do(&scene) {
                return scene;
            }
        }
    }
}

/// The questions about pictures, each with the answer that its picture is to have. The same question
/// comes with different answers, each as often: who does not look is right as often as a coin or a
/// die, and no answer is right more than twice in all.
fn vision() -> Vec<(Question, &'static str)> {
    use Question::{
        Background as Behind, ColorOf, Count, IsThere, PlaceOf, ShapeAt, ShapeOf, SizeOf,
    };
    let groups: [(Question, &[&'static str]); 11] = [
        (ColorOf(Shape::Circle), &["Red", "Green", "Yellow", "Black"]),
        (ColorOf(Shape::Star), &["Blue", "Purple", "Orange", "Pink"]),
        (
            ShapeOf(Color::Red),
            &["Circle", "Square", "Triangle", "Star"],
        ),
        (
            ShapeAt(Place::Left),
            &["Circle", "Square", "Triangle", "Star"],
        ),
        (
            PlaceOf(Shape::Square),
            &["Left", "Right", "Top", "Bottom", "Center"],
        ),
        (Count, &["One", "Two", "Three"]),
        (IsThere(Color::Blue, Shape::Triangle), &["Yes", "No"]),
        (IsThere(Color::Green, Shape::Circle), &["Yes", "No"]),
        (SizeOf(Shape::Circle), &["Small", "Large"]),
        (SizeOf(Shape::Triangle), &["Small", "Large"]),
        (Behind, &["White", "Gray", "Tan"]),
    ];
    let each = groups.into_iter();
    each.flat_map(|(question, answers)| answers.iter().map(move |&answer| (question, answer)))
        .collect()
}

/// Whether a scene is right for a question. One without a blue triangle is to show something blue, or
/// a triangle: that there is neither would be too easy.
fn shows(question: Question, answer: &str, scene: &Scene) -> bool {
    let near = match question {
        Question::IsThere(color, shape) => {
            let near = |object: &Object| object.color == color || object.shape == shape;
            scene.objects.iter().any(near)
        }
        _ => true,
    };
    near && question.answer(scene).as_deref() == Some(answer)
}

/// What a question is about, for an item's id.
fn topic(question: Question) -> String {
    match question {
        Question::ColorOf(shape) => format!("color_{}", shape.word()),
        Question::ShapeOf(color) => format!("shape_{}", color.word()),
        Question::ShapeAt(place) => format!("at_{}", place.word()),
        Question::PlaceOf(shape) => format!("where_{}", shape.word()),
        Question::SizeOf(shape) => format!("size_{}", shape.word()),
        Question::IsThere(color, shape) => format!("{}_{}", color.word(), shape.word()),
        Question::Count => "count".to_owned(),
        Question::Background => "background".to_owned(),
    }
}

/// Six facts of a scene of two or three objects.
fn facts(scene: &Scene) -> [Question; 6] {
    let object = |n: usize| scene.objects[n % scene.objects.len()];
    [
        Question::ColorOf(object(0).shape),
        Question::ShapeOf(object(1).color),
        Question::PlaceOf(object(2).shape),
        Question::SizeOf(object(1).shape),
        Question::Count,
        Question::Background,
    ]
}

/// One entry of `scenes.toml`.
fn described(image: &str, scene: &Scene) -> String {
    let Scene {
        seed,
        width,
        height,
        ..
    } = scene;
    let (background, noise) = (scene.background.word(), scene.noise.word());
    let mut text = format!(
        "\n[[scene]]\nimage = {image:?}\nseed = {seed}\nwidth = {width}\nheight = {height}\n\
         background = {background:?}\nnoise = {noise:?}\nobjects = [\n"
    );
    for object in &scene.objects {
        let (size, color) = (object.size.word(), object.color.word());
        let (shape, place) = (object.shape.word(), object.place.word());
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "  {{ size = {size:?}, color = {color:?}, shape = {shape:?}, place = {place:?} }},"
        );
    }
    text + "]\n"
}

const ITEMS: &str = "\
# The probe set of the embedded suite. Pictures, scenes.toml and this file were made together by
#
#     cargo run --release -p harness --example scenes -- datasets/scenes
#
# and a test holds them to that. A copy may be edited freely: it is a set of its own.
name = \"scenes\"
licence = \"MIT OR Apache-2.0\"
source = \"drawn and written for this project\"

# The same question about several pictures with different answers: whoever does not look cannot be
# right about all of them.
";

const ABOUT_TEXT: &str = "
# Without a picture. Those without an answer are judged by their form alone.
";

const ABOUT_CONTEXT: &str = "
# Facts to ask about at once, and again after neutral turns. The fillers say nothing about the
# picture; there are seven, for a fact asked at the eighth turn.
";

const SCENES: &str = "\
# What is drawn in each picture of images/. From size and seed follows all but the strength of the
# noise: the words here, and shades, tilts and exact places.
";
