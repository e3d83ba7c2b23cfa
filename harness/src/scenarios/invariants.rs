//! Rules that a reply must keep for its figures to count. Pure; ids as in ARCHITECTURE.md.

use std::time::Duration;

use store::Metric;
use store::metric::Unit;
use store::summary::ONE_ANSWER;

use crate::measure::{self, Bandwidth};
use crate::score::is_echo;
use crate::subject::{Pass, Reply, Request, Stages, Stop};

/// Bytes a second that no memory of a machine this program runs on delivers: ten times 1 TB/s.
const BANDWIDTH_ROOF: f64 = 1e13;

/// What the bandwidth may be too low by: because other programs read while it was measured, or an owner has
/// raised the clocks of a GPU.
const MARGIN: f64 = 1.1;

/// Bytes read a token up to which nothing is measured: a cache may keep them.
const CACHED: u64 = measure::READ_BYTES as u64;

/// I8: copies of the weights that loading may keep, one and half of one for what is packed anew;
/// and the bytes that anything else may take.
const COPIES: f64 = 1.5;
const BESIDES: f64 = 256.0 * 1_048_576.0;

/// How a text begins that an engine gives out in place of an answer.
const ERRORS: [&str; 3] = ["error:", "exception:", "traceback (most recent call last)"];

/// What makes every figure of a reply worthless: I1, I2, I5, I6, I7. The first one found.
#[must_use]
pub fn broken(request: &Request<'_>, reply: &Reply, placeholder: Option<&str>) -> Option<String> {
    if reply.counts.is_some() {
        return too_long(request, reply.length());
    }
    image_positions(request, reply)
        .or_else(|| rendered(request, reply, placeholder))
        .or_else(|| length(request, reply))
        .or_else(|| reloaded(reply))
}

/// I1: positions for image features where there is a picture, and only there.
fn image_positions(request: &Request<'_>, reply: &Reply) -> Option<String> {
    let (positions, prompt) = (reply.image_tokens, reply.positions);
    match request.images.is_empty() {
        true if positions > 0 => Some(format!("I1: {positions} image positions without a picture")),
        false if positions == 0 => {
            Some("I1: no image position: the model saw no picture".to_owned())
        }
        _ if positions > prompt => Some(format!("I1: {positions} image positions among {prompt}")),
        _ => None,
    }
}

/// I2: the rendered prompt holds every turn, in order, and one placeholder a picture, where the
/// model has one.
fn rendered(request: &Request<'_>, reply: &Reply, placeholder: Option<&str>) -> Option<String> {
    let mut rest = reply.prompt.as_str();
    for (at, message) in request.messages.iter().enumerate() {
        let text = message.text.trim();
        match rest.find(text) {
            Some(start) => rest = &rest[start + text.len()..],
            None => return Some(format!("I2: turn {} is not in the rendered prompt", at + 1)),
        }
    }
    let mark = placeholder?;
    let count = |text: &str| text.matches(mark).count();
    let said: usize = request.messages.iter().map(|m| count(&m.text)).sum();
    let found = count(&reply.prompt).saturating_sub(said);
    let wanted = request.images.len();
    (found != wanted).then(|| format!("I2: {found} placeholders for {wanted} pictures"))
}

/// I5: no more ids than allowed. All that a server shows of these rules.
fn too_long(request: &Request<'_>, ids: usize) -> Option<String> {
    let limit = request.max_new_tokens;
    (ids > limit).then(|| format!("I5: {ids} ids, the limit was {limit}"))
}

/// I5, I6: as many ids as were allowed, counted as ids, each with its time.
fn length(request: &Request<'_>, reply: &Reply) -> Option<String> {
    let (ids, limit) = (reply.output_ids.len(), request.max_new_tokens);
    let times = reply.stages.tokens.len();
    match request.stop {
        _ if ids > limit => too_long(request, ids),
        Stop::AtLimit if ids < limit => {
            Some(format!("I5: {ids} ids, exactly {limit} were asked for"))
        }
        _ if times != ids => Some(format!("I6: {ids} ids with {times} times")),
        _ => None,
    }
}

/// I7: a loaded model reads no weights while it answers.
fn reloaded(reply: &Reply) -> Option<String> {
    let read = reply.weights_read;
    (read > 0).then(|| format!("I7: {read} bytes of weights were read during the request"))
}

/// I3: an answer that is none, whose time therefore means nothing.
#[must_use]
pub fn hollow(request: &Request<'_>, reply: &Reply) -> Option<String> {
    if reply.length() < 2 {
        return Some(format!("I3: {} ids of output", reply.length()));
    }
    let said = reply.text.trim_start().to_lowercase();
    if ERRORS.iter().any(|error| said.starts_with(error)) {
        return Some("I3: the answer is an error message".to_owned());
    }
    let natural = request.stop == Stop::AtStopId;
    let said = natural && is_echo(&reply.prompt, &reply.text);
    said.then(|| "I3: the answer repeats the prompt".to_owned())
}

/// I4: one answer to so many different pictures, told apart by the hashes of the answers. Fewer than three
/// may be alike by chance.
#[must_use]
pub fn one_answer(hashes: &[f64]) -> Option<String> {
    let pictures = hashes.len();
    let same = pictures >= 3 && hashes.windows(2).all(|pair| pair[0] == pair[1]);
    same.then(|| format!("{ONE_ANSWER}: one answer to {pictures} different pictures"))
}

/// Stage times that cannot be: out of order, missing, or longer than what passed outside.
#[must_use]
pub fn impossible_times(request: &Request<'_>, stages: &Stages, wall: Duration) -> Option<String> {
    let phased = request.pass == Pass::Phased;
    if phased && (stages.prefill.is_none() || stages.vision.is_none() != request.images.is_empty())
    {
        return Some("clock: a phased request without its phases".to_owned());
    }
    let phases = [Some(stages.image_prep), stages.vision, stages.prefill];
    let marks = phases
        .into_iter()
        .flatten()
        .chain(stages.tokens.iter().copied());
    let marks: Vec<_> = marks.chain([stages.total]).collect();
    if !marks.is_sorted() {
        return Some("clock: stages out of order".to_owned());
    }
    let longer = stages.total > wall;
    longer.then(|| format!("clock: {:?} inside, {wall:?} outside", stages.total))
}

/// I8: memory that only a second copy of the weights would take.
#[must_use]
pub fn second_copy(taken: f64, held_bytes: u64) -> Option<String> {
    let bound = COPIES * held_bytes as f64 + BESIDES;
    (taken > bound).then(|| {
        format!("I8: {taken} bytes for weights of {held_bytes}: more than one copy of the weights")
    })
}

/// How fast memory delivers weights of which each token reads so many bytes; none where a cache may keep
/// them, and where that is not known.
#[must_use]
pub fn memory(read_bytes: u64, measure: impl FnOnce() -> Option<Bandwidth>) -> Option<Bandwidth> {
    let known = (read_bytes > CACHED).then(measure).flatten();
    known.filter(|bandwidth| bandwidth.of_weights(read_bytes).is_some())
}

/// What I9 takes for the most that memory delivers, in bytes a second: what is known of it, else a constant
/// that no memory reaches.
#[must_use]
pub fn roof(read_bytes: u64, memory: Option<Bandwidth>) -> f64 {
    let known = memory.and_then(|bandwidth| bandwidth.of_weights(read_bytes));
    known.map_or(BANDWIDTH_ROOF, |roof| roof * MARGIN)
}

/// I9: every generated token reads the weights once, so no rate beats the memory.
#[must_use]
pub fn above_roof(bytes_per_second: f64, roof: f64) -> Option<String> {
    (bytes_per_second > roof).then(|| {
        format!("I9: {bytes_per_second:.1e} bytes of weights a second, memory gives {roof:.1e}")
    })
}

/// Why one value cannot be; checked where it is made and again where it arrives.
///
/// # Errors
/// The reason, in one line.
pub fn plausible(metric: Metric, value: f64) -> Result<(), String> {
    use Metric as M;
    let signed = matches!(metric, M::BarrierOverhead | M::Unattributed);
    let lowest = match metric.spec().unit {
        // A picture that was seen before may take any number of times as long.
        _ if metric == Metric::ImageCacheGain => f64::MIN,
        _ if signed || metric == Metric::DivergedAt => -1.0,
        Unit::Second | Unit::TokenPerSecond if value == 0.0 => f64::MIN_POSITIVE,
        _ => 0.0,
    };
    let over_one = matches!(
        metric,
        M::BarrierOverhead | M::SustainedDecode | M::BandwidthShare
    );
    let share = metric.spec().unit == Unit::Ratio && !over_one;
    match value {
        _ if !value.is_finite() => Err("not a finite number".to_owned()),
        _ if value < lowest => Err(format!("{value} cannot be")),
        _ if share && value > 1.0 => Err(format!("a share of {value}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::fake::{Fake, request};
    use crate::subject::{Message, Subject};

    fn check(change: impl Fn(&mut Reply), expected: Option<&str>) {
        let messages = [
            Message::user("first"),
            Message::assistant("so"),
            Message::user("last"),
        ];
        let request = request(&[b"png"], &messages);
        let mut reply = Fake::seeing().ask(&request).unwrap();
        change(&mut reply);
        let found = broken(&request, &reply, Some("<image>"));
        assert_eq!(
            found.as_deref().map(|reason| &reason[..2]),
            expected,
            "{found:?}"
        );
    }

    #[test]
    fn each_broken_rule_is_named() {
        check(|_| (), None);
        check(|reply| reply.image_tokens = 0, Some("I1"));
        check(|reply| reply.image_tokens = 1_000_000, Some("I1"));
        check(
            |reply| reply.prompt = reply.prompt.replace("so", ""),
            Some("I2"),
        );
        check(
            |reply| reply.prompt = reply.prompt.replace("<image>", ""),
            Some("I2"),
        );
        check(|reply| reply.prompt.push_str("<image>"), Some("I2"));
        check(
            |reply| reply.prompt = "<image>last so first".to_owned(),
            Some("I2"),
        );
        check(|reply| reply.output_ids = vec![1; 1000], Some("I5"));
        check(|reply| reply.stages.tokens.clear(), Some("I6"));
        check(|reply| reply.weights_read = 4096, Some("I7"));
    }

    #[test]
    fn a_picture_that_was_not_asked_for_is_found() {
        let messages = [Message::user("capital of France?")];
        let mut reply = Fake::seeing().ask(&request(&[], &messages)).unwrap();
        reply.image_tokens = 64;
        assert!(
            broken(&request(&[], &messages), &reply, Some("<image>"))
                .unwrap()
                .starts_with("I1")
        );
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        let check = |metric, value, good| {
            assert_eq!(plausible(metric, value).is_ok(), good, "{metric} {value}")
        };
        check(Metric::Inference, 0.1, true);
        check(Metric::Inference, 0.0, false);
        check(Metric::Inference, -0.1, false);
        check(Metric::LoadMemory, -1.0, false);
        check(Metric::Decode, f64::INFINITY, false);
        check(Metric::LogitDelta, f64::NAN, false);
        check(Metric::LogitDelta, 0.0, true);
        check(Metric::DivergedAt, -1.0, true);
        check(Metric::BarrierOverhead, -0.01, true);
        check(Metric::ImageCacheGain, -2.7, true);
        check(Metric::SustainedDecode, 1.01, true);
        check(Metric::VisionRight, 1.5, false);
    }

    #[test]
    fn rates_above_the_memory_are_refused() {
        let check = |read_bytes, known: Option<Bandwidth>, rate: f64, refused: bool| {
            let roof = roof(read_bytes, memory(read_bytes, || known));
            let reason = above_roof(rate, roof);
            assert_eq!(reason.is_some(), refused, "{reason:?}");
            assert!(reason.is_none_or(|reason| reason.starts_with("I9")));
        };
        let large = 1 << 30;
        let measured = Some(Bandwidth::Measured(1e10));
        check(large, measured, 1.05e10, false);
        check(large, measured, 1.2e10, true);
        check(large, None, 9e12, false);
        check(large, None, 3e13, true);
        check(1 << 20, measured, 9e12, false);
        // An eighth of a GiB may be in the GPU's cache, so that memory and cache give 8/7.
        let rated = Some(Bandwidth::Rated(3.35e12));
        check(large, rated, 4.2e12, false);
        check(large, rated, 4.3e12, true);
        check(large << 4, rated, 3.6e12, false);
        check(large << 4, rated, 3.8e12, true);
        check(200 << 20, rated, 9e12, false);
    }

    #[test]
    fn a_second_copy_is_seen_beyond_what_else_loading_takes() {
        let gib = f64::from(1 << 30);
        assert_eq!(second_copy(1.7 * gib, 1 << 30), None);
        assert_eq!(second_copy(2.0 * gib, 1 << 30).unwrap()[..2], *"I8");
        assert_eq!(second_copy(0.2 * gib, 1 << 20), None);
    }

    #[test]
    fn one_answer_to_three_pictures_is_none() {
        let check = |hashes: &[f64], found: bool| {
            let reason = one_answer(hashes);
            assert_eq!(reason.is_some(), found, "{hashes:?}");
            assert!(reason.is_none_or(|reason| reason.starts_with("I4: ")));
        };
        check(&[], false);
        check(&[7.0; 2], false);
        check(&[7.0; 3], true);
        check(&[7.0, 7.0, 8.0], false);
        check(&[8.0, 7.0, 7.0, 7.0], false);
    }

    #[test]
    fn times_must_be_in_order_and_inside() {
        let ms = Duration::from_millis;
        let messages = [Message::user("hello")];
        let request = request(&[], &messages);
        let stages = |first, total| Stages {
            tokens: vec![ms(first), ms(20)],
            total: ms(total),
            ..Stages::default()
        };
        assert_eq!(impossible_times(&request, &stages(10, 30), ms(31)), None);
        assert!(impossible_times(&request, &stages(25, 30), ms(31)).is_some());
        assert!(impossible_times(&request, &stages(10, 30), ms(29)).is_some());
    }
}
