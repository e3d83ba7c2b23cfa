//! Every metric of the product: its stable name, unit, direction and smallest change of interest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a metric's values are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Bytes.
    Byte,
    /// Tokens a second.
    TokenPerSecond,
    /// A share; `1.0` is all.
    Ratio,
    /// Bytes a second.
    BytePerSecond,
    /// A plain count.
    Count,
    /// Distance between two logits, in the model's own scale.
    Logit,
    /// Joules.
    Joule,
    /// Joules a second.
    Watt,
}

impl Unit {
    /// The unit as the database and CSV files name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Byte => "byte",
            Self::TokenPerSecond => "tok/s",
            Self::BytePerSecond => "byte/s",
            Self::Ratio => "ratio",
            Self::Count => "count",
            Self::Logit => "logit",
            Self::Joule => "J",
            Self::Watt => "W",
        }
    }

    /// Prints one value. The only place that picks s or ms, MiB or GiB.
    #[must_use]
    pub fn format(self, value: f64) -> String {
        if !value.is_finite() {
            return "n/a".to_owned();
        }
        let (by, name) = self.scale(value);
        let number = match self {
            Self::Second if value.abs() < 1e-3 => format!("{:.1}", value / by),
            Self::Byte if value.abs() >= GIB => format!("{:.2}", value / by),
            Self::Ratio | Self::Count => format!("{:.0}", value / by),
            Self::Logit if value == 0.0 => "0".to_owned(),
            Self::Logit => format!("{value:.1e}"),
            _ => significant(value / by),
        };
        if name.is_empty() {
            number
        } else {
            format!("{number} {name}")
        }
    }

    /// What a value of this size is divided by to print, and the name that stands behind it: an axis
    /// takes those of its largest value for all.
    #[must_use]
    pub fn scale(self, value: f64) -> (f64, &'static str) {
        match self {
            Self::Second if value.abs() < 1e-3 => (1e-6, "µs"),
            Self::Second if value.abs() < 1.0 => (1e-3, "ms"),
            Self::Second => (1.0, "s"),
            Self::Byte if value.abs() < GIB => (MIB, "MiB"),
            Self::Byte => (GIB, "GiB"),
            Self::TokenPerSecond => (1.0, "tok/s"),
            Self::Joule if value.abs() < 1.0 => (1e-3, "mJ"),
            Self::Joule => (1.0, "J"),
            Self::Watt => (1.0, "W"),
            Self::BytePerSecond => (1e9, "GB/s"),
            Self::Ratio => (0.01, "%"),
            Self::Count | Self::Logit => (1.0, ""),
        }
    }
}

const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1024.0 * MIB;

/// Three significant digits below 1000, whole numbers above: `4.07`, `40.7`, `407`, `4071`.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// Which way a metric should move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Less is better.
    LowerIsBetter,
    /// More is better.
    HigherIsBetter,
    /// A counter: any change is a change of behaviour.
    Exact,
    /// Neither: a circumstance, shown beside what it explains.
    Neutral,
}

/// What a metric is, in one row of [`Metric::spec`]'s table.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The database key. Never renamed.
    pub name: &'static str,
    /// What the values are counted in.
    pub unit: Unit,
    /// Which way is better.
    pub direction: Direction,
    /// The smallest relative change worth a verdict.
    pub min_change: f64,
    /// What it is, in one line.
    pub about: &'static str,
}

macro_rules! metrics {
    ($($variant:ident $name:literal $unit:ident $direction:ident $min:literal $about:literal;)*) => {
        /// A measured quantity. Definitions: the clocks and formulas in ARCHITECTURE.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum Metric { $(#[doc = $about] $variant,)* }

        impl Metric {
            /// Every metric, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// This metric's row.
            #[must_use]
            pub const fn spec(self) -> Spec {
                match self {
                    $(Self::$variant => Spec {
                        name: $name, unit: Unit::$unit, direction: Direction::$direction,
                        min_change: $min, about: $about,
                    },)*
                }
            }

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

metrics! {
    Startup "startup" Second LowerIsBetter 0.10 "from spawning the worker to a ready device";
    LoadCold "load_cold" Second LowerIsBetter 0.05 "weights and tokenizer ready, files proved absent from the page cache";
    LoadWarm "load_warm" Second LowerIsBetter 0.05 "weights and tokenizer ready, files proved resident in the page cache";
    LoadUnknown "load_unknown" Second LowerIsBetter 0.05 "weights and tokenizer ready, state of the page cache not proved";
    LoadRate "load_rate" BytePerSecond HigherIsBetter 0.05 "bytes of the weight files over the time of a cold load";
    LoadRead "load_read" Byte LowerIsBetter 0.05 "bytes that storage delivered during a load that was to be cold";
    FirstInference "first_inference" Second LowerIsBetter 0.05 "the first request after loading, from request to text";
    Inference "inference" Second LowerIsBetter 0.03 "a warm request, from request to text";
    WarmUp "warm_up" Second LowerIsBetter 0.05 "requests before the first that counts, in order: the first-calls curve";
    RepeatedInference "repeated_inference" Second LowerIsBetter 0.03 "a warm request whose picture was asked about before";
    ImageCacheGain "image_cache_gain" Ratio Neutral 0.0 "share of a request's time saved where the picture was seen before";
    ImagePrep "image_prep" Second LowerIsBetter 0.05 "picture decoded, resized, tiled and normalised on the host";
    VisionEncode "vision_encode" Second LowerIsBetter 0.03 "vision tower and projector, all tiles (phased pass)";
    VisionPerTile "vision_per_tile" Second LowerIsBetter 0.03 "vision encode over the number of tiles (phased pass)";
    Prefill "prefill" TokenPerSecond HigherIsBetter 0.03 "prompt positions fed to the language model a second (phased pass)";
    Ttft "ttft" Second LowerIsBetter 0.03 "time to first token, image work included";
    ModelTtft "model_ttft" Second LowerIsBetter 0.03 "time to first token once the picture is prepared";
    InterToken "inter_token" Second LowerIsBetter 0.03 "time between two generated tokens";
    Decode "decode" TokenPerSecond HigherIsBetter 0.03 "generated tokens a second after the first";
    WeightBandwidth "weight_bandwidth" BytePerSecond HigherIsBetter 0.03 "bytes of language-model weights read a second while decoding";
    MemoryBandwidth "memory_bandwidth" BytePerSecond Neutral 0.0 "bytes a second that memory delivers where the model computes: measured on a processor, what clock and width allow on NVIDIA's GPUs";
    BandwidthShare "bandwidth_share" Ratio Neutral 0.0 "weight bandwidth as a share of the memory's, for weights that no cache keeps";
    Unattributed "unattributed" Ratio LowerIsBetter 0.05 "share of a phased request that no phase accounts for";
    BarrierOverhead "barrier_overhead" Ratio LowerIsBetter 0.05 "phased over fused median total, minus one";
    EnergyPerImage "energy_per_image" Joule LowerIsBetter 0.05 "energy above rest of a picture and its prompt, up to the first token";
    EnergyPerToken "energy_per_token" Joule LowerIsBetter 0.05 "energy above rest of each further token";
    IdlePower "idle_power" Watt Neutral 0.0 "power of what computes while the loaded model rests";
    Overhead "overhead" Ratio LowerIsBetter 0.0 "share of an epoch's wall time spent outside the model";
    BaseMemory "base_memory" Byte LowerIsBetter 0.05 "the worker's memory before loading";
    LoadMemory "load_memory" Byte LowerIsBetter 0.05 "memory that loading added";
    LoadPeak "load_peak" Byte LowerIsBetter 0.05 "the worker's peak memory until the model was ready";
    InferPeak "infer_peak" Byte LowerIsBetter 0.05 "peak memory of the worker, or of the local server, while it answered";
    DevicePeak "device_peak" Byte LowerIsBetter 0.05 "peak bytes of the library's own allocator";
    DeviceMemory "device_memory" Byte LowerIsBetter 0.05 "GPU memory that the driver charges to the worker";
    MappedResident "mapped_resident" Byte LowerIsBetter 0.05 "resident pages of mapped files, the program's own included";
    AfterUnload "after_unload" Byte LowerIsBetter 0.05 "the worker's memory after the model was dropped and caches emptied, each cycle";
    MemoryLimit "memory_limit" Byte Neutral 0.0 "memory that the device has for one process: installed, or the working set its maker recommends";
    PeakMemory "peak_memory" Byte LowerIsBetter 0.05 "the worker's peak memory over its life";
    CallMemory "call_memory" Byte LowerIsBetter 0.05 "memory of the worker, or of the local server, after each call";
    CallActive "call_active" Byte LowerIsBetter 0.05 "bytes the library's allocator has in use after each call";
    CallCache "call_cache" Byte LowerIsBetter 0.05 "bytes the library's allocator keeps for reuse after each call";
    BesideInference "beside_inference" Second LowerIsBetter 0.03 "a warm request while a second model is loaded";
    AfterInference "after_inference" Second LowerIsBetter 0.03 "a warm request after a second model was loaded and dropped";
    NeighbourResidue "neighbour_residue" Byte LowerIsBetter 0.05 "memory that a second model left behind when it was dropped; 0 where less is used than before";
    SustainedDecode "sustained_decode" Ratio HigherIsBetter 0.03 "decode rate in the last fifth of continuous asking over that in its first tenth";
    ThrottledAfter "throttled_after" Second HigherIsBetter 0.10 "continuous asking until the machine first said that it was hot";
    RestedInference "rested_inference" Second LowerIsBetter 0.03 "a request in the same process after a rest";
    FreshInference "fresh_inference" Second LowerIsBetter 0.03 "a request in a fresh process right after a long-lived one";
    SecondInference "second_inference" Second LowerIsBetter 0.03 "a request in a second long-lived process, asked what one was asked that became slower";
    BackgroundCpu "background_cpu" Ratio Neutral 0.0 "share of all cores that other processes used during a trial";
    SwappedOut "swapped_out" Byte Neutral 0.0 "bytes that the machine swapped out during a trial";
    ThermalLevel "thermal_level" Count Neutral 0.0 "thermal pressure at the end of a trial; 0 is nominal";
    PerformanceCores "performance_cores" Ratio Neutral 0.0 "share of the worker's processor time on fast cores during a trial";
    Trial "trial" Count Neutral 0.0 "number of each trial that counts, in its process: the metrics named trial_... have one value for each of these";
    TrialBackgroundCpu "trial_background_cpu" Ratio Neutral 0.0 "share of all cores that other processes used around each trial that counts; -1 where it is not known";
    TrialSwappedIn "trial_swapped_in" Byte Neutral 0.0 "bytes that the machine read back from swap around each trial that counts; -1 where it is not known";
    TrialSwappedOut "trial_swapped_out" Byte Neutral 0.0 "bytes that the machine swapped out around each trial that counts; -1 where it is not known";
    TrialThermalLevel "trial_thermal_level" Count Neutral 0.0 "highest thermal pressure around each trial that counts, 0 to 3, 0 being nominal; -1 where it is not known";
    PromptTokens "prompt_tokens" Count Exact 0.0 "prompt positions fed to the language model";
    ImageTokens "image_tokens" Count Exact 0.0 "prompt positions that hold image features";
    OutputTokens "output_tokens" Count Exact 0.0 "generated token ids, the stop id included";
    OutputHash "output_hash" Count Exact 0.0 "52 bits of a hash over the generated token ids";
    LogitHash "logit_hash" Count Exact 0.0 "52 bits of a hash over the first-step logits, bit by bit";
    TextHash "text_hash" Count Exact 0.0 "52 bits of a hash over the text of an answer whose ids a server does not show";
    ServerPrefill "server_prefill" TokenPerSecond HigherIsBetter 0.03 "prompt positions a second by a server's own clock, image work included";
    ServerDecode "server_decode" TokenPerSecond HigherIsBetter 0.03 "generated tokens a second by a server's own clock";
    SameText "same_text" Ratio HigherIsBetter 0.0 "1 where a server's answer has the text of its first one to the same request, else 0";
    ExactMatch "exact_match" Ratio HigherIsBetter 0.0 "1 where a call's ids equal the fresh process's, else 0";
    DivergedAt "diverged_at" Count Exact 0.0 "first position where ids differ from the fresh process's; -1 where none does";
    DivergedCall "diverged_call" Count Exact 0.0 "number, in its process, of each call whose ids differ from the fresh process's";
    LogitDelta "logit_delta" Logit LowerIsBetter 0.0 "largest first-step logit difference to the fresh process's";
    FreshLogitDelta "fresh_logit_delta" Logit LowerIsBetter 0.0 "the same among fresh processes: the noise of the library itself";
    FreshExactMatch "fresh_exact_match" Ratio HigherIsBetter 0.0 "1 where a fresh process's ids equal the first fresh process's, else 0";
    MarginAtDivergence "margin_at_divergence" Logit HigherIsBetter 0.0 "the fresh process's top-two margin where a call diverged";
    VisionRight "vision_right" Ratio HigherIsBetter 0.0 "1 for a right answer about the right picture, else 0";
    VisionBlank "vision_blank" Ratio LowerIsBetter 0.0 "the same questions with a blank picture";
    VisionShuffled "vision_shuffled" Ratio LowerIsBetter 0.0 "the same questions with another item's picture";
    VisionDistinct "vision_distinct" Ratio HigherIsBetter 0.0 "share of distinct answers among those that should differ";
    TextRight "text_right" Ratio HigherIsBetter 0.0 "1 for a right answer without a picture, else 0";
    TextDegenerate "text_degenerate" Ratio LowerIsBetter 0.0 "1 for an empty or endlessly repeating answer, else 0";
    ContextDirect "context_direct" Ratio HigherIsBetter 0.0 "facts asked first, with the picture";
    ContextRetained "context_retained" Ratio HigherIsBetter 0.0 "the same facts after other turns, picture and history kept";
    ContextAtTwo "context_at_two" Ratio HigherIsBetter 0.0 "the same facts at turn 2";
    ContextAtEight "context_at_eight" Ratio HigherIsBetter 0.0 "the same facts at turn 8";
    ContextTextOnly "context_text_only" Ratio HigherIsBetter 0.0 "the same facts from history text, picture removed";
    ContextChance "context_chance" Ratio LowerIsBetter 0.0 "the same facts with neither picture nor history";
    BenchTime "bench_time" Second LowerIsBetter 0.05 "an iteration of a micro-bench that another tool measured, or a run of its command";
}

impl Metric {
    /// The database key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// Whether it numbers trials or tells what the machine did around each of them: no figure of a model, but
    /// what explains [outliers](crate::outliers).
    #[must_use]
    pub const fn is_around_trials(self) -> bool {
        matches!(
            self,
            Self::Trial
                | Self::TrialBackgroundCpu
                | Self::TrialSwappedIn
                | Self::TrialSwappedOut
                | Self::TrialThermalLevel
        )
    }

    /// Prints one value in this metric's unit.
    #[must_use]
    pub fn format(self, value: f64) -> String {
        self.spec().unit.format(value)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::named(name).ok_or_else(|| format!("unknown metric {name:?}"))
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<Metric> for &'static str {
    fn from(metric: Metric) -> Self {
        metric.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_parse_back() {
        for &metric in Metric::ALL {
            assert_eq!(metric.name().parse::<Metric>(), Ok(metric));
        }
        let names: std::collections::BTreeSet<_> = Metric::ALL.iter().map(|m| m.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
    }

    #[test]
    fn units_print_three_digits() {
        let check = |unit: Unit, value, expected: &str| assert_eq!(unit.format(value), expected);
        check(Unit::Second, 4.071, "4.07 s");
        check(Unit::Second, 0.0407, "40.7 ms");
        check(Unit::Second, 0.000_012, "12.0 µs");
        check(Unit::Byte, 2.5 * 1_073_741_824.0, "2.50 GiB");
        check(Unit::Byte, 3_145_728.0, "3.00 MiB");
        check(Unit::TokenPerSecond, 407.4, "407 tok/s");
        check(Unit::BytePerSecond, 26.4e9, "26.4 GB/s");
        check(Unit::Ratio, 0.875, "88 %");
        check(Unit::Logit, 0.0, "0");
        check(Unit::Second, f64::NAN, "n/a");
    }
}
