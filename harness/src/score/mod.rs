//! Is an answer right, and is it an answer at all? Pure.

mod degenerate;
mod echo;
mod exact;

pub use degenerate::is_degenerate;
pub use echo::is_echo;
pub use exact::{holds_words, is_right, normalise};
