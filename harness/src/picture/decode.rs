//! Encoded files to RGB, as PIL's `Image.open(...).convert("RGB")` has it.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::Picture;
use crate::{Error, Result};

/// Longest side accepted, in pixels.
pub(crate) const MAX_SIDE: u32 = 16_384;
/// Most pixels accepted: 64 Mpx, 192 MiB of RGB.
const MAX_PIXELS: u64 = 64 << 20;
/// What a decoder may allocate: the largest picture at 16 bits a channel with alpha, and as much again to work in.
const MAX_ALLOCATION: u64 = 2 * 8 * MAX_PIXELS;

impl Picture {
    /// Decodes a PNG, JPEG, GIF, BMP or WebP file, known by its content, not by a name.
    ///
    /// As in PIL's `convert("RGB")`: alpha is dropped, not composited; gray is repeated; of 16-bit colour the high
    /// byte is kept; 16-bit gray is clipped at 255; EXIF orientation is not applied; of an animation the first
    /// frame is taken. Lossless files give PIL's bytes. JPEG may differ by a few levels: another decoder.
    ///
    /// # Errors
    /// [`Error::Picture`] when the header announces more than 16384 pixels a side or 64 Mpx (before anything of
    /// that size is allocated), and when the file is of another kind, broken or truncated.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(|error| broken(None, &ImageError::IoError(error)))?;
        let format = reader.format();
        let mut decoder = reader
            .into_decoder()
            .map_err(|error| broken(format, &error))?;
        let (width, height) = decoder.dimensions();
        check_size(width, height)?;
        if format == Some(ImageFormat::Jpeg) && !jpeg_is_complete(bytes) {
            return Err(Error::Picture(
                "the JPEG file is truncated: it has no end marker".into(),
            ));
        }
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MAX_ALLOCATION);
        decoder
            .set_limits(limits)
            .map_err(|error| broken(format, &error))?;
        let decoded =
            DynamicImage::from_decoder(decoder).map_err(|error| broken(format, &error))?;
        Ok(Self {
            width: width as usize,
            height: height as usize,
            rgb: to_rgb(decoded),
        })
    }
}

fn check_size(width: u32, height: u32) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::Picture(format!(
            "it is empty ({width} x {height} pixels)"
        )));
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(Error::Picture(format!(
            "{width} x {height} pixels are too many: at most {MAX_SIDE} a side are accepted, scale it down first"
        )));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Error::Picture(format!(
            "{width} x {height} pixels are too many: at most {MAX_PIXELS} in all are accepted, scale it down first"
        )));
    }
    Ok(())
}

fn broken(format: Option<ImageFormat>, error: &ImageError) -> Error {
    let Some(format) = format else {
        return Error::Picture(
            "the file is no PNG, JPEG, GIF, BMP or WebP: convert it first".into(),
        );
    };
    let reason = error.to_string();
    let reason = reason.lines().next().unwrap_or_default();
    Error::Picture(format!("the {format:?} file cannot be decoded: {reason}"))
}

/// Whether the JPEG's scans end in an end-of-image marker. The decoder fills what is missing with gray and says
/// nothing; a marker of an embedded thumbnail must not count, so the segments are walked.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const START: u8 = 0xd8;
    const END: u8 = 0xd9;
    let mut at = 0;
    while let Some(offset) = bytes[at..].iter().position(|&byte| byte == 0xff) {
        let marker = at + offset + 1;
        match bytes.get(marker) {
            Some(&END) => return true,
            // Stuffed zeros and restart markers lie inside a scan; fill bytes precede a marker.
            Some(0x00 | 0x01 | 0xd0..=0xd7 | &START) => at = marker + 1,
            Some(0xff) => at = marker,
            Some(_) => {
                let Some(length) = bytes.get(marker + 1..marker + 3) else {
                    return false;
                };
                at = marker + 1 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
            None => return false,
        }
        if at >= bytes.len() {
            return false;
        }
    }
    false
}

fn to_rgb(decoded: DynamicImage) -> Vec<u8> {
    match decoded {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageLuma8(image) => image.iter().flat_map(|&gray| [gray; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => image.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageRgba8(image) => image
            .pixels()
            .flat_map(|p| [p.0[0], p.0[1], p.0[2]])
            .collect(),
        DynamicImage::ImageLuma16(image) => image
            .iter()
            .flat_map(|&gray| [gray.min(255) as u8; 3])
            .collect(),
        DynamicImage::ImageLumaA16(image) => {
            image.pixels().flat_map(|p| [high(p.0[0]); 3]).collect()
        }
        DynamicImage::ImageRgb16(image) => image.iter().map(|&value| high(value)).collect(),
        DynamicImage::ImageRgba16(image) => image
            .pixels()
            .flat_map(|p| [high(p.0[0]), high(p.0[1]), high(p.0[2])])
            .collect(),
        // Floating-point formats; none of the five that are compiled in makes them.
        other => other.into_rgb8().into_raw(),
    }
}

fn high(value: u16) -> u8 {
    (value >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG that ends after its header.
    fn announced(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 2, 0, 0, 0]);
        let check = crc(&bytes[12..]);
        bytes.extend(check.to_be_bytes());
        // An empty data chunk, so that the decoder has seen all that precedes the pixels.
        bytes.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
        bytes
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
            })
        })
    }

    fn check(bytes: &[u8], wanted: &str) {
        assert_eq!(Picture::decode(bytes).unwrap_err().to_string(), wanted);
    }

    #[test]
    fn too_large_by_the_header_alone() {
        check(
            &announced(50_000, 2),
            "picture: 50000 x 2 pixels are too many: at most 16384 a side are accepted, scale it down first",
        );
        check(
            &announced(16_384, 16_384),
            "picture: 16384 x 16384 pixels are too many: at most 67108864 in all are accepted, scale it down first",
        );
    }

    #[test]
    fn foreign_files_are_named() {
        for bytes in [&b""[..], b"<svg/>", b"%PDF-1.7"] {
            check(
                bytes,
                "picture: the file is no PNG, JPEG, GIF, BMP or WebP: convert it first",
            );
        }
    }

    #[test]
    fn end_markers_of_thumbnails_do_not_count() {
        let thumbnail = b"\xff\xd8\xff\xe1\x00\x06\xff\xd9..";
        assert!(!jpeg_is_complete(thumbnail));
        assert!(jpeg_is_complete(
            &[
                &thumbnail[..],
                b"\xff\xda\x00\x02 \xff\x00 \xff\xd0 \xff\xff\xd9"
            ]
            .concat()
        ));
        for broken in [
            &b"\xff"[..],
            b"\xff\xd8\xff\xe1",
            b"\xff\xe1\xff\xff",
            b"\xff\xe1\x00\x00\xff",
        ] {
            assert!(!jpeg_is_complete(broken));
        }
    }
}
