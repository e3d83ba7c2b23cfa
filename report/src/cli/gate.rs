//! `check` and `compare`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use chrono::Utc;
use clap::Args;
use report::gate::{self, Rows, What};
use store::gate::Judgement;
use store::print::FormatArgs;

use super::Look;

/// Exit code where there is nothing to judge, or it cannot be read.
pub(super) const BROKEN: u8 = 3;

pub(super) const CHECK_EXAMPLES: &str = "\
A candidate is compared with the sessions of the merge base, else with the last five of the target
branch, on the same machine, in the same suite and profile, with the same threads, power source and kind of
build, and without uncommitted changes; of these with the nights since the branch last got better, or a change was
accepted. Each row says what it would have detected,
and what an open one needs. All rows are judged together, so that many raise no more alarms than one.

Exit codes: 0 pass or improved; 1 regressed; 2 inconclusive; 3 missing or broken (no baseline, a cell
that vanished or failed, another machine, an input that cannot be read).

Examples:
  report check --candidate pr.db                          against main, in results.db
  report check --candidate pr.db --baseline main --merge-base \"$(git merge-base main HEAD)\"
  report check --candidate pr.db --format github          annotations and step summary
  report check --candidate pr.db --format markdown > comment.md
  report check --pairs pairs.csv                          columns base,head; see harness ab
  report check --candidate pr.db --waivers waivers.toml
  report check --candidate pr.db --baseline base.db --counters --json > counters.json
  report check --judgement counters.json --judgement ab.json --format markdown

waivers.toml accepts known regressions up to a ceiling and a day, `*` stands for anything; what is missing is
accepted only with missing = true, and that there is no baseline at all never:
  [[waiver]]
  metric = \"decode\"
  cell = \"tiny-smolvlm-500m-instruct/warm-inference/candle/*\"
  reason = \"exact softmax\"
  expires = 2026-12-31
  allowed_change = 0.08
  issue = \"#12\"";

pub(super) const COMPARE_EXAMPLES: &str = "\
Each is a file (its newest session), or the first digits of the id of a session or run. Of two machines,
the output says that they are not comparable.

Examples:
  report compare 0198a1b2 0198c3d4
  report compare before.db after.db --format markdown

Exit codes: 0 compared, whatever came out; 2 cannot.";

#[derive(Debug, Args)]
pub(super) struct Check {
    /// What to judge: a database or a file of exported sessions (its newest commit), or the first digits of
    /// the id of a session or run in --db
    #[arg(
        long,
        value_name = "RUN|FILE",
        required_unless_present_any = ["pairs", "judgements"],
        conflicts_with_all = ["pairs", "judgements"]
    )]
    candidate: Option<String>,
    /// What to judge it by: a branch, the id of a session or run in --db, or another file
    #[arg(
        long,
        value_name = "BRANCH|RUN|FILE",
        default_value = "main",
        conflicts_with = "pairs"
    )]
    baseline: String,
    /// Commit that both have in common, if known: its sessions come before the branch's last ones
    #[arg(long, value_name = "COMMIT", conflicts_with = "pairs")]
    merge_base: Option<String>,
    /// Judge pairs measured in turn: CSV with the columns base,head, and cell, metric, session if there
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Print what check or harness ab said as JSON, again and together; repeatable. Verdicts follow from the
    /// rows; a file that cannot be read is a missing row
    #[arg(long = "judgement", value_name = "FILE", conflicts_with = "pairs")]
    judgements: Vec<PathBuf>,
    /// Judge only counters and answers, which hold on a machine too noisy for clocks
    #[arg(long)]
    counters: bool,
    /// Known regressions that are accepted
    #[arg(long, value_name = "FILE")]
    waivers: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Before
    #[arg(value_name = "RUN")]
    base: String,
    /// After
    #[arg(value_name = "RUN")]
    head: String,
    #[command(flatten)]
    shape: Shape,
}

#[derive(Debug, Args)]
struct Shape {
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    look: Look,
}

impl Check {
    pub(super) fn run(&self, db: &Path) -> Result<ExitCode> {
        let what = match (&self.pairs, &self.candidate) {
            _ if !self.judgements.is_empty() => What::Judgements(self.judgements.clone()),
            (Some(file), _) => What::Pairs(file.clone()),
            (None, candidate) => What::Runs {
                candidate: candidate.clone().unwrap_or_default(),
                baseline: self.baseline.clone(),
                merge_base: self.merge_base.clone(),
            },
        };
        let asked = gate::Check {
            db: db.to_owned(),
            what,
            rows: match self.counters {
                true => Rows::Counters,
                false => Rows::All,
            },
            waivers: self.waivers.clone(),
            today: Utc::now().date_naive(),
        };
        let judged = gate::check(&asked).map_err(anyhow::Error::from);
        let judgement = self.shape.format.format().or_broken(judged)?;
        self.shape.print(&judgement)?;
        Ok(judgement.verdict().exit_code().into())
    }
}

impl Compare {
    pub(super) fn run(&self, db: &Path) -> Result<ExitCode> {
        let judgement = gate::compare(db, &self.base, &self.head)?;
        self.shape.print(&judgement)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Shape {
    fn print(&self, judgement: &Judgement) -> Result<()> {
        let (format, templates) = (self.format.format(), self.look.read()?);
        Ok(gate::print(
            judgement,
            format,
            &templates,
            &mut io::stdout(),
        )?)
    }
}
