//! What the parent sees of one worker and of the machine around it while it works.

use std::time::Duration;

use store::Metric;

use super::ledger::Entry;
use super::trials::Around;
use crate::conditions::{Conditions, Mark, Sampler, Thermal, background, between, fast_share};
use crate::measure::PeakWatch;
use crate::measure::nvml::Gpu;
use crate::models::Device;
use crate::plan::Planned;

/// How often the worker's memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Bytes of a page, in which Linux and macOS on Intel count swapping; Apple silicon's are four times as
/// large and its counters are in its own pages.
const PAGE: f64 = if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    16_384.0
} else {
    4096.0
};

/// Watches one worker from its start to its end.
pub(super) struct Observer<'a> {
    planned: &'a Planned,
    pid: u32,
    watch: PeakWatch,
    sampler: Sampler,
    gpu: Option<Gpu>,
    /// Conditions at the start of the span that is judged next, and its trials.
    anchor: Conditions,
    trials: u32,
    /// Start of the span before, if it was one of trials too.
    before: Option<Conditions>,
    /// Whether there is nothing to watch: a server's processes are elsewhere or not known.
    unseen: bool,
    /// Highest memory: until the model was ready, over the worker's life, on the GPU.
    load_peak: Option<u64>,
    peak: Option<u64>,
    gpu_peak: Option<u64>,
}

impl<'a> Observer<'a> {
    /// Watches a worker; the processes of a server instead, where that computes. A server whose processes
    /// are not known has no memory here, and what it computes cannot be told from others' work.
    pub(super) fn start(planned: &'a Planned, pid: u32, server: Option<&[u32]>) -> Self {
        let here = planned
            .model
            .server
            .as_ref()
            .map(|server| server.address.is_here());
        let mut sampler = match (server, here) {
            (Some([]), Some(true)) => Sampler::hidden(),
            _ => Sampler::around(&[&[pid], server.unwrap_or_default()].concat()),
        };
        let on_gpu = planned.device == Device::Cuda;
        Self {
            planned,
            pid,
            watch: PeakWatch::over(server.map_or_else(|| vec![pid], <[u32]>::to_vec), LOOK),
            unseen: server.is_some_and(<[u32]>::is_empty),
            anchor: sampler.read(),
            sampler,
            gpu: if on_gpu { Gpu::open() } else { None },
            trials: 0,
            before: None,
            load_peak: None,
            peak: None,
            gpu_peak: None,
        }
    }

    /// The model is ready: what is seen from now on belongs to answering.
    pub(super) fn loaded(&mut self) {
        self.load_peak = self.watch.mark();
        self.peak = self.load_peak;
        self.look_at_gpu();
    }

    /// The warm-up is over, and no trial: what the machine did until now matters no more.
    pub(super) fn warmed_up(&mut self) -> Vec<Entry> {
        self.anchor = self.sampler.read();
        self.before = None;
        self.trials = 0;
        vec![Entry::Trial(Vec::new())]
    }

    /// A trial ended: whether it counts, and what is to be said about it and those before it.
    ///
    /// Others' use of the processors shows over most of a second only, so that short trials are judged
    /// together.
    pub(super) fn trial(&mut self) -> Vec<Entry> {
        self.trials += 1;
        self.look_at_gpu();
        let now = self.sampler.read();
        let void = |mark: &Mark| matches!(mark, Mark::Void(_));
        let marks = between(&self.anchor, &now);
        let voids = marks.into_iter().filter(void).collect();
        let mut entries = vec![Entry::Trial(voids)];
        entries.extend(self.held_back().map(|text| Entry::Advisory(1, text)));
        if background(&self.anchor, &now).is_some() {
            entries.extend(self.judge(&now));
        }
        entries
    }

    /// The worker has ended well.
    pub(super) fn end(mut self, own_peak: Option<u64>) -> Vec<Entry> {
        let now = self.sampler.read();
        let mut entries = match self.trials {
            0 => Vec::new(),
            _ => self.judge(&now),
        };
        let infer_peak = self.watch.stop();
        let peak = self.peak.max(infer_peak).max(own_peak);
        let bytes = |peak: Option<u64>| peak.map(|bytes| bytes as f64);
        let seen = [
            (Metric::LoadPeak, bytes(self.load_peak)),
            (Metric::InferPeak, bytes(infer_peak.max(own_peak))),
            (Metric::PeakMemory, bytes(peak)),
        ];
        let on_gpu = self
            .gpu_peak
            .map(|peak| (Metric::DeviceMemory, Some(peak as f64)));
        let seen = seen.into_iter().chain(on_gpu);
        let wanted = self.planned.scenario.metrics();
        let seen = seen.filter(|(metric, _)| wanted.contains(metric) && !self.unseen);
        entries.extend(seen.map(|(metric, value)| Entry::Seen(metric, value)));
        entries
    }

    /// Says what the machine did since the anchor, and starts a new span.
    fn judge(&mut self, now: &Conditions) -> Vec<Entry> {
        let trials = std::mem::take(&mut self.trials);
        let advisory = |mark| match mark {
            Mark::Advisory(text) => Some(Entry::Advisory(trials, text)),
            Mark::Void(_) => None,
        };
        let marks = between(&self.anchor, now).into_iter();
        let mut entries: Vec<Entry> = marks.filter_map(advisory).collect();
        let wanted = self.planned.scenario.metrics();
        let told = told(&self.anchor, now).into_iter();
        let told = told.filter(|(metric, _)| wanted.contains(metric));
        entries.extend(told.map(|(metric, value)| Entry::Seen(metric, Some(value))));
        if wanted.contains(&Metric::Trial) {
            entries.push(Entry::Around(self.around(now)));
        }
        self.before = Some(self.anchor);
        self.anchor = *now;
        entries
    }

    /// What the machine did around the trials since the anchor. The last ones of a process may be too short to
    /// tell others' work by: then those of the span before them are taken in.
    fn around(&self, now: &Conditions) -> Around {
        let anchor = &self.anchor;
        let longer = || background(self.before.as_ref()?, now);
        let others = background(anchor, now).or_else(longer);
        [
            others.map(|share| (share * 1000.0).round() / 1000.0),
            bytes_moved(anchor.swapped_in, now.swapped_in),
            bytes_moved(anchor.swapped_out, now.swapped_out),
            heat(anchor, now),
        ]
    }

    /// What keeps the GPU from its speed at this moment; a setting of its owner's does not.
    fn held_back(&self) -> Option<String> {
        let reasons = self.gpu.as_ref()?.held_back_by()?.into_iter();
        let slow = reasons.filter(|reason| reason.contains("slowdown") || reason.contains("cap"));
        let slow: Vec<&str> = slow.collect();
        (!slow.is_empty()).then(|| format!("the GPU's clocks were held back: {}", slow.join(", ")))
    }

    fn look_at_gpu(&mut self) {
        let held = self.gpu.as_ref().and_then(|gpu| gpu.memory_of(self.pid));
        self.gpu_peak = self.gpu_peak.max(held);
    }
}

/// The circumstances of a span as figures, where the system tells them.
fn told(start: &Conditions, end: &Conditions) -> Vec<(Metric, f64)> {
    let figures = [
        (Metric::BackgroundCpu, background(start, end)),
        (
            Metric::SwappedOut,
            bytes_moved(start.swapped_out, end.swapped_out),
        ),
        (Metric::ThermalLevel, end.state.thermal.map(level)),
        (Metric::PerformanceCores, fast_share(start, end)),
    ];
    let known = figures.into_iter();
    known
        .filter_map(|(metric, value)| Some((metric, value?)))
        .collect()
}

/// Bytes of the pages that were counted in a span.
fn bytes_moved(start: Option<u64>, end: Option<u64>) -> Option<f64> {
    let (start, end) = start.zip(end)?;
    Some(end.saturating_sub(start) as f64 * PAGE)
}

/// The hotter end of a span. Where processors slowed down for heat within it, it was heavy at least.
fn heat(start: &Conditions, end: &Conditions) -> Option<f64> {
    let slowed = start.state.throttled.zip(end.state.throttled);
    let slowed = slowed.map(|(start, end)| {
        if end > start {
            Thermal::Heavy
        } else {
            Thermal::Nominal
        }
    });
    let hottest = start.state.thermal.max(end.state.thermal).max(slowed);
    hottest.map(level)
}

/// As a number, 0 to 3.
const fn level(thermal: Thermal) -> f64 {
    match thermal {
        Thermal::Nominal => 0.0,
        Thermal::Moderate => 1.0,
        Thermal::Heavy => 2.0,
        Thermal::Critical => 3.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{CoreTime, State};
    use crate::parent::tests::planned;

    #[test]
    fn a_watched_process_has_its_peaks_and_its_trials_are_ended() {
        let planned = planned("cold-load");
        let mut observer = Observer::start(&planned, std::process::id(), None);
        let held = std::hint::black_box(vec![1u8; 64 << 20]);
        observer.loaded();
        drop(held);
        let entries = observer.trial();
        assert!(matches!(entries[0], Entry::Trial(_)), "{entries:?}");
        let entries = observer.end(Some(1));
        let peak = |wanted| {
            entries.iter().find_map(|entry| match entry {
                Entry::Seen(metric, value) if *metric == wanted => *value,
                _ => None,
            })
        };
        assert!(
            peak(Metric::PeakMemory) >= Some(f64::from(60 << 20)),
            "{entries:?}"
        );
    }

    #[test]
    fn what_is_not_told_is_no_figure() {
        let nothing = Conditions::default();
        assert_eq!(told(&nothing, &nothing), []);
        let swapped = |pages| Conditions {
            swapped_out: Some(pages),
            ..Conditions::default()
        };
        let expected = [(Metric::SwappedOut, 2.0 * PAGE)];
        assert_eq!(told(&swapped(3), &swapped(5)), expected);
    }

    #[test]
    fn heat_is_that_of_the_hotter_end_and_of_processors_that_slowed_down() {
        let check = |start: State, end: State, expected: Option<f64>| {
            let [start, end] = [start, end].map(|state| Conditions {
                state,
                ..Conditions::default()
            });
            assert_eq!(heat(&start, &end), expected, "{start:?} {end:?}");
        };
        let state = |thermal, throttled| State {
            thermal,
            throttled,
            ..State::default()
        };
        let (cool, warm) = (Some(Thermal::Nominal), Some(Thermal::Moderate));
        check(state(None, None), state(None, None), None);
        check(state(warm, None), state(cool, None), Some(1.0));
        check(state(cool, Some(3)), state(cool, Some(3)), Some(0.0));
        check(state(warm, Some(3)), state(warm, Some(4)), Some(2.0));
        check(state(None, Some(3)), state(None, Some(4)), Some(2.0));
    }

    #[test]
    fn trials_that_are_too_short_are_told_with_the_span_before() {
        let planned = planned("warm-inference");
        let mut observer = Observer::start(&planned, std::process::id(), None);
        let at = |all: u64, busy: u64| Conditions {
            cores: Some(CoreTime {
                all: Duration::from_millis(all),
                busy: Duration::from_millis(busy),
            }),
            ours: Some(Duration::ZERO),
            swapped_out: Some(all / 1000),
            ..Conditions::default()
        };
        let around = |observer: &mut Observer<'_>, now: &Conditions| {
            let entries = observer.judge(now).into_iter();
            let mut told = entries.filter_map(|entry| match entry {
                Entry::Around(around) => Some(around),
                _ => None,
            });
            told.next().unwrap()
        };
        observer.anchor = at(0, 0);
        let first = around(&mut observer, &at(1000, 123));
        assert_eq!(first, [Some(0.123), None, Some(PAGE), None]);
        let last = around(&mut observer, &at(1500, 323));
        assert_eq!(
            last,
            [Some(0.215), None, Some(0.0), None],
            "323 ms of 1.5 s"
        );
        observer.warmed_up();
        observer.anchor = at(0, 0);
        assert_eq!(around(&mut observer, &at(500, 100))[0], None);
    }
}
