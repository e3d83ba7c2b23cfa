//! Raw values as bytes: what takes 18 characters as JSON takes 2 to 4 bytes, and comes back bit for
//! bit.
//!
//! ```text
//! sample = scale:u8 epochs:varint { trials:varint { value } }
//! ```
//!
//! Scale 0 to 9: every value is a whole number over 10^scale, held as the zigzag varint of its
//! difference from the one before it in the sample (the first from 0). Scale 9 are nanoseconds,
//! turned into seconds as `Duration::as_secs_f64` does. Scale 255: eight bytes a value, IEEE 754,
//! little-endian. A varint has seven bits a byte, the low ones first, the eighth says that more follow.

use std::time::Duration;

/// Values that are no short decimals.
const RAW: u8 = 255;

/// Scale of nanoseconds.
const NANO: u8 = 9;

/// Whole numbers up to here are exact in a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Epochs of trials, packed by the smallest scale that loses nothing.
pub(super) fn pack(epochs: &[Vec<f64>]) -> Vec<u8> {
    let values = || epochs.iter().flatten().copied();
    let scale = (0..=NANO).find(|&scale| values().all(|value| whole(value, scale).is_some()));
    let mut bytes = vec![scale.unwrap_or(RAW)];
    push(&mut bytes, epochs.len() as u64);
    let mut before = 0;
    for trials in epochs {
        push(&mut bytes, trials.len() as u64);
        for &value in trials {
            match scale.and_then(|scale| whole(value, scale)) {
                Some(number) => {
                    push(&mut bytes, zigzag(number - before));
                    before = number;
                }
                None => bytes.extend(value.to_le_bytes()),
            }
        }
    }
    bytes
}

/// The epochs that bytes hold.
///
/// Memory stays in proportion to the bytes, whatever counts they claim.
pub(super) fn unpack(bytes: &[u8]) -> Result<Vec<Vec<f64>>, String> {
    let (&scale, rest) = bytes.split_first().ok_or("no bytes")?;
    if scale > NANO && scale != RAW {
        return Err(format!("unknown scale {scale}"));
    }
    let mut reader = Reader { rest, before: 0 };
    let epochs = reader.count()?;
    let epochs: Vec<Vec<f64>> = (0..epochs)
        .map(|_| reader.epoch(scale))
        .collect::<Result<_, String>>()?;
    if !reader.rest.is_empty() {
        return Err(format!("{} bytes too many", reader.rest.len()));
    }
    Ok(epochs)
}

/// The whole number that gives exactly this value at a scale, if there is one.
fn whole(value: f64, scale: u8) -> Option<i64> {
    let number = (value * 10_f64.powi(i32::from(scale))).round();
    if number.is_nan() || number.abs() >= EXACT {
        return None;
    }
    let number = number as i64;
    (scaled(number, scale).to_bits() == value.to_bits()).then_some(number)
}

/// The value that a whole number stands for.
fn scaled(number: i64, scale: u8) -> f64 {
    if scale == NANO {
        let seconds = Duration::from_nanos(number.unsigned_abs()).as_secs_f64();
        return if number < 0 { -seconds } else { seconds };
    }
    number as f64 / 10_f64.powi(i32::from(scale))
}

/// Small numbers of either sign as small ones without.
fn zigzag(number: i64) -> u64 {
    (number.wrapping_shl(1) ^ (number >> 63)) as u64
}

fn zagzig(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What is left to read, and the number read last.
struct Reader<'b> {
    rest: &'b [u8],
    before: i64,
}

impl Reader<'_> {
    fn epoch(&mut self, scale: u8) -> Result<Vec<f64>, String> {
        let trials = self.count()?;
        (0..trials).map(|_| self.value(scale)).collect()
    }

    fn value(&mut self, scale: u8) -> Result<f64, String> {
        if scale == RAW {
            let (bytes, rest) = self.rest.split_first_chunk().ok_or("cut off")?;
            self.rest = rest;
            let value = f64::from_le_bytes(*bytes);
            return if value.is_finite() {
                Ok(value)
            } else {
                Err(format!("holds {value}"))
            };
        }
        let difference = zagzig(self.varint()?);
        let number = self.before.checked_add(difference);
        self.before = number.ok_or("a number out of range")?;
        Ok(scaled(self.before, scale))
    }

    /// A number of things of at least one byte each.
    fn count(&mut self) -> Result<usize, String> {
        let count = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if count > self.rest.len() {
            return Err(format!("cut off: {count} wanted"));
        }
        Ok(count)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or("cut off")?;
            self.rest = rest;
            let part = u64::from(byte & 127);
            if shift == 63 && part > 1 {
                break;
            }
            number |= part << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err("a number out of range".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    fn check(epochs: &[Vec<f64>], scale: u8, bytes: usize) {
        let packed = pack(epochs);
        assert_eq!((packed[0], packed.len()), (scale, bytes), "{epochs:?}");
        let bits = |epochs: &[Vec<f64>]| -> Vec<Vec<u64>> {
            let one = |trials: &Vec<f64>| trials.iter().map(|v| v.to_bits()).collect();
            epochs.iter().map(one).collect()
        };
        let read = unpack(&packed).expect("our own");
        assert_eq!(bits(&read), bits(epochs));
    }

    #[test]
    fn every_value_comes_back_bit_for_bit() {
        check(&[], 0, 2);
        check(&[vec![], vec![]], 0, 4);
        check(&[vec![64.0; 5]], 0, 9);
        check(&[vec![0.25, 0.5], vec![-1.0]], 2, 8);
        check(&[vec![0.061_234_567, 0.062_111_222]], 9, 10);
        check(&[vec![1.0 / 3.0]], RAW, 11);
        check(&[vec![-0.0]], RAW, 11);
        check(&[vec![f64::MAX, f64::MIN_POSITIVE, 5e-324]], RAW, 27);
        check(&[vec![EXACT]], RAW, 11);
        check(&[vec![EXACT - 1.0, 1.0 - EXACT]], 0, 19);
    }

    #[test]
    fn durations_of_any_length_are_nanoseconds() {
        let mut random = Rng::new(7);
        for power in 0..18 {
            let most = 10_f64.powi(power);
            let nanos: Vec<u64> = (0..200).map(|_| (random.uniform() * most) as u64).collect();
            let seconds = nanos.iter().map(|&n| Duration::from_nanos(n).as_secs_f64());
            let seconds: Vec<f64> = seconds.collect();
            let packed = pack(std::slice::from_ref(&seconds));
            assert!(power > 15 || packed[0] <= NANO, "10^{power} ns");
            assert_eq!(unpack(&packed), Ok(vec![seconds]), "10^{power} ns");
        }
    }

    #[test]
    fn hostile_bytes_are_errors_and_cost_no_memory() {
        let check = |bytes: &[u8], reason: &str| {
            assert_eq!(unpack(bytes), Err(reason.to_owned()), "{bytes:?}");
        };
        check(&[], "no bytes");
        check(&[10, 0], "unknown scale 10");
        check(&[0], "cut off");
        check(&[0, 255, 255, 255, 127], "cut off: 268435455 wanted");
        check(&[0, 1, 5, 1], "cut off: 5 wanted");
        check(&[0, 1, 1, 2, 9], "1 bytes too many");
        check(&[RAW, 1, 1, 0, 0, 0], "cut off");
        let huge = [255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        check(&[&[0, 1, 1][..], &huge].concat(), "a number out of range");
        let most = [254, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        let twice = [&[0, 1, 2][..], &most, &most].concat();
        check(&twice, "a number out of range");
        let nan = [&[RAW, 1, 1][..], &f64::NAN.to_le_bytes()].concat();
        check(&nan, "holds NaN");
    }
}
