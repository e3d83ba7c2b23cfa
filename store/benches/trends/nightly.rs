//! A detector in nightly use: each night it reads the last hundred.

use crate::Detector;

/// Nights that it reads.
const WINDOW: usize = 100;

/// Nights by which an index may differ and still be the same point.
const MARGIN: usize = 5;

/// Fresh alarms in the nights from the hundredth on: indices not near an earlier one.
pub(crate) fn alarms(stream: &[f64], detector: Detector) -> usize {
    let mut known: Vec<usize> = Vec::new();
    let mut fresh = 0;
    for end in WINDOW..=stream.len() {
        let from = end - WINDOW;
        for index in detector(&stream[from..end]) {
            let index = index + from;
            if known.iter().all(|other| other.abs_diff(index) > MARGIN) {
                known.push(index);
                // What the first window shows is the past, not an alarm of a night.
                fresh += usize::from(end > WINDOW);
            }
        }
    }
    fresh
}

/// Share of streams whose step is found by the 4th and 14th night after, and the median delay.
pub(crate) fn delays(streams: Vec<Vec<f64>>, by: f64, detector: Detector) -> String {
    let mut delays: Vec<usize> = Vec::new();
    for (number, mut stream) in streams.into_iter().enumerate() {
        let at = WINDOW + number % 10;
        for value in &mut stream[at..] {
            *value *= by;
        }
        delays.push(delay(&stream, at, detector));
    }
    delays.sort_unstable();
    let by = |nights: usize| {
        delays.iter().filter(|&&delay| delay <= nights).count() as f64 / delays.len() as f64
    };
    let median = match delays[delays.len() / 2] {
        LATE => "> 24".to_owned(),
        nights => nights.to_string(),
    };
    format!("{:.2}/{:.2} {median}", by(4), by(14))
}

/// Not found within 24 nights.
const LATE: usize = 25;

fn delay(stream: &[f64], at: usize, detector: Detector) -> usize {
    let found = |nights: &usize| {
        let end = at + nights + 1;
        let from = end.saturating_sub(WINDOW);
        let near = |index: &usize| (index + from).abs_diff(at) <= MARGIN;
        detector(&stream[from..end]).iter().any(near)
    };
    (0..LATE).find(found).unwrap_or(LATE)
}
