//! Photographs, and any number of new ones made of them: what full-size models are timed with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use image::ExtendedColorType::Rgb8;
use image::codecs::jpeg::JpegEncoder;

use crate::picture::{Filter, Picture};
use crate::random::{SplitMix64, mixed};

/// Size of every new photograph, in pixels: width and height.
pub const SIZE: (u32, u32) = (1024, 683);

/// Quality of an encoded photograph, about what cameras write.
const QUALITY: u8 = 90;

/// The part of either side that a new photograph shows: from, and how much more at most, in
/// thousandths.
const SHOWN: (u32, u32) = (650, 320);

/// Decoded photographs.
#[derive(Clone, Debug)]
pub struct Photographs(Vec<Picture>);

impl Photographs {
    /// Decodes the folder's `.jpg` files.
    ///
    /// # Errors
    /// Names the folder that has none, or the file that is no picture.
    pub fn load(dir: &Path) -> Result<Self> {
        let read = |path: &PathBuf| -> Result<Picture> {
            let bytes = std::fs::read(path)?;
            Ok(Picture::decode(&bytes)?)
        };
        let files = files(dir).with_context(|| format!("{}: cannot read", dir.display()))?;
        if files.is_empty() {
            bail!("{}: no photograph: put .jpg files there", dir.display());
        }
        let pictures = files
            .iter()
            .map(|path| read(path).with_context(|| format!("{}: cannot read", path.display())));
        Ok(Self(pictures.collect::<Result<_>>()?))
    }

    /// A photograph (JPEG) of [`SIZE`] that has not been seen before: a part of one of them, mirrored
    /// or not. Successive seeds take turns among the photographs.
    ///
    /// # Errors
    /// When the encoder refuses, which it has no reason to.
    pub fn novel(&self, seed: u64) -> Result<Vec<u8>> {
        let mut random = SplitMix64(mixed(seed));
        let turn = seed % self.0.len().max(1) as u64;
        let whole = self.0.get(turn as usize).context("photographs: none")?;
        let share = SHOWN.0 + random.below(SHOWN.1 + 1);
        let shown = |side: usize| (side * share as usize / 1000).max(1);
        let (width, height) = (shown(whole.width), shown(whole.height));
        let mut start = |room: usize| random.below(room as u32 + 1) as usize;
        let (left, top) = (start(whole.width - width), start(whole.height - height));
        let mut part = whole.crop(left, top, width, height)?;
        if random.below(2) == 1 {
            mirror(&mut part);
        }
        // Bicubic weights are sums and products: the same everywhere.
        let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
        let part = part.resize(width, height, Filter::Bicubic);
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY)
            .encode(&part.rgb, SIZE.0, SIZE.1, Rgb8)?;
        Ok(bytes)
    }
}

/// The photographs of a folder, by name.
fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path()));
    let mut paths = paths.collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "jpg"));
    paths.sort();
    Ok(paths)
}

fn mirror(picture: &mut Picture) {
    for row in picture.rgb.chunks_exact_mut(3 * picture.width) {
        row.reverse(); // which makes blue of red
        row.as_chunks_mut::<3>()
            .0
            .iter_mut()
            .for_each(|pixel| pixel.reverse());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_seed_shows_another_part() {
        let dir = crate::source::datasets_dir().unwrap().join("photographs");
        let photographs = Photographs::load(&dir).unwrap();
        let novel: BTreeSet<_> = (0..5)
            .map(|seed| photographs.novel(seed).unwrap())
            .collect();
        assert_eq!(novel.len(), 5);
        for bytes in &novel {
            let picture = Picture::decode(bytes).unwrap();
            assert_eq!((picture.width as u32, picture.height as u32), SIZE);
        }
        assert_eq!(photographs.novel(3).unwrap(), photographs.novel(3).unwrap());
    }

    #[test]
    fn every_photograph_is_credited_and_small() {
        let dir = crate::source::datasets_dir().unwrap().join("photographs");
        let credits = std::fs::read_to_string(dir.join("README.md")).unwrap();
        for path in files(&dir).unwrap() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(credits.contains(name), "{name}");
            let bytes = std::fs::read(&path).unwrap();
            let picture = Picture::decode(&bytes).unwrap();
            assert_eq!((picture.width as u32, picture.height as u32), SIZE);
            assert!(bytes.len() < 200 << 10, "{name}: {} bytes", bytes.len());
        }
    }

    #[test]
    fn folders_without_photographs_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let check = |part: &str| {
            let text = format!("{:#}", Photographs::load(dir.path()).unwrap_err());
            assert!(text.contains(part), "{text}");
        };
        check("no photograph");
        std::fs::write(dir.path().join("a.jpg"), "no picture").unwrap();
        check("a.jpg: cannot read");
    }

    #[test]
    fn mirroring_keeps_colours() {
        let mut picture = Picture {
            width: 2,
            height: 1,
            rgb: vec![1, 2, 3, 4, 5, 6],
        };
        mirror(&mut picture);
        assert_eq!(picture.rgb, [4, 5, 6, 1, 2, 3]);
    }
}
