//! `harness generate`: one greedy answer with everything that parity and debugging need.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::measure::PeakWatch;
use crate::models::{Backend, Device, Place, Precision, load};
use crate::source::{Network, WeightsChoice, obtain};
use crate::subject::{Message, Pass, Reply, Request, Role, Stop};

/// What `harness generate` was asked for.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// Name, folder or repository.
    pub model: String,
    /// Which weights a name gets.
    pub weights: WeightsChoice,
    /// Whether it may be fetched.
    pub network: Network,
    /// Tensor library; none for the best one of this machine.
    pub backend: Option<Backend>,
    /// Where it computes; none for the best there is.
    pub device: Option<Device>,
    /// In what type.
    pub precision: Precision,
    /// Picture files of the first user turn.
    pub images: Vec<PathBuf>,
    /// The conversation.
    pub conversation: Conversation,
    /// At most this many ids.
    pub max_new_tokens: usize,
    /// When to end.
    pub stop: Stop,
    /// How to print.
    pub format: Format,
    /// Where to write the first step's logits.
    pub logits: Option<PathBuf>,
}

/// Where the conversation comes from.
#[derive(Clone, Debug)]
pub enum Conversation {
    /// One user turn.
    Prompt(String),
    /// A JSON file: a list of `{"role", "text"}`.
    File(PathBuf),
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One object.
    Json,
}

/// Loads the model, answers, prints to `out`.
///
/// # Errors
/// When the model, a picture or the conversation cannot be used: one line each.
pub fn run(options: &GenerateOptions, out: &mut dyn Write) -> Result<ExitCode> {
    let place = Place::choose(options.backend, options.device)?;
    let messages = options.conversation.read()?;
    let images = options
        .images
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>>>()?;
    let model = obtain(&options.model, options.weights, options.network)?;
    let watch = PeakWatch::start(std::process::id(), Duration::from_millis(20));
    let start = Instant::now();
    let mut subject = load(&model.dir, place.backend, place.device, options.precision)?;
    let loaded = start.elapsed();
    let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
    let request = Request {
        images: &images,
        messages: &messages,
        max_new_tokens: options.max_new_tokens,
        stop: options.stop,
        pass: Pass::Phased,
    };
    let reply = subject.ask(&request).map_err(anyhow::Error::from_boxed)?;
    if let Some(path) = &options.logits {
        write_logits(path, &reply.first_logits)?;
    }
    let report = describe(&reply, loaded, watch.stop());
    match options.format {
        Format::Json => writeln!(out, "{report}"),
        Format::Text => write!(out, "{}", plain(&reply, &report)),
    }
    .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{}: cannot read", path.display()))
}

impl Conversation {
    fn read(&self) -> Result<Vec<Message>> {
        let path = match self {
            Self::Prompt(text) => return Ok(vec![Message::user(text.clone())]),
            Self::File(path) => path,
        };
        let messages: Vec<Message> = serde_json::from_slice(&read(path)?).with_context(|| {
            format!(
                "{}: not a JSON list of {{\"role\", \"text\"}}",
                path.display()
            )
        })?;
        match messages.last() {
            Some(last) if last.role == Role::User => Ok(messages),
            _ => bail!(
                "{}: the conversation must end with a user turn",
                path.display()
            ),
        }
    }
}

/// The object of the command contract; times in seconds, the footprint's peak in bytes.
fn describe(reply: &Reply, loaded: Duration, peak: Option<u64>) -> Value {
    let stages = &reply.stages;
    let vision = stages
        .vision
        .map(|end| (end - stages.image_prep).as_secs_f64());
    let before_prefill = stages.vision.unwrap_or(stages.image_prep);
    let first = stages.tokens.first().copied().unwrap_or_default();
    let last = stages.tokens.last().copied().unwrap_or_default();
    json!({
        "prompt": reply.prompt,
        "input_ids": reply.input_ids,
        "positions": reply.positions,
        "image_tokens": reply.image_tokens,
        "output_ids": reply.output_ids,
        "text": reply.text,
        "top_logits": top(&reply.first_logits),
        "timings": {
            "load": loaded.as_secs_f64(),
            "image_prep": stages.image_prep.as_secs_f64(),
            "vision": vision,
            "prefill": stages.prefill.map(|end| (end - before_prefill).as_secs_f64()),
            "first_token": first.as_secs_f64(),
            "decode": (last - first).as_secs_f64(),
            "total": stages.total.as_secs_f64(),
        },
        "peak_bytes": peak,
    })
}

/// Ten largest logits with their ids, largest first.
fn top(logits: &[f32]) -> Vec<(usize, f32)> {
    let mut all: Vec<_> = logits.iter().copied().enumerate().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.truncate(10);
    all
}

fn plain(reply: &Reply, report: &Value) -> String {
    let mut text = format!("{}\n\n", reply.text.trim());
    text += &format!(
        "positions    {} ({} of them image)\n",
        reply.positions, reply.image_tokens
    );
    text += &format!("output ids   {:?}\n", reply.output_ids);
    for (id, logit) in top(&reply.first_logits) {
        text += &format!("logit        {id:6}  {logit:.4}\n");
    }
    for stage in [
        "load",
        "image_prep",
        "vision",
        "prefill",
        "first_token",
        "decode",
        "total",
    ] {
        let seconds = report["timings"][stage].as_f64();
        text += &format!(
            "{stage:<12} {}\n",
            seconds.map_or_else(|| "n/a".to_owned(), |s| store::Unit::Second.format(s))
        );
    }
    text
}

/// One f32 tensor, key `logits`, as safetensors.
fn write_logits(path: &Path, logits: &[f32]) -> Result<()> {
    let bytes: Vec<u8> = logits
        .iter()
        .flat_map(|logit| logit.to_le_bytes())
        .collect();
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![logits.len()], &bytes)?;
    let file = safetensors::serialize([("logits", view)], None)?;
    std::fs::write(path, file).with_context(|| format!("{}: cannot write", path.display()))
}
