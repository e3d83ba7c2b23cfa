//! Marks of pictures in Phi-3.5-vision's prompts, and what stands in their place.

use crate::models::refuse_marks;
use crate::picture::Frames;
use crate::subject::Message;
use crate::{Error, Result};

/// How every picture's mark begins; its number and `|>` follow.
pub const IMAGE: &str = "<|image_";

/// The mark of a picture, counted from 1.
#[must_use]
pub fn mark(number: usize) -> String {
    format!("{IMAGE}{number}|>")
}

/// Positions of a picture whose tiles have `side * side` tokens each: the tiles as one grid with a
/// separator after each row, one more, then the frame that shows all, likewise.
#[must_use]
pub const fn positions(frames: &Frames, side: usize) -> usize {
    let (rows, cols) = (frames.rows * side, frames.cols * side);
    rows * (cols + 1) + 1 + side * (side + 1)
}

/// The ids of a prompt with `counts[k - 1]` times `-k` in the place of picture `k`'s mark, and which
/// positions those are. What stands between marks is encoded by itself, with whatever the tokenizer
/// puts before a text: the reference has a start token after each picture.
///
/// # Errors
/// [`Error::Prompt`] when a mark is missing or there are more; what `encode` returns.
///
/// Source: `_convert_images_texts_to_inputs` in `processing_phi3_v.py` beside the published weights.
pub fn expand(
    text: &str,
    counts: &[usize],
    encode: impl Fn(&str) -> Result<Vec<u32>>,
) -> Result<(Vec<i64>, Vec<usize>)> {
    let (mut ids, mut positions, mut rest) = (Vec::<i64>::new(), Vec::new(), text);
    for (number, &count) in (1..).zip(counts) {
        let mark = mark(number);
        let Some((before, after)) = rest.split_once(&mark) else {
            let detail = format!("the chat template lost {mark}: it must keep what messages say");
            return Err(Error::Prompt(detail));
        };
        ids.extend(encode(before)?.into_iter().map(i64::from));
        positions.extend(ids.len()..ids.len() + count);
        ids.resize(ids.len() + count, -(number as i64));
        rest = after;
    }
    if rest.contains(IMAGE) {
        let detail = format!("it holds more marks {IMAGE} than {} pictures", counts.len());
        return Err(Error::Prompt(detail));
    }
    ids.extend(encode(rest)?.into_iter().map(i64::from));
    Ok((ids, positions))
}

/// Refuses messages that spell a picture's mark.
///
/// # Errors
/// [`Error::Prompt`] naming the message, counted from 1.
pub fn check_messages(messages: &[Message]) -> Result<()> {
    refuse_marks(messages, |text| {
        text.contains(IMAGE).then(|| IMAGE.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(rows: usize, cols: usize) -> Frames {
        Frames {
            side: 336,
            count: 1 + rows * cols,
            rows,
            cols,
            original: (1, 1),
            pixels: Vec::new(),
        }
    }

    #[test]
    fn positions_follow_the_reference() {
        for (rows, cols, wanted) in [
            (2, 2, 757),
            (1, 2, 457),
            (3, 4, 1921),
            (4, 3, 1933),
            (3, 5, 2353),
            (4, 4, 2509),
        ] {
            assert_eq!(
                positions(&frames(rows, cols), 12),
                wanted,
                "{rows} x {cols}"
            );
        }
    }

    /// A start id and the bytes.
    fn bytes(text: &str) -> Result<Vec<u32>> {
        Ok(std::iter::once(1)
            .chain(text.bytes().map(u32::from))
            .collect())
    }

    #[test]
    fn each_part_starts_anew() {
        let (ids, positions) = expand("a<|image_1|>b<|image_2|>", &[2, 1], bytes).unwrap();
        assert_eq!(ids, [1, 97, -1, -1, 1, 98, -2, 1]);
        assert_eq!(positions, [2, 3, 6]);
        assert_eq!(expand("a", &[], bytes).unwrap(), (vec![1, 97], vec![]));
    }

    #[test]
    fn marks_and_pictures_must_match() {
        for (text, counts) in [
            ("a", &[1][..]),
            ("<|image_2|>", &[1]),
            ("<|image_1|>", &[]),
            ("<|image_1|><|image_1|>", &[1]),
        ] {
            assert!(matches!(expand(text, counts, bytes), Err(Error::Prompt(_))));
        }
        let forged = [Message::user("hi"), Message::user("see <|image_1|>")];
        let error = check_messages(&forged).unwrap_err().to_string();
        assert!(
            error.starts_with("prompt: message 2 contains <|image_"),
            "{error}"
        );
    }
}
