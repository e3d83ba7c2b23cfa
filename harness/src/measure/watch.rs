//! The highest footprint of a process over spans of time, by sampling.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::system;

/// Watches one process's footprint from a thread of its own, until stopped or dropped.
///
/// Each look is cheap and does not hold the process up. A spike shorter than the interval can be
/// missed on Linux; macOS keeps the peak itself, where it lets that be started anew for each span.
#[derive(Debug)]
pub struct PeakWatch {
    processes: Vec<u32>,
    /// The highest footprint since the last mark; 0 before the process was seen.
    peak: Arc<AtomicU64>,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl PeakWatch {
    /// Looks at `pid` now and then every `interval`.
    #[must_use]
    pub fn start(pid: u32, interval: Duration) -> Self {
        Self::over(vec![pid], interval)
    }

    /// Looks at several processes, whose footprints are added up; one that has ended counts as none.
    #[must_use]
    pub fn over(processes: Vec<u32>, interval: Duration) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        let peak = Arc::new(AtomicU64::new(0));
        let (seen, watched) = (Arc::clone(&peak), processes.clone());
        let watch = move || {
            loop {
                look(&watched, &seen);
                if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("peak-watch".to_owned())
            .spawn(watch)
            .ok();
        Self {
            processes,
            peak,
            stop: Some(stop),
            thread,
        }
    }

    /// Ends one span and starts the next: the highest footprint since the start or the last mark, in
    /// bytes. `None` where the process was not seen in it.
    ///
    /// What is in memory at the mark belongs to both spans.
    #[must_use]
    pub fn mark(&self) -> Option<u64> {
        look(&self.processes, &self.peak);
        let seen = Some(self.peak.swap(0, Relaxed)).filter(|&peak| peak > 0);
        look(&self.processes, &self.peak);
        // Peaks of several processes need not have been at one time.
        let own = match self.processes.as_slice() {
            &[one] => system::take_peak(one),
            _ => None,
        };
        seen.max(own)
    }

    /// Ends the watch. The highest footprint since the start or the last mark, in bytes; `None` where
    /// the process was not seen.
    #[must_use]
    pub fn stop(mut self) -> Option<u64> {
        self.end();
        self.mark()
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Nothing in it panics; and it has nothing to say.
            let _ = thread.join();
        }
    }
}

fn look(processes: &[u32], peak: &AtomicU64) {
    let held = processes
        .iter()
        .filter_map(|&process| system::footprint_estimate(process));
    peak.fetch_max(held.sum(), Relaxed);
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
    fn a_mark_parts_one_peak_from_the_next() {
        // So long an interval that only the marks look.
        let watch = PeakWatch::start(std::process::id(), Duration::from_secs(3600));
        let held = std::hint::black_box(vec![1u8; 512 << 20]);
        let first = watch.mark().unwrap();
        drop(held);
        let _ = watch.mark();
        let second = watch.stop().unwrap();
        // Other tests hold memory in this process, but not that much.
        assert!(first >= second + (256 << 20), "{first} {second}");
    }

    #[test]
    fn a_process_that_is_not_there_has_no_peak() {
        assert_eq!(
            PeakWatch::start(u32::MAX, Duration::from_millis(1)).stop(),
            None
        );
    }
}
