//! The greedy loop: one pass over the prompt, one token a step after it, clocks beside it.

use std::path::Path;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::models::{Manners, Prompt, Vlm, model_type};
use crate::subject::{
    Allocator, AskError, Loaded, Pass, Reply, Request, Stages, Stop, Subject, View,
};
use crate::tensor::{DType, Device, Tensor};
use crate::weights::bytes_read;

/// A model with what generation needs beside it, and how to load it anew.
pub struct Engine<M: Vlm> {
    make: Box<dyn Fn() -> Result<M>>,
    ready: Option<Ready<M>>,
    loaded: Loaded,
    on: <M::Tensor as Tensor>::Device,
}

/// What there is only while the model is loaded.
struct Ready<M: Vlm> {
    model: M,
    masks: Masks<M::Tensor>,
}

/// Minus infinity at ids that must not be chosen, zero elsewhere; none where all may.
struct Masks<T> {
    /// Where generation must not stop: the first id, later ones.
    endless: [Option<T>; 2],
    /// Where it may.
    ending: [Option<T>; 2],
}

impl<T: Tensor> Masks<T> {
    fn new(manners: &Manners, vocab: usize, dtype: DType, on: &T::Device) -> Result<Self> {
        let mask = |ids: &[u32]| mask(ids, vocab, dtype, on);
        let (stops, later) = (&manners.stop_ids, &manners.never_later);
        Ok(Self {
            endless: [mask(stops)?, mask(&[&stops[..], later].concat())?],
            ending: [None, mask(later)?],
        })
    }

    fn of(&self, stop: Stop, step: usize) -> Option<&T> {
        let masks = match stop {
            Stop::AtLimit => &self.endless,
            Stop::AtStopId => &self.ending,
        };
        masks[step.min(1)].as_ref()
    }
}

fn mask<T: Tensor>(ids: &[u32], vocab: usize, dtype: DType, on: &T::Device) -> Result<Option<T>> {
    if ids.is_empty() {
        return Ok(None);
    }
    let mut mask = vec![0f32; vocab];
    for &id in ids {
        let outside =
            || Error::Unsupported(format!("stop id {id} is outside the vocabulary of {vocab}"));
        *mask.get_mut(id as usize).ok_or_else(outside)? = f32::NEG_INFINITY;
    }
    Ok(Some(T::from_f32(&mask, &[vocab], dtype, on)?))
}

impl<M: Vlm> Ready<M> {
    fn new(model: M) -> Result<Self> {
        let (vocab, dtype, on) = model.arithmetic();
        let masks = Masks::new(model.manners(), vocab, dtype, on)?;
        Ok(Self { model, masks })
    }
}

impl<M: Vlm> Engine<M> {
    /// Loads a model by `make`; `dir` is its checkpoint's folder.
    ///
    /// # Errors
    /// Those of `make`; when the checkpoint names no stop id, or one outside the vocabulary.
    pub fn new(make: impl Fn() -> Result<M> + 'static, dir: &Path) -> Result<Self> {
        let ready = Ready::new(make()?)?;
        let (_, dtype, on) = ready.model.arithmetic();
        let (manners, facts) = (ready.model.manners().clone(), ready.model.facts());
        let kept = match facts.bits {
            Some(bits) => format!(", {}", on.keeps_affine(bits)),
            None => String::new(),
        };
        let loaded = Loaded {
            architecture: model_type(dir)?,
            precision: format!("{dtype} ({} weights{kept})", facts.stored),
            weight_bytes: facts.bytes,
            held_bytes: facts.held,
            read_bytes: ready.model.step_bytes(),
            parameters: facts.parameters,
            stop_ids: manners.stop_ids,
            placeholder: manners.placeholder.map(ToOwned::to_owned),
            turns: manners.turns,
            view: View::Inside,
        };
        Ok(Self {
            on: on.clone(),
            make: Box::new(make),
            ready: Some(ready),
            loaded,
        })
    }

    /// The model itself, for parity tests and benches; none while it is not loaded.
    #[must_use]
    pub fn model(&self) -> Option<&M> {
        self.ready.as_ref().map(|ready| &ready.model)
    }

    fn answer(&self, request: &Request<'_>) -> Result<Reply> {
        let Some(Ready { model, masks }) = &self.ready else {
            return Err(Error::Unsupported("the model is not loaded".to_owned()));
        };
        let read = bytes_read();
        let start = Instant::now();
        let mut stages = Stages::default();
        let (prompt, capacity) = fitting(model, request)?;
        stages.image_prep = start.elapsed();
        let features = model.encode(&prompt)?;
        if let (Pass::Phased, Some(features)) = (request.pass, &features) {
            M::Tensor::eval(&[features])?;
            stages.vision = Some(start.elapsed());
        }
        let mut cache = model.cache(capacity)?;
        let first = model.prefill(&prompt, features.as_ref(), &mut cache)?;
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
            let mask = masks.of(request.stop, output_ids.len());
            let id = choose(&logits, mask)?;
            stages.tokens.push(start.elapsed());
            output_ids.push(id);
            let stopped = request.stop == Stop::AtStopId && self.loaded.stop_ids.contains(&id);
            if stopped || output_ids.len() == request.max_new_tokens {
                break;
            }
            logits = model.step(id, &mut cache)?;
            if request.pass == Pass::Phased {
                steps.later.push(logits.clone());
            }
        }
        let text = model.decode(&output_ids)?;
        stages.total = start.elapsed();
        let (first_logits, margins) = steps.read(request.pass)?;
        Ok(Reply {
            counts: None,
            prompt: prompt.text,
            input_ids: prompt.ids,
            positions: prompt.positions,
            image_tokens: prompt.image_positions.len(),
            tiles: prompt.frames.iter().map(|frames| frames.count).sum(),
            weights_read: bytes_read() - read,
            output_ids,
            text,
            first_logits,
            margins,
            stages,
        })
    }
}

/// The prompt and the positions that it takes with its answer; refused before any tensor is made of it
/// where the model has no room for them.
fn fitting<M: Vlm>(model: &M, request: &Request<'_>) -> Result<(Prompt, usize)> {
    if request.max_new_tokens == 0 {
        return Err(Error::Prompt(
            "max_new_tokens is 0: ask for one token at least".to_owned(),
        ));
    }
    let prompt = model.prompt(request)?;
    let (wanted, room) = (prompt.positions + request.max_new_tokens, model.room());
    if wanted > room {
        return Err(Error::NotOffered(format!(
            "{wanted} positions with the answer, it has room for {room}"
        )));
    }
    Ok((prompt, wanted))
}

fn choose<T: Tensor>(logits: &T, mask: Option<&T>) -> Result<u32> {
    let id = match mask {
        None => logits.argmax()?,
        Some(mask) => logits.add(mask)?.argmax()?,
    };
    id.to_u32()?
        .first()
        .copied()
        .ok_or_else(|| Error::Unsupported("an empty vocabulary".to_owned()))
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

    fn memory(&self) -> Allocator {
        self.on.memory()
    }

    fn unload(&mut self) -> Result<(), AskError> {
        self.ready = None;
        Ok(self.on.release()?)
    }

    fn load(&mut self) -> Result<(), AskError> {
        self.ready = None;
        self.ready = Some(Ready::new((self.make)()?)?);
        Ok(())
    }
}
