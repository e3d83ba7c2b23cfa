//! The highest footprint of a process over a span of time, by sampling.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::system;

/// Watches one process's footprint from a thread of its own, until stopped or dropped.
///
/// Each look is cheap and does not hold the process up. A spike shorter than the interval can be
/// missed on Linux; macOS also keeps the lifetime peak itself ([`Memory::peak`](super::Memory)).
#[derive(Debug)]
pub struct PeakWatch {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Option<u64>>>,
}

impl PeakWatch {
    /// Looks at `pid` now and then every `interval`.
    #[must_use]
    pub fn start(pid: u32, interval: Duration) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let watch = move || {
            let mut peak = None;
            loop {
                peak = peak.max(system::footprint_estimate(pid));
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return peak.max(system::footprint_estimate(pid));
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("peak-watch".to_owned())
            .spawn(watch)
            .ok();
        Self {
            stop: Some(stop),
            thread,
        }
    }

    /// Ends the watch. The highest footprint seen, in bytes; `None` where the process was never
    /// seen.
    #[must_use]
    pub fn stop(mut self) -> Option<u64> {
        self.end()
    }

    fn end(&mut self) -> Option<u64> {
        drop(self.stop.take());
        self.thread
            .take()
            .and_then(|thread| thread.join().ok().flatten())
    }
}

impl Drop for PeakWatch {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_given_back_is_remembered() {
        let watch = PeakWatch::start(std::process::id(), Duration::from_millis(2));
        let held = std::hint::black_box(vec![1u8; 96 << 20]);
        std::thread::sleep(Duration::from_millis(40));
        drop(held);
        // The kernel's counters lag by a few pages a core.
        assert!(watch.stop().unwrap() >= 80 << 20);
    }

    #[test]
    fn a_process_that_is_not_there_has_no_peak() {
        assert_eq!(
            PeakWatch::start(u32::MAX, Duration::from_millis(1)).stop(),
            None
        );
    }
}
