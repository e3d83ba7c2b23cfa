//! A server as a model under test.

use std::time::Instant;

use super::Server;
use super::answer::{Answer, Next};
use super::body::{Extra, body};
use super::http::{Client, Refusal, STALLED};
use super::sse::Events;
use crate::Error;
use crate::message::one_line;
use crate::subject::{
    Allocator, AskError, Loaded, Message, Pass, Reply, Request, Stages, Stop, Subject, Turns, View,
};

/// Where chats are answered.
const CHAT: &str = "/v1/chat/completions";

/// A server that is asked from outside.
pub struct Remote {
    client: Client,
    model: String,
    loaded: Loaded,
    /// Fields that it has not refused.
    extras: Vec<Extra>,
    /// What is to be said about it, each once.
    notes: Vec<String>,
}

impl Remote {
    /// A server; it is asked nothing yet.
    #[must_use]
    pub fn new(server: &Server) -> Self {
        let format = server.format.as_ref();
        let format = format.map_or_else(
            || "as served".to_owned(),
            |name| format!("{name}, as served"),
        );
        let loaded = Loaded {
            architecture: server.software.clone(),
            precision: format,
            weight_bytes: server.weight_bytes,
            held_bytes: 0,
            read_bytes: 0,
            parameters: server.parameters,
            stop_ids: Vec::new(),
            placeholder: None,
            turns: Turns::Many,
            view: View::Outside,
        };
        let mut remote = Self {
            client: Client::new(&server.address, STALLED),
            model: server.model.clone(),
            loaded,
            extras: Extra::ALL.to_vec(),
            notes: Vec::new(),
        };
        remote.note(
            "seen from outside: phases, ids, logits and loading are n/a; times are the client's, \
             tokens as the server counts them",
        );
        if !server.address.is_here() {
            remote.note(
                "the server is on another machine: times include the network, its memory is n/a",
            );
        } else if server.process.is_none() {
            remote.note(
                "the server's process is not known: its memory is n/a; --server-pid names it",
            );
        }
        remote
    }

    /// Asks for one token, so that the model is there.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) fn rouse(&mut self) -> Result<(), AskError> {
        let messages = [Message::user("Hello")];
        self.ask(&Request {
            images: &[],
            messages: &messages,
            max_new_tokens: 1,
            stop: Stop::AtStopId,
            pass: Pass::Fused,
        })
        .map(drop)
    }

    fn note(&mut self, text: &str) {
        let text = one_line(text);
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Answers one request; without the fields that the server refuses.
    fn answer(&mut self, request: &Request<'_>) -> Result<Reply, AskError> {
        loop {
            let refusal = match self.attempt(request) {
                Err(Failed::Refused(refusal)) => refusal,
                Err(Failed::Broken(why)) => return Err(why.into()),
                Ok(answer) => {
                    self.remember(request, &answer);
                    return Ok(reply(request, answer));
                }
            };
            let names = |extra: &Extra| refusal.why.contains(extra.name());
            let unknown = matches!(refusal.status, Some(400 | 422));
            match self.extras.iter().position(names).filter(|_| unknown) {
                Some(at) => {
                    let extra = self.extras.remove(at);
                    self.note(&format!(
                        "the server refuses the field {}: asked without it",
                        extra.name()
                    ));
                }
                None if is_too_long(&refusal) => {
                    return Err(Error::NotOffered(refusal.why).into());
                }
                None => return Err(refusal.why.into()),
            }
        }
    }

    fn attempt(&self, request: &Request<'_>) -> Result<Answer, Failed> {
        let start = Instant::now();
        let body = body(&self.model, request, &self.extras).to_string();
        let stream = self
            .client
            .stream(CHAT, body.as_bytes())
            .map_err(Failed::Refused)?;
        let mut events = Events::new(stream);
        let (mut answer, mut next) = (Answer::default(), Next::More);
        while next == Next::More {
            let Some(data) = events.next().map_err(Failed::Broken)? else {
                break;
            };
            next = answer
                .take(&data, start.elapsed())
                .map_err(Failed::Broken)?;
        }
        let answer = answer
            .close(next, start.elapsed())
            .map_err(Failed::Broken)?;
        events.drain();
        Ok(answer)
    }

    /// What the answer shows of the server's manners.
    fn remember(&mut self, request: &Request<'_>, answer: &Answer) {
        if answer.thought {
            self.note("some of its answers are thought and not said: what is thought is timed, not scored");
        }
        let count = answer.counts.generated;
        let short = count.is_some_and(|count| count < request.max_new_tokens);
        if request.stop == Stop::AtLimit && short {
            self.note("the server cannot be told to go on: its decode rates are of answers of natural length");
        }
    }
}

/// Why an attempt failed.
enum Failed {
    /// The server did not take the request.
    Refused(Refusal),
    /// The answer broke off, or is none.
    Broken(String),
}

/// Whether the model has no room for the prompt, in the words of llama.cpp, vLLM and Ollama.
fn is_too_long(refusal: &Refusal) -> bool {
    let words = ["context size", "context length", "context window"];
    let why = refusal.why.to_lowercase();
    refusal.status == Some(400) && words.iter().any(|word| why.contains(word))
}

/// The reply as scenarios read it. The prompt is what was sent: the server does not show its own.
fn reply(request: &Request<'_>, answer: Answer) -> Reply {
    let sent: Vec<&str> = request.messages.iter().map(|m| m.text.as_str()).collect();
    Reply {
        prompt: sent.join("\n"),
        stages: Stages {
            tokens: answer.pieces,
            total: answer.whole.unwrap_or_default(),
            ..Stages::default()
        },
        text: answer.text,
        counts: Some(answer.counts),
        ..Reply::default()
    }
}

impl Subject for Remote {
    fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<Reply, AskError> {
        self.answer(request)
    }

    fn memory(&self) -> Allocator {
        Allocator::default()
    }

    fn unload(&mut self) -> Result<(), AskError> {
        Err("a server's model is not ours to unload".into())
    }

    fn load(&mut self) -> Result<(), AskError> {
        Err("a server's model is not ours to load".into())
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}
