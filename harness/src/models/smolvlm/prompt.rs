//! Placeholders of SmolVLM prompts: one `<image>` a picture becomes the tokens of its tiles.

use std::fmt::Write as _;

use crate::models::refuse_marks;
use crate::subject::Message;
use crate::{Error, Result};

/// Stands for a picture in a rendered prompt, and for one feature row in an expanded one.
pub const IMAGE: &str = "<image>";
const AROUND: &str = "<fake_token_around_image>";
const GLOBAL: &str = "<global-img>";

/// How a picture was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Tiles from top to bottom; 0 when the picture was not split.
    pub rows: usize,
    /// Tiles from left to right; 0 when the picture was not split.
    pub cols: usize,
}

/// Replaces the k-th `<image>` of `prompt` by the placeholders of the k-th grid.
///
/// A split picture: each tile as `<fake_token_around_image><row_R_col_C>` and `tokens_per_frame` times `<image>`,
/// a newline after each row, one more after the last; then, as for a picture not split, the global frame between
/// two `<fake_token_around_image>`. The result must be tokenised in one piece: the two newlines may be one token.
///
/// # Errors
/// [`Error::Prompt`] when the prompt holds more or fewer `<image>` than there are grids, as it does when a message
/// itself contains one.
///
/// Source: `get_image_prompt_string` in transformers `processing_idefics3.py`; golden ids in `tests/golden/`.
pub fn expand(prompt: &str, grids: &[Grid], tokens_per_frame: usize) -> Result<String> {
    let pieces: Vec<&str> = prompt.split(IMAGE).collect();
    if pieces.len() - 1 != grids.len() {
        return Err(Error::Prompt(format!(
            "it holds {} times {IMAGE}, but there are {} pictures: no message may contain {IMAGE}",
            pieces.len() - 1,
            grids.len()
        )));
    }
    let frame = IMAGE.repeat(tokens_per_frame);
    let mut expanded = pieces[0].to_owned();
    for (grid, rest) in grids.iter().zip(&pieces[1..]) {
        push_picture(&mut expanded, *grid, &frame);
        expanded.push_str(rest);
    }
    Ok(expanded)
}

fn push_picture(text: &mut String, grid: Grid, frame: &str) {
    for row in 1..=grid.rows {
        for col in 1..=grid.cols {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{AROUND}<row_{row}_col_{col}>{frame}");
        }
        text.push('\n');
    }
    if grid.rows > 0 {
        text.push('\n');
    }
    text.push_str(AROUND);
    text.push_str(GLOBAL);
    text.push_str(frame);
    text.push_str(AROUND);
}

/// Refuses messages whose text spells a token that marks a picture or a tile.
///
/// [`expand`] alone notices a wrong count of `<image>`; this also notices a tile mark that no picture made.
///
/// # Errors
/// [`Error::Prompt`] naming the message, counted from 1, and the token.
pub fn check_messages(messages: &[Message]) -> Result<()> {
    let literal = |text: &str| {
        [IMAGE, AROUND, GLOBAL]
            .into_iter()
            .find(|token| text.contains(token))
    };
    refuse_marks(messages, |text| {
        literal(text)
            .or_else(|| tile_mark(text))
            .map(ToOwned::to_owned)
    })
}

/// The first `<row_R_col_C>` in `text`.
fn tile_mark(text: &str) -> Option<&str> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.match_indices("<row_").find_map(|(start, opening)| {
        let inside = &text[start + opening.len()..];
        let (inside, _) = inside.split_once('>')?;
        let (row, col) = inside.split_once("_col_")?;
        let end = start + opening.len() + inside.len() + 1;
        (is_number(row) && is_number(col)).then(|| &text[start..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_in_one_frame() {
        let text = expand("a<image>b", &[Grid { rows: 0, cols: 0 }], 2).unwrap();
        assert_eq!(
            text,
            "a<fake_token_around_image><global-img><image><image><fake_token_around_image>b"
        );
    }

    #[test]
    fn pictures_of_one_row_and_of_two() {
        let grids = [Grid { rows: 1, cols: 2 }, Grid { rows: 2, cols: 1 }];
        let text = expand("<image>|<image>", &grids, 1).unwrap();
        let short = text
            .replace(AROUND, "F")
            .replace(GLOBAL, "G")
            .replace(IMAGE, "I");
        assert_eq!(
            short,
            "F<row_1_col_1>IF<row_1_col_2>I\n\nFGIF|F<row_1_col_1>I\nF<row_2_col_1>I\n\nFGIF"
        );
    }

    #[test]
    fn counts_must_match() {
        for (prompt, pictures) in [("<image><image>", 1), ("none", 1), ("<image>", 0)] {
            let error = expand(prompt, &vec![Grid { rows: 0, cols: 0 }; pictures], 4).unwrap_err();
            assert!(matches!(error, Error::Prompt(_)), "{error}");
        }
    }

    #[test]
    fn forged_marks_are_named() {
        for token in [
            "<image>",
            "<fake_token_around_image>",
            "<global-img>",
            "<row_1_col_12>",
        ] {
            let messages = [
                Message::user("hello"),
                Message::user(format!("see {token} there")),
            ];
            let error = check_messages(&messages).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("prompt: message 2 contains {token},")),
                "{error}"
            );
        }
        for innocent in [
            "<row_1>",
            "<row_a_col_1>",
            "<row_1_col_>",
            "<img>",
            "< image >",
            "<row_",
        ] {
            check_messages(&[Message::user(innocent)]).unwrap();
        }
    }
}
