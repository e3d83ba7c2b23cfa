//! macOS: the power of an Apple chip over successive tenths of a second, added up.
//!
//! The crate `macmon` reads the kernel's reports ("Energy Model") without root. It tells power over the
//! time since it was last asked, so that nothing falls between two readings.

use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use super::Meter;

/// How often it is read, in milliseconds.
const INTERVAL_MS: u32 = 100;

/// Longest wait for the first reading: finding the counters takes a moment.
const OPENING: Duration = Duration::from_secs(5);

pub(super) fn open() -> Result<Box<dyn Meter>, String> {
    let none = "this Mac shows no counters of its chip's energy";
    let (told, readings) = mpsc::sync_channel(1024);
    // A thread of its own, which ends once nobody listens: each reading waits for its interval.
    let started = std::thread::Builder::new()
        .name("energy".to_owned())
        .spawn(move || watch(&told));
    started.map_err(|error| error.to_string())?;
    match readings.recv_timeout(OPENING) {
        Ok(_) => Ok(Box::new(Chip {
            readings,
            joules: 0.0,
        })),
        Err(_) => Err(none.to_owned()),
    }
}

/// Tells the joules of each interval.
fn watch(told: &SyncSender<f64>) {
    let Ok(mut sampler) = macmon::Sampler::new() else {
        return;
    };
    let mut last = Instant::now();
    while let Ok(metrics) = sampler.get_metrics(INTERVAL_MS) {
        let now = Instant::now();
        let watts = f64::from(metrics.all_power + metrics.ram_power);
        let joules = watts * (now - last).as_secs_f64();
        last = now;
        if told.send(joules).is_err() {
            return;
        }
    }
}

struct Chip {
    readings: Receiver<f64>,
    joules: f64,
}

impl Meter for Chip {
    fn joules(&mut self) -> Option<f64> {
        loop {
            match self.readings.try_recv() {
                Ok(joules) => self.joules += joules,
                Err(TryRecvError::Empty) => return Some(self.joules),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }
}
