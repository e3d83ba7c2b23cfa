//! Durations as people write them: `90s`, `10m`, `1.5h`.

use std::time::Duration;

/// Longest time limit: a day.
const LONGEST: f64 = 86_400.0;

/// Reads `90s`, `10m`, `1h` or plain seconds.
///
/// # Errors
/// One line that shows the form.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write 90s, 10m or 1h");
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit.trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * factor;
    match seconds {
        s if !s.is_finite() || s <= 0.0 => Err(wrong()),
        s if s > LONGEST => Err(format!("{text:?} is longer than a day")),
        s => Ok(Duration::from_secs_f64(s)),
    }
}

/// Prints a duration shortly: `0.3s`, `42s`, `10m`, `1m05s`, `2h03m`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let (seconds, whole) = (duration.as_secs_f64(), duration.as_secs());
    match whole {
        _ if seconds < 9.95 && duration.subsec_nanos() > 0 => format!("{seconds:.1}s"),
        0..60 => format!("{whole}s"),
        60..3600 if whole % 60 == 0 => format!("{}m", whole / 60),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        let check = |text, expected: &str| assert_eq!(parse(text).map(format).as_deref(), Ok(expected));
        check("90s", "1m30s");
        check("10m", "10m");
        check("42", "42s");
        check("1.5h", "1h30m");
        check("300ms", "0.3s");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "m", "-1s", "0", "ten", "1d", "99999h", "1e3s", "nan"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
