//! How many positions a picture takes, and where.

use crate::models::refuse_marks;
use crate::picture::Frames;
use crate::subject::Message;
use crate::{Error, Result};

/// Stands for a picture in a rendered prompt.
pub const IMAGE: &str = "<image>";

/// The part of a canvas' feature grid that shows the picture, without the black around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// First row of the grid.
    pub top: usize,
    /// Rows.
    pub rows: usize,
    /// First column.
    pub left: usize,
    /// Columns.
    pub cols: usize,
}

impl Kept {
    /// Of a picture whose tiles have `side * side` features each.
    ///
    /// What is cut off on both sides is rounded down, so a row or column of black may remain.
    ///
    /// Source: `unpad_image` in transformers `modeling_llava_next.py`.
    #[must_use]
    pub fn of(frames: &Frames, side: usize) -> Self {
        let (width, height) = (
            frames.original.0.max(1) as f64,
            frames.original.1.max(1) as f64,
        );
        let (cols, rows) = (frames.cols * side, frames.rows * side);
        // The reference rounds to seven digits, so that 503.99999999 counts as 504.
        let scaled = |length: f64, whole: usize, by: f64| {
            let pixels = length * (whole as f64 / by);
            ((pixels * 1e7).round() / 1e7) as usize
        };
        if width / height > cols as f64 / rows as f64 {
            let top = rows.saturating_sub(scaled(height, cols, width)) / 2;
            Self {
                top,
                rows: rows - 2 * top,
                left: 0,
                cols,
            }
        } else {
            let left = cols.saturating_sub(scaled(width, rows, height)) / 2;
            Self {
                top: 0,
                rows,
                left,
                cols: cols - 2 * left,
            }
        }
    }

    /// Positions of the picture: the whole in one frame, then the kept rows, each with one more at its end.
    #[must_use]
    pub const fn positions(&self, side: usize) -> usize {
        side * side + self.rows * (self.cols + 1)
    }
}

/// Puts `counts[k]` times `image` in the place of the k-th, and says which positions those are.
///
/// # Errors
/// [`Error::Prompt`] when there are more or fewer of them than pictures.
pub fn expand(ids: &[u32], image: u32, counts: &[usize]) -> Result<(Vec<u32>, Vec<usize>)> {
    let found = ids.iter().filter(|&&id| id == image).count();
    if found != counts.len() {
        let detail = format!(
            "it holds {found} times {IMAGE}, but there are {} pictures",
            counts.len()
        );
        return Err(Error::Prompt(detail));
    }
    let (mut expanded, mut positions, mut counts) = (Vec::new(), Vec::new(), counts.iter());
    for &id in ids {
        let times = if id == image {
            counts.next().copied().unwrap_or(0)
        } else {
            1
        };
        if id == image {
            positions.extend(expanded.len()..expanded.len() + times);
        }
        expanded.resize(expanded.len() + times, id);
    }
    Ok((expanded, positions))
}

/// Refuses messages that spell the placeholder.
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

    #[test]
    fn positions_follow_the_reference() {
        for (original, (rows, cols), positions) in [
            ((640, 480), (2, 2), 2340),
            ((1920, 1080), (2, 2), 1948),
            ((480, 640), (2, 2), 2352),
            ((1024, 1024), (2, 2), 2928),
            ((336, 336), (1, 2), 1176),
            ((899, 1024), (2, 2), 2640),
            ((40_000, 1), (1, 3), 576), // nothing of it remains in the tiles
        ] {
            let frames = Frames {
                side: 336,
                count: 1 + rows * cols,
                rows,
                cols,
                original,
                pixels: Vec::new(),
            };
            assert_eq!(
                Kept::of(&frames, 24).positions(24),
                positions,
                "{original:?}"
            );
        }
    }

    #[test]
    fn each_picture_takes_its_own_positions() {
        let (ids, positions) = expand(&[1, 9, 2, 9, 3], 9, &[2, 1]).unwrap();
        assert_eq!((ids, positions), (vec![1, 9, 9, 2, 9, 3], vec![1, 2, 4]));
        for counts in [&[][..], &[1], &[1, 1, 1]] {
            assert!(matches!(
                expand(&[1, 9, 2, 9, 3], 9, counts),
                Err(Error::Prompt(_))
            ));
        }
        assert!(check_messages(&[Message::user("an <image> of mine")]).is_err());
    }
}
