//! Photographs, and any number of new ones made of them: what full-size models are timed with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::random::{SplitMix64, mixed};

/// Size of every photograph, in pixels: width and height.
pub const SIZE: (u32, u32) = (1024, 683);

/// Marker bytes of a JPEG file (ITU-T T.81, table B.1).
const QUANTISATION: u8 = 0xdb;
const SCAN: u8 = 0xda;

/// Steps of one quantisation table.
const STEPS: usize = 64;

/// The first step, in zigzag order, that may change: what comes before is seen from afar.
const FINE: usize = 28;

/// How much coarser a step becomes at most.
const COARSER: u32 = 2;

/// Photographs as files.
#[derive(Clone, Debug)]
pub struct Photographs(Vec<Vec<u8>>);

impl Photographs {
    /// Reads the folder's `.jpg` files.
    ///
    /// # Errors
    /// Names the folder that has none, or the file that is no JPEG of [`SIZE`].
    pub fn load(dir: &Path) -> Result<Self> {
        let files = files(dir).with_context(|| format!("{}: cannot read", dir.display()))?;
        if files.is_empty() {
            bail!("{}: no photograph: put .jpg files there", dir.display());
        }
        let photographs = files
            .iter()
            .map(|path| read(path).with_context(|| format!("{}: cannot use", path.display())));
        Ok(Self(photographs.collect::<Result<_>>()?))
    }

    /// A photograph that has not been seen before: one of them, its finest detail quantised a little
    /// differently, so that other pixels come out. Successive seeds take turns among the photographs.
    ///
    /// Nothing is decoded or encoded: this costs a copy of the file, where a new part of a photograph
    /// would cost as much as some models take to answer.
    #[must_use]
    pub fn novel(&self, seed: u64) -> Vec<u8> {
        let mut random = SplitMix64(mixed(seed));
        let turn = (seed % self.0.len().max(1) as u64) as usize;
        let mut photograph = self.0.get(turn).cloned().unwrap_or_default();
        if let Some(start) = table(&photograph) {
            for step in &mut photograph[start + FINE..start + STEPS] {
                *step = step.saturating_add(random.below(COARSER + 1) as u8);
            }
        }
        photograph
    }
}

/// A file of the right kind and size.
fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path)?;
    let reader = image::ImageReader::new(std::io::Cursor::new(&bytes)).with_guessed_format()?;
    let size = reader.into_dimensions()?;
    if size != SIZE || table(&bytes).is_none() {
        bail!("wanted is a JPEG of {} x {} pixels", SIZE.0, SIZE.1);
    }
    Ok(bytes)
}

/// Where the steps of the first quantisation table begin; none where there is no such table of bytes.
fn table(jpeg: &[u8]) -> Option<usize> {
    let mut at = 2; // after the marker that begins the file
    loop {
        let (0xff, marker) = (*jpeg.get(at)?, *jpeg.get(at + 1)?) else {
            return None;
        };
        let length = [*jpeg.get(at + 2)?, *jpeg.get(at + 3)?];
        if marker == SCAN {
            return None;
        }
        // The high half of the first byte tells bytes (0) from words, the low half the table's number.
        if marker == QUANTISATION && jpeg.get(at + 4)? >> 4 == 0 {
            let start = at + 5;
            return (jpeg.len() >= start + STEPS).then_some(start);
        }
        at += 2 + usize::from(u16::from_be_bytes(length));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::picture::Picture;

    fn folder() -> PathBuf {
        crate::source::datasets_dir().unwrap().join("photographs")
    }

    /// Mean change of a byte between two pictures of one size.
    fn difference(a: &Picture, b: &Picture) -> f64 {
        let pairs = a.rgb.iter().zip(&b.rgb);
        let sum: u64 = pairs.map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
        sum as f64 / a.rgb.len() as f64
    }

    #[test]
    fn every_seed_gives_other_pixels_of_the_same_scene() {
        let photographs = Photographs::load(&folder()).unwrap();
        let count = photographs.0.len() as u64;
        let mut seen = BTreeSet::new();
        for turn in 0..count {
            let original = Picture::decode(&photographs.0[turn as usize]).unwrap();
            for round in 0..5 {
                let novel = photographs.novel(turn + round * count);
                let picture = Picture::decode(&novel).unwrap();
                let change = difference(&original, &picture);
                assert!(change > 0.01 && change < 1.0, "{turn}, {round}: {change}");
                assert!(seen.insert(picture.rgb), "{turn}, {round}");
            }
        }
        assert_eq!(photographs.novel(3), photographs.novel(3));
    }

    #[test]
    fn every_photograph_is_credited_and_small() {
        let credits = std::fs::read_to_string(folder().join("README.md")).unwrap();
        for path in files(&folder()).unwrap() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(credits.contains(name), "{name}");
            let bytes = std::fs::read(&path).unwrap();
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
        check("a.jpg: cannot use");
        let small = image::RgbImage::new(8, 8);
        small.save(dir.path().join("a.jpg")).unwrap();
        check("a.jpg: cannot use: wanted is a JPEG of 1024 x 683");
    }

    #[test]
    fn tables_are_found_in_whole_files_only() {
        let path = &files(&folder()).unwrap()[0];
        let whole = std::fs::read(path).unwrap();
        let start = table(&whole).unwrap();
        assert_eq!(table(&whole[..start + STEPS]), Some(start));
        for length in 0..start + STEPS {
            assert_eq!(table(&whole[..length]), None, "{length}");
        }
    }
}
