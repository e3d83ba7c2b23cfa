//! The command line. clap's types end here: every command gets a plain options struct.

mod ab;
pub mod duration;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Error;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use store::manual::Manual;

use crate::doctor::{self, DoctorOptions, NoiseFloor};
use crate::generate_command::{self, Conversation, GenerateOptions};
use crate::models::Backend;
use crate::scenarios;
use crate::session::{self, Format, Readiness, RunOptions, Storage};
use crate::source::{Network, WeightsChoice};
use crate::subject::Stop;
use crate::{fetch, list, served, worker};

/// Exit code where a command could not do its work at all.
const CANNOT: u8 = 2;

/// Measures local vision-language models: scripted scenarios, one worker process an epoch.
#[derive(Debug, Parser)]
#[command(name = "harness", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures models, stores every cell as soon as it is measured, and prints the table.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Compares two builds of this program on this machine, in turn, and says whether one is slower.
    #[command(after_help = ab::EXAMPLES)]
    Ab(ab::AbArgs),
    /// Compares two commands on this machine, in turn, and says whether one is slower.
    #[command(after_help = ab::DUET_EXAMPLES)]
    Duet(ab::DuetArgs),
    /// Lists models, backends with their devices, and scenarios: what is here, and why not.
    #[command(after_help = "Examples:\n  harness list\n  harness list --json")]
    List(ListArgs),
    /// Says whether this machine is fit to measure now, and what to do where it is not.
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Fetches models from the hub into its local cache, checked and ready for --offline.
    #[command(after_help = FETCH_EXAMPLES)]
    Fetch(FetchArgs),
    /// Gives one greedy answer, for debugging and parity.
    #[command(after_help = GENERATE_EXAMPLES)]
    Generate(GenerateArgs),
    #[command(flatten)]
    Manual(Manual),
    /// Runs one epoch for a parent process: a task as JSON on stdin, messages on stdout.
    #[command(hide = true)]
    Worker,
}

const RUN_EXAMPLES: &str = "\
Exit code: 0 all cells measured; 1 some failed or hold void figures; 2 cannot run.

Examples:
  harness run                                   the embedded checkpoints, every scenario
  harness run --model ~/models/SmolVLM-500M-Instruct --profile standard
  harness run --model SmolVLM-500M-Instruct --weights dummy --scenario warm-inference
  harness run --backend openai --url http://127.0.0.1:8080    a server: llama.cpp, Ollama, vLLM, …
  harness run --resume                          goes on where the last run was cut off";

const DOCTOR_EXAMPLES: &str = "\
Exit code: 0 fit to measure; 1 not.

Examples:
  harness doctor
  harness doctor --noise                                 how small a change shows on it?
  harness doctor --model SmolVLM-500M-Instruct --json    is there memory for it?
  harness doctor --url http://127.0.0.1:8080             does the server answer?";

const FETCH_EXAMPLES: &str = "\
Models go to $HF_HUB_CACHE, else to hub in $HF_HOME, else to ~/.cache/huggingface/hub. HF_TOKEN is
sent for private and gated repositories, HF_ENDPOINT names another hub. A download that was cut off
goes on where it stopped. What is here already is hashed anew and, where damaged, fetched again.

Exit code: 0 all are there; 1 some could not be fetched; 2 cannot run.

Examples:
  harness fetch SmolVLM-500M-Instruct                    a known model at its pinned revision
  harness fetch OWNER/NAME@COMMIT                        any repository at a commit of 40 hex digits
  harness fetch OWNER/NAME --json                        at its main branch; says which commit
  harness fetch --offline SmolVLM-500M-Instruct          are its files still what was fetched?";

const GENERATE_EXAMPLES: &str = "\
Examples:
  harness generate --model tiny-smolvlm-500m-instruct --prompt 'What is 2 plus 3?'
  harness generate --model DIR --image cat.png --prompt 'Describe the image.' --json
  harness generate --model DIR --image cat.png --messages turns.json --logits first.safetensors";

/// Off where `--offline` or the hub's own variable says so.
fn network(offline: bool) -> Network {
    let set = std::env::var("HF_HUB_OFFLINE").unwrap_or_default();
    let on = ["1", "on", "yes", "true"].contains(&set.to_lowercase().as_str());
    match offline || on {
        true => Network::Off,
        false => Network::Allowed,
    }
}

const fn readiness(strict: bool) -> Readiness {
    match strict {
        true => Readiness::Required,
        false => Readiness::Marked,
    }
}

/// Names are read here and not by clap, whose errors take several lines.
fn weights(name: &str) -> Result<WeightsChoice, String> {
    match name {
        "published" => Ok(WeightsChoice::Published),
        "dummy" => Ok(WeightsChoice::Dummy),
        _ => Err(format!("unknown weights {name:?}: known: published, dummy")),
    }
}

#[derive(Debug, Args)]
struct RunArgs {
    /// File of a suite: models and probe set [default: the embedded one]
    #[arg(long, value_name = "FILE")]
    suite: Option<PathBuf>,
    /// Model to measure instead of the suite's: a name that list prints, a folder, or OWNER/NAME@REVISION
    /// on the hub; repeatable
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// Tensor library, candle or mlx, repeatable; or openai: the server at --url [default: the best
    /// library of this machine]
    #[arg(long = "backend", value_name = "NAME")]
    backends: Vec<String>,
    /// OpenAI-compatible server to measure, with or without /v1; its key, if it wants one, is taken from
    /// OPENAI_API_KEY
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Process of the server, for its memory, where it cannot be found by its port
    #[arg(long, value_name = "PID", requires = "url")]
    server_pid: Option<u32>,
    /// Where it computes: cpu, metal or cuda [default: the best there is]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Type of activations: native (what the device does best) or f32
    #[arg(long, value_name = "NAME", default_value = "native")]
    precision: String,
    /// Scenario to run; repeatable [default: all but warm-text]
    #[arg(long = "scenario", value_name = "NAME")]
    scenarios: Vec<String>,
    /// How much time to take: quick, standard or full
    #[arg(long, value_name = "NAME", default_value = "quick")]
    profile: String,
    /// What the order of epochs and every random choice grow from
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Weights of a published model: its own, or dummy (random ones of the same shapes)
    #[arg(long, value_name = "NAME", default_value = "published")]
    weights: String,
    /// Goes on with the newest unfinished session of the same plan, if there is one
    #[arg(long, conflicts_with = "no_store")]
    resume: bool,
    /// Measures only on a machine that is fit for it; without it, every cell of an unfit one is marked
    #[arg(long)]
    strict: bool,
    /// Never touches the network: models come from folders and the hub's local cache
    #[arg(long)]
    offline: bool,
    /// Longest time for one cell
    #[arg(long, value_name = "TIME", default_value = "10m")]
    timeout: String,
    /// Stores nothing
    #[arg(long)]
    no_store: bool,
    /// Database [default: results.db of this folder or the nearest one above it]
    #[arg(long, value_name = "FILE", conflicts_with = "no_store")]
    db: Option<PathBuf>,
    /// Prints the session as JSON instead of the table
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    fn options(self) -> Result<RunOptions, String> {
        let scenarios = self.scenarios.iter().map(|name| scenarios::find(name));
        let backends = self.backends.iter().map(|name| name.parse::<Backend>());
        let backends = backends.collect::<Result<Vec<_>, _>>()?;
        let server = self.server(&backends)?;
        Ok(RunOptions {
            server,
            suite: self.suite,
            models: self.models,
            backends,
            device: self.device.map(|name| name.parse()).transpose()?,
            precision: self.precision.parse()?,
            scenarios: scenarios.collect::<Result<_, _>>()?,
            profile: self.profile.parse()?,
            seed: self.seed,
            readiness: readiness(self.strict),
            weights: weights(&self.weights)?,
            network: network(self.offline),
            timeout: duration::parse(&self.timeout)
                .map_err(|error| format!("--timeout: {error}"))?,
            storage: match (self.no_store, self.resume) {
                (true, _) => Storage::None,
                (false, true) => Storage::Resume(self.db),
                (false, false) => Storage::New(self.db),
            },
            format: format(self.json),
        })
    }
}

impl RunArgs {
    /// The server to measure; refused beside what is said of models of our own.
    fn server(&self, backends: &[Backend]) -> Result<Option<served::Wanted>, String> {
        let asked = backends.contains(&Backend::OpenAi);
        let (Some(url), true) = (&self.url, asked) else {
            return match (&self.url, asked) {
                (None, false) => Ok(None),
                (None, true) => {
                    Err("--backend openai: name its server by --url http://HOST:PORT".to_owned())
                }
                (Some(_), _) => Err("--url: is for --backend openai".to_owned()),
            };
        };
        let ours = [
            (
                backends.len() > 1,
                "--backend openai: measure other backends in a run of their own",
            ),
            (
                self.device.is_some(),
                "--device: a server computes where it was started to",
            ),
            (
                self.precision != "native",
                "--precision: a server's is its own",
            ),
            (
                self.weights != "published",
                "--weights: a server's are its own",
            ),
        ];
        if let Some((_, why)) = ours.into_iter().find(|(set, _)| *set) {
            return Err(why.to_owned());
        }
        let address: served::Address = url.parse()?;
        if network(self.offline) == Network::Off && !address.is_here() {
            return Err(format!(
                "--url {address}: is on another machine, and --offline touches no network"
            ));
        }
        let process = self.server_pid;
        Ok(Some(served::Wanted { address, process }))
    }
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Prints a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    /// Model to have memory for: a name that list prints, a folder, or OWNER/NAME@REVISION; repeatable
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// OpenAI-compatible server that is to be measured; --model names one of its models then
    #[arg(long, value_name = "URL")]
    url: Option<served::Address>,
    /// Measures the noise floor: one embedded model in forty processes, compared two by two; keeps it
    #[arg(long)]
    noise: bool,
    /// Database that keeps noise floors [default: results.db of the nearest folder upwards that has one]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Prints a JSON list
    #[arg(long)]
    json: bool,
}

impl DoctorArgs {
    fn options(self) -> DoctorOptions {
        let process = None;
        DoctorOptions {
            models: self.models,
            server: self.url.map(|address| served::Wanted { address, process }),
            noise: match self.noise {
                true => NoiseFloor::Measured,
                false => NoiseFloor::Known,
            },
            db: self.db,
            format: format(self.json),
        }
    }
}

#[derive(Debug, Args)]
struct FetchArgs {
    /// Models: names that list prints, or OWNER/NAME@REVISION on the hub
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<String>,
    /// Never touches the network: checks what is here
    #[arg(long)]
    offline: bool,
    /// Prints a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// Model: a name that list prints, a folder, or OWNER/NAME@REVISION on the hub
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Tensor library [default: the best one of this machine]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Where it computes: cpu, metal or cuda [default: the best there is]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Type of activations: native (what the device does best) or f32
    #[arg(long, value_name = "NAME", default_value = "native")]
    precision: String,
    /// Weights of a published model: its own, or dummy (random ones of the same shapes)
    #[arg(long, value_name = "NAME", default_value = "published")]
    weights: String,
    /// Never touches the network: the model comes from a folder or the hub's local cache
    #[arg(long)]
    offline: bool,
    /// Picture of the first user turn; repeatable
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// What to ask
    #[arg(long, value_name = "TEXT", required_unless_present = "messages")]
    prompt: Option<String>,
    /// Conversation: a JSON list of {"role", "text"}, ending with the user
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    messages: Option<PathBuf>,
    /// Most tokens of the answer
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_new_tokens: usize,
    /// Decodes on past the model's stop tokens, up to --max-new-tokens
    #[arg(long)]
    ignore_eos: bool,
    /// Prints one JSON object: prompt, ids, text, top logits, timings
    #[arg(long)]
    json: bool,
    /// Writes the first step's logits as safetensors
    #[arg(long, value_name = "FILE")]
    logits: Option<PathBuf>,
}

impl GenerateArgs {
    fn options(self) -> Result<GenerateOptions, String> {
        let conversation = match self.messages {
            Some(file) => Conversation::File(file),
            None => Conversation::Prompt(self.prompt.unwrap_or_default()),
        };
        Ok(GenerateOptions {
            model: self.model,
            weights: weights(&self.weights)?,
            network: network(self.offline),
            backend: self.backend.map(|name| name.parse()).transpose()?,
            device: self.device.map(|name| name.parse()).transpose()?,
            precision: self.precision.parse()?,
            images: self.images,
            conversation,
            max_new_tokens: self.max_new_tokens,
            stop: if self.ignore_eos {
                Stop::AtLimit
            } else {
                Stop::AtStopId
            },
            format: match self.json {
                true => generate_command::Format::Json,
                false => generate_command::Format::Text,
            },
            logits: self.logits,
        })
    }
}

const fn format(json: bool) -> Format {
    if json { Format::Json } else { Format::Text }
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    let cannot = match cli.command {
        Command::Ab(_) | Command::Duet(_) => ab::BROKEN,
        _ => CANNOT,
    };
    match run(cli.command) {
        Ok(code) => code,
        // The reader of a pipe had enough, as `head` does.
        Err(error) if broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain in one line; a closed stderr is nobody's problem.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(cannot)
        }
    }
}

/// Says what is wrong with a command line, or prints the help that was asked for. A comparison that was
/// called wrongly must not look like one that could not tell.
fn misused(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let ab = std::env::args_os()
        .nth(1)
        .is_some_and(|command| command == "ab" || command == "duet");
    match (error.use_stderr(), ab) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(ab::BROKEN),
        (true, false) => ExitCode::from(CANNOT),
    }
}

/// Whether the reader of our output went away.
pub(crate) fn broken_pipe(error: &Error) -> bool {
    let mut io = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match command {
        Command::Run(args) => session::run(&args.options().map_err(Error::msg)?, &mut out),
        Command::Ab(args) => crate::ab::run(&args.options().map_err(Error::msg)?, &mut out),
        Command::Duet(args) => crate::ab::commands::run(&args.options(), &mut out),
        Command::List(args) => list::run(format(args.json), &mut out).map(|()| ExitCode::SUCCESS),
        Command::Doctor(args) => doctor::run(&args.options(), &mut out),
        Command::Fetch(args) => fetch::run(
            &args.models,
            network(args.offline),
            format(args.json),
            &mut out,
        ),
        Command::Generate(args) => {
            generate_command::run(&args.options().map_err(Error::msg)?, &mut out)
        }
        Command::Manual(manual) => {
            manual.run(Cli::command(), &mut out)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Worker => {
            drop(out);
            Ok(worker::run())
        }
    }
}
