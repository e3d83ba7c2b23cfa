//! What is asked of a server: one request as JSON.

use serde_json::{Value, json};

use crate::subject::{Request, Role, Stop};

/// A field that not every server knows. One that refuses it is asked without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extra {
    /// To count tokens at the end of the stream.
    Usage,
    /// One seed for all: nothing is sampled, but some servers break ties by it.
    Seed,
    /// To go on behind the natural end (llama.cpp, vLLM).
    IgnoreEnd,
    /// To compute the whole prompt anew (llama.cpp).
    NoCache,
}

impl Extra {
    pub(super) const ALL: [Self; 4] = [Self::Usage, Self::Seed, Self::IgnoreEnd, Self::NoCache];

    /// Its name in the request.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Usage => "stream_options",
            Self::Seed => "seed",
            Self::IgnoreEnd => "ignore_eos",
            Self::NoCache => "cache_prompt",
        }
    }

    fn value(self, request: &Request<'_>) -> Option<Value> {
        match self {
            Self::Usage => Some(json!({"include_usage": true})),
            Self::Seed => Some(json!(0)),
            Self::IgnoreEnd => (request.stop == Stop::AtLimit).then_some(json!(true)),
            Self::NoCache => Some(json!(false)),
        }
    }
}

/// The request as a server reads it: greedy, streamed, pictures inside it.
pub(super) fn body(model: &str, request: &Request<'_>, extras: &[Extra]) -> Value {
    let first = request.messages.iter().position(|m| m.role == Role::User);
    let turns = request.messages.iter().enumerate();
    let messages: Vec<Value> = turns
        .map(|(at, message)| {
            let role = match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            let content = match (Some(at) == first, request.images) {
                (true, [_, ..]) => with_pictures(request.images, &message.text),
                _ => json!(message.text),
            };
            json!({"role": role, "content": content})
        })
        .collect();
    let mut body = json!({
        "model": model,
        "messages": messages,
        "max_tokens": request.max_new_tokens,
        "temperature": 0,
        "stream": true,
    });
    for extra in extras {
        if let Some(value) = extra.value(request) {
            body[extra.name()] = value;
        }
    }
    body
}

fn with_pictures(images: &[&[u8]], text: &str) -> Value {
    let pictures = images.iter().map(|image| {
        let url = format!("data:{};base64,{}", kind(image), base64(image));
        json!({"type": "image_url", "image_url": {"url": url}})
    });
    let text = json!({"type": "text", "text": text});
    Value::Array(pictures.chain([text]).collect())
}

/// The kind of a picture, by its first bytes.
fn kind(image: &[u8]) -> &'static str {
    match image {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => "image/webp",
        _ => "image/png",
    }
}

/// Base64 with padding, see RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let of = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for sign in 0..4 {
            let index = (bits >> (18 - 6 * sign)) & 63;
            text.push(match sign <= group.len() {
                true => char::from(SIGNS[index as usize]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::{Message, Pass};

    #[test]
    fn base64_is_that_of_the_standard() {
        let check = |bytes: &str, expected| assert_eq!(base64(bytes.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foobar", "Zm9vYmFy");
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn pictures_belong_to_the_first_user_turn() {
        let messages = [
            Message::user("what?"),
            Message::assistant("a dog"),
            Message::user("sure?"),
        ];
        let request = Request {
            images: &[b"\xff\xd8\xff\xe0"],
            messages: &messages,
            max_new_tokens: 7,
            stop: Stop::AtLimit,
            pass: Pass::Fused,
        };
        let found = body("m", &request, &Extra::ALL);
        let expected = json!({
            "model": "m",
            "messages": [
                {"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4A=="}},
                    {"type": "text", "text": "what?"},
                ]},
                {"role": "assistant", "content": "a dog"},
                {"role": "user", "content": "sure?"},
            ],
            "max_tokens": 7,
            "temperature": 0,
            "stream": true,
            "stream_options": {"include_usage": true},
            "seed": 0,
            "ignore_eos": true,
            "cache_prompt": false,
        });
        assert_eq!(found, expected);
        let natural = Request {
            stop: Stop::AtStopId,
            ..request
        };
        assert_eq!(body("m", &natural, &Extra::ALL)["ignore_eos"], Value::Null);
        assert_eq!(body("m", &natural, &[])["seed"], Value::Null);
    }
}
