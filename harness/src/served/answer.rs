//! An answer put together from the pieces of a stream. Pure: times come from outside.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::message::one_line;
use crate::subject::Counts;

/// What the end of a stream is called.
const DONE: &[u8] = b"[DONE]";

/// One chunk, as far as it is read. Whatever else is in it is passed over.
#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    timings: Option<Timings>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

/// What is new. Some servers tell what a model thinks apart from what it says.
#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
struct Usage {
    prompt_tokens: Option<usize>,
    completion_tokens: Option<usize>,
}

/// llama.cpp's own clock.
#[derive(Clone, Copy, Deserialize)]
struct Timings {
    prompt_n: Option<f64>,
    prompt_ms: Option<f64>,
    predicted_n: Option<f64>,
    predicted_ms: Option<f64>,
}

/// Whether more is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It may.
    More,
    /// The server said that this was all.
    Nothing,
}

/// What has come so far.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// What the model says.
    pub(super) text: String,
    /// Whether any of it was thought and not said.
    pub(super) thought: bool,
    /// When each piece of text arrived.
    pub(super) pieces: Vec<Duration>,
    /// When the text was known to be whole.
    pub(super) whole: Option<Duration>,
    /// What the server counted.
    pub(super) counts: Counts,
}

impl Answer {
    /// Takes the data of one event, which arrived `at`.
    ///
    /// # Errors
    /// When it is no chunk, or the server reports an error in it.
    pub(super) fn take(&mut self, data: &[u8], at: Duration) -> Result<Next, String> {
        if data.trim_ascii() == DONE {
            return Ok(Next::Nothing);
        }
        let chunk: Chunk = serde_json::from_slice(data)
            .map_err(|error| format!("the stream holds what is no chunk: {error}"))?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(format!("the server says: {}", said(&error)));
        }
        for choice in chunk.choices.unwrap_or_default().into_iter().take(1) {
            self.choose(choice, at);
        }
        if let Some(usage) = chunk.usage {
            self.counts.prompt = usage.prompt_tokens.filter(|&count| count > 0);
            self.counts.generated = usage.completion_tokens.filter(|&count| count > 0);
        }
        if let Some(timings) = chunk.timings {
            self.counts.prefill = rate(timings.prompt_n, timings.prompt_ms);
            self.counts.decode = rate(timings.predicted_n, timings.predicted_ms);
        }
        Ok(Next::More)
    }

    fn choose(&mut self, choice: Choice, at: Duration) {
        if let Some(delta) = choice.delta {
            let said = delta.content.unwrap_or_default();
            let thoughts = [delta.reasoning_content, delta.reasoning];
            let thought = thoughts.into_iter().flatten().any(|text| !text.is_empty());
            if thought || !said.is_empty() {
                self.pieces.push(at);
            }
            self.thought |= thought;
            self.text.push_str(&said);
        }
        if let Some(reason) = choice.finish_reason {
            self.whole.get_or_insert(at);
            self.counts.ended = reason == "stop";
        }
    }

    /// The answer once nothing more comes; `finished` where the server said so.
    ///
    /// # Errors
    /// When it was cut off, or there is none.
    pub(super) fn close(mut self, finished: Next, at: Duration) -> Result<Self, String> {
        if self.whole.is_none() && finished == Next::More {
            return Err("the stream ended before the answer did".to_owned());
        }
        // An answer may be empty, but only where the server says that it is one.
        if self.whole.is_none() && self.pieces.is_empty() {
            return Err("the stream holds no text".to_owned());
        }
        self.whole.get_or_insert(at);
        Ok(self)
    }
}

/// Units a second of a count and its milliseconds; none where they make no rate.
fn rate(count: Option<f64>, ms: Option<f64>) -> Option<f64> {
    let rate = count? / ms? * 1000.0;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

/// What an error object or text says.
pub(super) fn said(error: &Value) -> String {
    let message = error.get("message").or_else(|| error.get("detail"));
    let text = message.unwrap_or(error);
    one_line(
        &text
            .as_str()
            .map_or_else(|| text.to_string(), ToOwned::to_owned),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Takes the events at 1, 2, 3 … ms.
    fn answer(events: &[&str]) -> Result<Answer, String> {
        let mut answer = Answer::default();
        let mut next = Next::More;
        for (event, at) in events.iter().zip(1..) {
            next = answer.take(event.as_bytes(), ms(at))?;
        }
        answer.close(next, ms(99))
    }

    const END: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;

    fn says(text: &str) -> String {
        serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
            .to_string()
    }

    #[test]
    fn pieces_make_an_answer_and_are_timed() {
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3},
            "timings":{"prompt_n":9,"prompt_ms":3.0,"predicted_n":3,"predicted_ms":1.5}}"#;
        let first = r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#;
        let found = answer(&[first, &says("a "), &says("dog"), END, usage, "[DONE]"]).unwrap();
        assert_eq!((found.text.as_str(), found.thought), ("a dog", false));
        assert_eq!(found.pieces, [ms(2), ms(3)]);
        assert_eq!(found.whole, Some(ms(4)));
        let counts = Counts {
            prompt: Some(9),
            generated: Some(3),
            ended: true,
            prefill: Some(3000.0),
            decode: Some(2000.0),
        };
        assert_eq!(found.counts, counts);
    }

    #[test]
    fn what_is_not_told_is_not_counted() {
        let found = answer(&[&says("a"), "[DONE]"]).unwrap();
        assert_eq!(
            (found.counts, found.whole),
            (Counts::default(), Some(ms(99)))
        );
        let odd = r#"{"usage":{"prompt_tokens":0,"completion_tokens":null},
            "timings":{"prompt_n":1,"prompt_ms":0.0,"predicted_ms":-1.0,"predicted_n":2}}"#;
        assert_eq!(
            answer(&[&says("a"), odd, "[DONE]"]).unwrap().counts,
            Counts::default()
        );
    }

    #[test]
    fn an_answer_may_be_empty() {
        let found = answer(&[END, "[DONE]"]).unwrap();
        assert_eq!(
            (found.text.as_str(), found.pieces.len(), found.counts.ended),
            ("", 0, true)
        );
    }

    #[test]
    fn thoughts_take_time_but_are_not_said() {
        let thinks = r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#;
        let found = answer(&[thinks, &says("yes"), END]).unwrap();
        assert_eq!(
            (found.text.as_str(), found.pieces.len(), found.thought),
            ("yes", 2, true)
        );
    }

    #[test]
    fn a_broken_stream_is_no_answer() {
        let check = |events: &[&str], why: &str| {
            let error = answer(events).unwrap_err();
            assert!(error.contains(why) && error.lines().count() == 1, "{error}");
        };
        check(&[&says("a")], "ended before the answer did");
        check(&[], "ended before the answer did");
        check(&["[DONE]"], "holds no text");
        check(&["{"], "no chunk");
        check(&["<html>"], "no chunk");
        check(
            &[
                &says("a"),
                r#"{"error":{"message":"out of\nmemory","code":500}}"#,
            ],
            "says: out of",
        );
        check(&[r#"{"error":"busy"}"#], "says: busy");
        check(&[r#"{"choices":[{"delta":{"content":7}}]}"#], "no chunk");
        let mut answer = Answer::default();
        assert!(answer.take(b"\xff\xfe", ms(1)).is_err());
    }
}
