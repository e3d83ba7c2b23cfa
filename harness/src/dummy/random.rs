//! Random contents of tensors: seeded by name and place, so that they repeat on every machine.

use std::io::{self, Write};

use half::{bf16, f16};

use super::SEED;
use crate::models::listing::{Content, Stored};
use crate::models::published::Groups;
use crate::random::mixed;
use crate::tensor::DType;

/// Writes a whole tensor, made by all cores.
pub(super) fn write(out: &mut impl Write, tensor: &Stored) -> io::Result<()> {
    const BLOCK: usize = 1 << 20;
    let size = tensor.dtype.size();
    let count: usize = tensor.dims.iter().product();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut bytes = vec![0u8; size * count.min(BLOCK)];
    let mut done = 0;
    while done < count {
        let block = &mut bytes[..size * (count - done).min(BLOCK)];
        let share = (block.len() / size).div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for (i, part) in block.chunks_mut(size * share).enumerate() {
                let first = seed(tensor).wrapping_add((done + i * share) as u64);
                scope.spawn(move || fill(part, first, tensor));
            }
        });
        out.write_all(block)?;
        done += block.len() / size;
    }
    Ok(())
}

/// FNV-1a over the name; scales and offsets of one matrix share theirs.
fn seed(tensor: &Stored) -> u64 {
    let name = match tensor.content {
        Content::Scales(_) | Content::Biases(_) => tensor
            .name
            .rsplit_once('.')
            .map_or("", |(matrix, _)| matrix),
        _ => &tensor.name,
    };
    let start = SEED ^ 0xcbf2_9ce4_8422_2325;
    name.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn fill(part: &mut [u8], first: u64, tensor: &Stored) {
    let values = |i: usize| value(tensor.content, first.wrapping_add(i as u64));
    match tensor.dtype {
        DType::F32 => put(part, |i| values(i).to_le_bytes()),
        DType::F16 => put(part, |i| f16::from_f32(values(i)).to_le_bytes()),
        DType::BF16 => put(part, |i| bf16::from_f32(values(i)).to_le_bytes()),
        DType::U32 => put(part, |i| {
            ((mixed(first.wrapping_add(i as u64)) >> 32) as u32).to_le_bytes()
        }),
    }
}

fn put<const N: usize>(part: &mut [u8], bytes: impl Fn(usize) -> [u8; N]) {
    for (i, slot) in part.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        *slot = bytes(i);
    }
}

/// Deviation of matrices, quantised or not.
const SPREAD: f32 = 0.04;

/// The `i`-th value: norms around 1, everything else around 0.
fn value(content: Content, i: u64) -> f32 {
    match content {
        Content::Norm => 1.0 + 0.02 * bell(i),
        Content::Vector => 0.02 * bell(i),
        Content::Matrix | Content::Codes => SPREAD * bell(i),
        Content::Scales(groups) => scale(groups, i),
        // Half the largest code, so that the mean of the codes stands for 0.
        Content::Biases(groups) => -0.5 * largest(groups) * scale(groups, i),
    }
}

/// A scale that gives equally likely codes the deviation of other matrices; half of them negative,
/// as in published files.
fn scale(groups: Groups, i: u64) -> f32 {
    let codes = largest(groups) + 1.0;
    let deviation = ((codes * codes - 1.0) / 12.0).sqrt();
    let size = SPREAD / deviation * (1.0 + 0.1 * bell(i));
    if mixed(i) & 1 == 0 { size } else { -size }
}

fn largest(groups: Groups) -> f32 {
    ((1u64 << groups.bits.min(32)) - 1) as f32
}

/// The `i`-th of a sequence of mean 0 and deviation 1: the sum of four uniform 16-bit numbers.
fn bell(i: u64) -> f32 {
    let z = mixed(i);
    let sum = (z & 0xffff) + ((z >> 16) & 0xffff) + ((z >> 32) & 0xffff) + (z >> 48);
    const DEVIATION: f32 = 37_837.2; // sqrt(4 (2^32 - 1) / 12)
    (sum as f32 - 131_070.0) / DEVIATION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, dtype: DType, content: Content) -> Stored {
        let (name, dims) = (name.to_owned(), vec![50_000]);
        Stored {
            name,
            dims,
            dtype,
            content,
        }
    }

    fn bytes(tensor: &Stored) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, tensor).unwrap();
        assert_eq!(out, {
            let mut again = Vec::new();
            write(&mut again, tensor).unwrap();
            again
        });
        out
    }

    fn f16s(tensor: &Stored) -> Vec<f32> {
        let bytes = bytes(tensor);
        let values = bytes.as_chunks::<2>().0.iter();
        values.map(|b| f16::from_le_bytes(*b).to_f32()).collect()
    }

    fn check_spread(values: &[f32], mean: f32, deviation: f32) {
        let n = values.len() as f32;
        let found = values.iter().sum::<f32>() / n;
        let spread = (values.iter().map(|x| (x - found).powi(2)).sum::<f32>() / n).sqrt();
        assert!((found - mean).abs() < 0.02 * deviation, "mean {found}");
        assert!(
            (spread / deviation - 1.0).abs() < 0.02,
            "deviation {spread}"
        );
    }

    #[test]
    fn values_are_spread_by_what_they_are_for() {
        for (content, mean, deviation) in [
            (Content::Norm, 1.0, 0.02),
            (Content::Vector, 0.0, 0.02),
            (Content::Matrix, 0.0, 0.04),
        ] {
            check_spread(&f16s(&stored("x", DType::F16, content)), mean, deviation);
        }
    }

    #[test]
    fn quantised_matrices_stand_for_the_same_spread() {
        for bits in [4, 8] {
            let groups = Groups { bits, group: 64 };
            let scales = f16s(&stored("x.scales", DType::F16, Content::Scales(groups)));
            let biases = f16s(&stored("x.biases", DType::F16, Content::Biases(groups)));
            let negative = scales.iter().filter(|scale| **scale < 0.0).count();
            assert!((20_000..30_000).contains(&negative), "{negative} negative");
            let words = bytes(&stored("x.weight", DType::U32, Content::Codes));
            let codes = words.iter().map(|byte| match bits {
                4 => byte & 15,
                _ => *byte,
            });
            let each = codes.zip(scales.iter().zip(&biases));
            let values: Vec<_> = each.map(|(q, (s, b))| f32::from(q) * s + b).collect();
            check_spread(&values, 0.0, SPREAD);
        }
    }
}
