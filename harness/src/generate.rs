//! The greedy loop: one pass over the prompt, one token a step after it, clocks beside it.

use std::path::Path;
use std::time::Instant;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::models::{Vlm, model_type};
use crate::side_file::read_json;
use crate::subject::{AskError, Loaded, Pass, Reply, Request, Stages, Stop, Subject};
use crate::tensor::{DType, Device, Tensor};

/// A model with what generation needs beside it.
pub struct Engine<M: Vlm> {
    model: M,
    loaded: Loaded,
    /// Minus infinity at the stop ids, zero elsewhere: added where generation must not stop.
    endless: M::Tensor,
}

/// Ids that end an answer: `generation_config.json`, else the text configuration.
///
/// The tokenizer's end-of-sequence token is not asked: SmolVLM's is another than its stop id.
fn stop_ids(dir: &Path) -> Result<Vec<u32>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ids {
        One(u32),
        Many(Vec<u32>),
    }
    #[derive(Default, Deserialize)]
    struct Config {
        eos_token_id: Option<Ids>,
        text_config: Option<Box<Config>>,
    }
    let path = dir.join("generation_config.json");
    let generation = if path.is_file() {
        read_json(&path)?
    } else {
        Config::default()
    };
    let config: Config = read_json(&dir.join("config.json"))?;
    let below = config.text_config.and_then(|text| text.eos_token_id);
    match generation.eos_token_id.or(config.eos_token_id).or(below) {
        Some(Ids::One(id)) => Ok(vec![id]),
        Some(Ids::Many(ids)) if !ids.is_empty() => Ok(ids),
        _ => Err(Error::Format {
            path,
            detail: "names no eos_token_id, so answers would never end".to_owned(),
        }),
    }
}

impl<M: Vlm> Engine<M> {
    /// Readies a loaded model; `dir` is its checkpoint's folder.
    ///
    /// # Errors
    /// When the checkpoint names no stop id, or one outside the vocabulary.
    pub fn new(model: M, dir: &Path) -> Result<Self> {
        let (vocab, on) = model.vocabulary();
        let stop_ids = stop_ids(dir)?;
        let mut mask = vec![0f32; vocab];
        for &id in &stop_ids {
            let outside =
                || Error::Unsupported(format!("stop id {id} is outside the vocabulary of {vocab}"));
            *mask.get_mut(id as usize).ok_or_else(outside)? = f32::NEG_INFINITY;
        }
        let endless = M::Tensor::from_vec(mask, &[vocab], DType::F32, on)?;
        let facts = model.facts();
        let loaded = Loaded {
            architecture: model_type(dir)?,
            precision: format!("{} ({} weights)", DType::F32, facts.stored),
            weight_bytes: facts.bytes,
            parameters: facts.parameters,
            stop_ids,
        };
        Ok(Self {
            model,
            loaded,
            endless,
        })
    }

    /// The model itself, for parity tests and benches.
    #[must_use]
    pub const fn model(&self) -> &M {
        &self.model
    }

    fn answer(&self, request: &Request<'_>) -> Result<Reply> {
        if request.max_new_tokens == 0 {
            return Err(Error::Prompt(
                "max_new_tokens is 0: ask for one token at least".to_owned(),
            ));
        }
        let start = Instant::now();
        let mut stages = Stages::default();
        let prompt = self.model.prompt(request)?;
        stages.image_prep = start.elapsed();
        let features = self.model.encode(&prompt)?;
        if let (Pass::Phased, Some(features)) = (request.pass, &features) {
            M::Tensor::eval(&[features])?;
            stages.vision = Some(start.elapsed());
        }
        let mut cache = self
            .model
            .cache(prompt.ids.len() + request.max_new_tokens)?;
        let first = self.model.prefill(&prompt, features.as_ref(), &mut cache)?;
        if request.pass == Pass::Phased {
            M::Tensor::eval(&[&first])?;
            stages.prefill = Some(start.elapsed());
        }
        let mut steps = Steps {
            first: first.clone(),
            later: Vec::new(),
        };
        let mut output_ids = Vec::new();
        let mut logits = first;
        loop {
            let id = self.choose(&logits, request.stop)?;
            stages.tokens.push(start.elapsed());
            output_ids.push(id);
            let stopped = request.stop == Stop::AtStopId && self.loaded.stop_ids.contains(&id);
            if stopped || output_ids.len() == request.max_new_tokens {
                break;
            }
            logits = self.model.step(id, &mut cache)?;
            if request.pass == Pass::Phased {
                steps.later.push(logits.clone());
            }
        }
        let text = self.model.decode(&output_ids)?;
        stages.total = start.elapsed();
        let (first_logits, margins) = steps.read(request.pass)?;
        let (input_ids, image_tokens) = (prompt.ids, prompt.image_positions.len());
        Ok(Reply {
            prompt: prompt.text,
            input_ids,
            image_tokens,
            output_ids,
            text,
            first_logits,
            margins,
            stages,
        })
    }

    fn choose(&self, logits: &M::Tensor, stop: Stop) -> Result<u32> {
        let id = match stop {
            Stop::AtStopId => logits.argmax()?,
            Stop::AtLimit => logits.add(&self.endless)?.argmax()?,
        };
        id.to_u32()?
            .first()
            .copied()
            .ok_or_else(|| Error::Unsupported("an empty vocabulary".to_owned()))
    }
}

/// Logits kept until the clock has stopped, because reading them costs time.
struct Steps<T> {
    first: T,
    later: Vec<T>,
}

impl<T: Tensor> Steps<T> {
    fn read(&self, pass: Pass) -> Result<(Vec<f32>, Vec<f32>)> {
        let first = self.first.to_f32()?;
        if let Some(at) = first.iter().position(|logit| !logit.is_finite()) {
            let message = format!(
                "the first step's logit of id {at} is not finite: broken weights or arithmetic"
            );
            return Err(Error::Unsupported(message));
        }
        let mut margins = Vec::new();
        if pass == Pass::Phased {
            margins.push(margin(&first));
            for logits in &self.later {
                margins.push(margin(&logits.to_f32()?));
            }
        }
        Ok((first, margins))
    }
}

/// Distance of the largest and the second value.
fn margin(logits: &[f32]) -> f32 {
    let (mut top, mut second) = (f32::NEG_INFINITY, f32::NEG_INFINITY);
    for &logit in logits {
        if logit > top {
            (top, second) = (logit, top);
        } else if logit > second {
            second = logit;
        }
    }
    top - second
}

impl<M: Vlm> Subject for Engine<M> {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<Reply, AskError> {
        Ok(self.answer(request)?)
    }

    fn device_peak(&self) -> Option<u64> {
        self.model.vocabulary().1.peak_bytes()
    }
}
