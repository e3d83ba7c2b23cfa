//! Pictures against what PIL and the reference's preparation make of them (`golden/make_pictures.py`).

#![expect(clippy::unwrap_used, reason = "a broken fixture may end its test")]

use std::fs;
use std::path::{Path, PathBuf};

use harness::models::smolvlm::image::{ImageConfig, prepare};
use harness::picture::{Filter, Normaliser, Picture};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn cases(name: &str) -> Vec<Value> {
    let root: Value = serde_json::from_slice(&fs::read(golden(name)).unwrap()).unwrap();
    root["cases"].as_array().unwrap().clone()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

fn pair(value: &Value) -> (usize, usize) {
    (number(&value[0]), number(&value[1]))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The generator script's picture: every byte from splitmix64, seeded by the size.
fn picture(width: usize, height: usize, pattern: &str) -> Picture {
    let mut state = (width * 65536 + height) as u64;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let byte = ((z ^ (z >> 31)) >> 56) as u8;
        if pattern == "extremes" {
            if byte < 128 { 0 } else { 255 }
        } else {
            byte
        }
    };
    let rgb = (0..3 * width * height).map(|_| next()).collect();
    Picture { width, height, rgb }
}

fn config(edge: usize, tile: usize) -> ImageConfig {
    ImageConfig {
        longest_edge: edge,
        tile,
        split: true,
        normaliser: Normaliser {
            mean: [0.5; 3],
            std: [0.5; 3],
            rescale: 1.0 / 255.0,
        },
        filter: Filter::Lanczos,
    }
}

#[test]
fn resizing_equals_pil_bit_for_bit() {
    let cases = cases("resize.json");
    assert!(cases.len() > 150);
    for case in cases {
        let (width, height) = pair(&case["from"]);
        let (to_width, to_height) = pair(&case["to"]);
        let filter = match case["filter"].as_str().unwrap() {
            "lanczos" => Filter::Lanczos,
            "bicubic" => Filter::Bicubic,
            _ => Filter::Bilinear,
        };
        let source = picture(width, height, case["pattern"].as_str().unwrap());
        let result = source.resize(to_width, to_height, filter);
        assert_eq!((result.width, result.height), (to_width, to_height));
        assert_eq!(sha256(&result.rgb), case["sha256"], "{case}");
    }
}

#[test]
fn decoding_equals_pil() {
    for case in cases("decode.json") {
        let file = case["file"].as_str().unwrap();
        let bytes = fs::read(golden("decode").join(file)).unwrap();
        let decoded = Picture::decode(&bytes).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(
            (decoded.width, decoded.height),
            pair(&case["size"]),
            "{file}"
        );
        let hex = case["rgb"].as_str().unwrap();
        let wanted: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect();
        let farthest = decoded
            .rgb
            .iter()
            .zip(&wanted)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap();
        // JPEG decoders may round their transforms differently; all else is exact.
        let allowed = if file.ends_with(".jpg") { 4 } else { 0 };
        assert_eq!(decoded.rgb.len(), wanted.len(), "{file}");
        assert!(farthest <= allowed, "{file}: off by {farthest}");
    }
}

#[test]
fn truncated_files_are_one_line() {
    for case in cases("decode.json") {
        let file = case["file"].as_str().unwrap();
        let bytes = fs::read(golden("decode").join(file)).unwrap();
        for share in [0, 1, 2, 5, 8] {
            let error = Picture::decode(&bytes[..bytes.len() * share / 10])
                .expect_err(&format!("{file} cut to {share}/10"))
                .to_string();
            assert!(error.starts_with("picture: "), "{file}: {error}");
            assert_eq!(error.lines().count(), 1, "{file}: {error}");
        }
    }
}

#[test]
fn damaged_files_do_not_panic() {
    for case in cases("decode.json") {
        let bytes = fs::read(golden("decode").join(case["file"].as_str().unwrap())).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x55;
            // Either is right: some bytes are pixels, and some checksums are not looked at.
            if let Err(error) = Picture::decode(&damaged) {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
        }
    }
}

#[test]
fn grids_equal_the_reference() {
    for case in cases("layout.json") {
        let (width, height) = pair(&case["picture"]);
        let config = config(number(&case["edge"]), number(&case["tile"]));
        let frames = prepare(&picture(width, height, "noise"), &config).unwrap();
        assert_eq!(
            (frames.rows, frames.cols),
            (number(&case["rows"]), number(&case["cols"])),
            "{case}"
        );
        assert_eq!(frames.count, number(&case["frames"]), "{case}");
        assert_eq!(
            frames.pixels.len(),
            frames.count * frames.side * frames.side * 3,
            "{case}"
        );
    }
}

#[test]
fn prepared_pixels_equal_the_reference_bit_for_bit() {
    for case in cases("prepare.json") {
        let (width, height) = pair(&case["picture"]);
        let split = case["split"].as_bool().unwrap();
        let config = ImageConfig {
            split,
            ..config(number(&case["edge"]), number(&case["tile"]))
        };
        let frames = prepare(&picture(width, height, "noise"), &config).unwrap();
        assert_eq!(
            (frames.rows, frames.cols),
            (number(&case["rows"]), number(&case["cols"])),
            "{case}"
        );
        let bytes: Vec<u8> = frames
            .pixels
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(sha256(&bytes), case["sha256"], "{case}");
    }
}

#[test]
fn published_settings_cut_as_published() {
    let config = config(2048, 512);
    for ((width, height), (rows, cols)) in [
        ((640, 480), (3, 4)),
        ((1920, 1080), (3, 4)),
        ((480, 640), (4, 3)),
        ((1024, 1024), (4, 4)),
        ((4000, 1), (1, 4)),
        ((1, 4000), (4, 1)),
    ] {
        let frames = prepare(&picture(width, height, "noise"), &config).unwrap();
        assert_eq!(
            (frames.rows, frames.cols, frames.count),
            (rows, cols, rows * cols + 1),
            "{width} x {height}"
        );
        assert_eq!(frames.pixels.len(), frames.count * 512 * 512 * 3);
    }
}
