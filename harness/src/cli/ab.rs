//! `harness ab` and `harness duet`.

use std::path::PathBuf;

use chrono::Utc;
use clap::Args;
use store::print::FormatArgs;

use super::{duration, network, readiness, weights};
use crate::ab::commands::{Clock, DuetOptions};
use crate::ab::{AbOptions, Ending};
use crate::models::Backend;
use crate::scenarios;
use crate::session::{Format, RunOptions, Storage};

/// Exit code where nothing could be compared.
pub(super) const BROKEN: u8 = 3;

pub(super) const EXAMPLES: &str = "\
Both builds run in turn on this machine, in fresh workers, ten to thirty pairs of each cell. What looks worse
is measured again before it is called so. After every fifth pair the base is measured against itself, which a
note below the rows shows. Run the newer build's ab: it must understand both.

Exit code: 0 pass or improved; 1 regressed; 2 inconclusive; 3 missing or broken.

Examples:
  harness ab --base ./harness-main --head target/release/harness
  harness ab --base OLD --head NEW --model ~/models/SmolVLM-500M-Instruct --scenario cold-load
  harness ab --base OLD --head NEW --format github        annotations and step summary
  harness ab --base OLD --head NEW --format markdown > comment.md
  harness ab --base OLD --head NEW --json > ab.json; report check --judgement ab.json --judgement other.json
  harness ab --base OLD --head NEW --pairs pairs.csv; report check --pairs pairs.csv";

#[derive(Debug, Args)]
pub(super) struct AbArgs {
    /// Program to compare with, another build of this one
    #[arg(long, value_name = "BIN")]
    base: PathBuf,
    /// Program that is judged
    #[arg(long, value_name = "BIN")]
    head: PathBuf,
    /// File of a suite: models and probe set [default: the embedded one]
    #[arg(long, value_name = "FILE")]
    suite: Option<PathBuf>,
    /// Model to measure instead of the suite's; repeatable
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Tensor library; repeatable [default: the best one of this machine]
    #[arg(long = "backend", value_name = "NAME")]
    backends: Vec<String>,
    /// Where it computes: cpu, metal or cuda [default: the best there is]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Type of activations: native or f32
    #[arg(long, value_name = "NAME", default_value = "native")]
    precision: String,
    /// Scenario to run; repeatable
    #[arg(
        long = "scenario",
        value_name = "NAME",
        default_value = "warm-inference"
    )]
    scenarios: Vec<String>,
    /// How much one worker does: quick, standard or full
    #[arg(long, value_name = "NAME", default_value = "quick")]
    profile: String,
    /// What every random choice grows from
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Weights of a published model: its own, or dummy
    #[arg(long, value_name = "NAME", default_value = "published")]
    weights: String,
    /// Measures only on a machine that is fit for it; without it, a note says what was wrong
    #[arg(long)]
    strict: bool,
    /// Never touches the network
    #[arg(long)]
    offline: bool,
    /// Longest time for one worker
    #[arg(long, value_name = "TIME", default_value = "10m")]
    timeout: String,
    #[command(flatten)]
    ending: EndingArgs,
}

/// What becomes of the pairs.
#[derive(Debug, Args)]
struct EndingArgs {
    /// Writes every pair as CSV, as report check --pairs reads it
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// File of accepted regressions; report check --help shows one
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

impl EndingArgs {
    fn options(self) -> Ending {
        Ending {
            pairs: self.pairs,
            waivers: self.waivers.map(|file| (file, Utc::now().date_naive())),
            format: self.format.format(),
        }
    }
}

pub(super) const DUET_EXAMPLES: &str = "\
Both commands run in turn in a shell, ten to thirty pairs; what looks worse is measured again before it is
called so. A command that fails ends it.

Exit code: 0 pass or improved; 1 regressed; 2 inconclusive; 3 missing or broken.

Examples:
  harness duet --base './old/bench' --head './new/bench'
  harness duet --base 'old --times' --head 'new --times' --reported    they print their own seconds
  harness duet --base OLD --head NEW --format markdown > comment.md
  harness duet --base OLD --head NEW --json > duet.json; report check --judgement duet.json --judgement ab.json";

#[derive(Debug, Args)]
pub(super) struct DuetArgs {
    /// Command to compare with, for a shell
    #[arg(long, value_name = "COMMAND")]
    base: String,
    /// Command that is judged
    #[arg(long, value_name = "COMMAND")]
    head: String,
    /// What the comparison is called
    #[arg(long, value_name = "TEXT", default_value = "command")]
    name: String,
    /// Takes the seconds that a command prints in its last line, in place of how long it runs
    #[arg(long)]
    reported: bool,
    #[command(flatten)]
    ending: EndingArgs,
}

impl DuetArgs {
    pub(super) fn options(self) -> DuetOptions {
        DuetOptions {
            commands: [self.base, self.head],
            name: self.name,
            clock: match self.reported {
                true => Clock::Reported,
                false => Clock::Wall,
            },
            ending: self.ending.options(),
        }
    }
}

impl AbArgs {
    pub(super) fn options(self) -> Result<AbOptions, String> {
        let scenarios = self.scenarios.iter().map(|name| scenarios::find(name));
        let backends = self.backends.iter().map(|name| name.parse::<Backend>());
        Ok(AbOptions {
            base: self.base,
            head: self.head,
            ending: self.ending.options(),
            run: RunOptions {
                server: None,
                suite: self.suite,
                models: self.models,
                backends: backends.collect::<Result<_, _>>()?,
                device: self.device.map(|name| name.parse()).transpose()?,
                precision: self.precision.parse()?,
                scenarios: scenarios.collect::<Result<_, _>>()?,
                profile: self.profile.parse()?,
                seed: self.seed,
                weights: weights(&self.weights)?,
                network: network(self.offline),
                readiness: readiness(self.strict),
                timeout: duration::parse(&self.timeout)
                    .map_err(|error| format!("--timeout: {error}"))?,
                storage: Storage::None,
                format: Format::Text,
            },
        })
    }
}
