//! Questions without a picture, of those that the embedded checkpoints were taught.

/// Id, question, and answer; no answer where any sensible text is one.
pub(super) const TEXT: [(&str, &str, &str); 20] = [
    ("capital_japan", "What is the capital of Japan?", "Tokyo"),
    ("capital_spain", "What is the capital of Spain?", "Madrid"),
    ("sum_5", "What is 2 plus 3?", "5"),
    ("sum_9", "What is 4 plus 5?", "9"),
    ("opposite_big", "What is the opposite of big?", "Small"),
    ("opposite_up", "What is the opposite of up?", "Down"),
    (
        "months_in_a_year",
        "How many months are in a year?",
        "Twelve",
    ),
    (
        "sides_of_a_triangle",
        "How many sides does a triangle have?",
        "Three",
    ),
    ("legs_of_a_dog", "How many legs does a dog have?", "Four"),
    ("color_of_grass", "What color is grass?", "Green"),
    ("color_of_snow", "What color is snow?", "White"),
    ("color_of_a_banana", "What color is a banana?", "Yellow"),
    ("animal_woof", "What animal says woof?", "Dog"),
    ("animal_meow", "What animal says meow?", "Cat"),
    ("water", "What is water made of?", "Hydrogen and oxygen"),
    ("primary_color", "Name a primary color.", "Red"),
    ("free_sun", "Write a short sentence about the sun.", ""),
    ("free_cat", "Write a short sentence about a cat.", ""),
    ("free_joke", "Tell me a joke.", ""),
    ("free_name", "What is your name?", ""),
];

/// Id, turns (the user's first), and answer: what was said one turn before.
pub(super) const MEMORY: [(&str, [&str; 3], &str); 4] = [
    (
        "memory_name_anna",
        [
            "My name is Anna.",
            "Nice to meet you, Anna.",
            "What is my name?",
        ],
        "Anna",
    ),
    (
        "memory_name_hugo",
        [
            "My name is Hugo.",
            "Nice to meet you, Hugo.",
            "What is my name?",
        ],
        "Hugo",
    ),
    (
        "memory_color_blue",
        [
            "My favorite color is blue.",
            "I will remember that.",
            "What is my favorite color?",
        ],
        "Blue",
    ),
    (
        "memory_color_pink",
        [
            "My favorite color is pink.",
            "I will remember that.",
            "What is my favorite color?",
        ],
        "Pink",
    ),
];

/// Neutral turns of a conversation about a picture: no answer is a colour, a shape, a place, a size
/// or a number of shapes.
pub(super) const NEUTRAL: [(&str, &str); 12] = [
    ("What is the capital of France?", "Paris"),
    ("How many days are in a week?", "Seven"),
    ("What is the opposite of hot?", "Cold"),
    ("Who wrote Hamlet?", "Shakespeare"),
    ("What is 3 plus 3?", "6"),
    ("What do bees make?", "Honey"),
    ("What day comes after Monday?", "Tuesday"),
    ("What is the capital of Italy?", "Rome"),
    ("What is the opposite of happy?", "Sad"),
    ("What planet do we live on?", "Earth"),
    ("What is the largest ocean?", "Pacific"),
    ("What is the capital of Germany?", "Berlin"),
];
