//! Requests to the server under test.

use std::io::Read;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::address::Address;
use super::answer::said;
use crate::message::one_line;

/// Most bytes of an answer that is no stream.
const MAX_BYTES: u64 = 4 << 20;

/// Longest wait for the next byte: a long prompt on a slow processor takes minutes before the first.
pub(super) const STALLED: Duration = Duration::from_secs(300);

/// Longest wait for what a server tells about itself.
pub(super) const PROMPT: Duration = Duration::from_secs(10);

/// The variable that holds the key of a server that wants one.
const KEY: &str = "OPENAI_API_KEY";

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What the server answered with, if it answered at all.
    pub(super) status: Option<u16>,
    /// Why, in one line.
    pub(super) why: String,
}

/// Asks one server. Each request has a connection of its own, and follows no redirect, so that the
/// key goes nowhere else.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    address: Address,
    key: Option<String>,
}

impl Client {
    /// A client that waits at most so long for the next byte. A key is sent only where nobody can
    /// read it on the way.
    pub(super) fn new(address: &Address, patience: Duration) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .user_agent(concat!("vlm-bench/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(PROMPT))
            .timeout_connect(Some(PROMPT))
            .timeout_per_read(Some(patience))
            .build()
            .into();
        let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
        Self {
            agent,
            key: key.filter(|_| address.is_private()),
            address: address.clone(),
        }
    }

    /// What the server tells at `path`, as JSON.
    pub(super) fn get(&self, path: &str) -> Result<Value, Refusal> {
        let address = self.address.join(path);
        let mut request = self.agent.get(&address);
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let answer = request.call().map_err(|error| self.silent(&error))?;
        let answer = self.accepted(answer, path)?;
        let text = read(answer);
        serde_json::from_slice(&text)
            .map_err(|error| self.wrong(path, &format!("no JSON: {error}")))
    }

    /// The stream that answers `body`.
    pub(super) fn stream(&self, path: &str, body: &[u8]) -> Result<impl Read, Refusal> {
        let address = self.address.join(path);
        let mut request = self.agent.post(&address);
        request = request
            .header("Content-Type", "application/json")
            .header("Accept", "text/event-stream");
        if let Some(key) = &self.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let answer = request.send(body).map_err(|error| self.silent(&error))?;
        let answer = self.accepted(answer, path)?;
        match kind(&answer).as_str() {
            "text/event-stream" => Ok(answer.into_body().into_reader()),
            "text/html" => Err(self.wrong(path, "an HTML page: is this the address of its API?")),
            other => Err(self.wrong(path, &format!("{other:?} and no stream of events"))),
        }
    }

    fn accepted(&self, answer: Response<Body>, path: &str) -> Result<Response<Body>, Refusal> {
        let status = answer.status();
        if status == StatusCode::OK {
            return Ok(answer);
        }
        let html = kind(&answer) == "text/html";
        let text = read(answer);
        let detail = match serde_json::from_slice::<Value>(&text) {
            Ok(value) => said(value.get("error").unwrap_or(&value)),
            Err(_) if html => "an HTML page".to_owned(),
            Err(_) => one_line(&String::from_utf8_lossy(&text)),
        };
        let hint = match (status.as_u16(), &self.key) {
            (401 | 403, None) if !self.address.is_private() => {
                "; a key is sent over https or to this machine alone"
            }
            (401 | 403, None) => "; set OPENAI_API_KEY",
            (401 | 403, Some(_)) => "; it refuses the key in OPENAI_API_KEY",
            _ => "",
        };
        let colon = if detail.is_empty() { "" } else { ": " };
        let why = format!(
            "{}{path}: status {}{colon}{detail}{hint}",
            self.address,
            status.as_u16()
        );
        Err(Refusal {
            status: Some(status.as_u16()),
            why,
        })
    }

    fn wrong(&self, path: &str, what: &str) -> Refusal {
        Refusal {
            status: Some(StatusCode::OK.as_u16()),
            why: one_line(&format!("{}{path}: answers with {what}", self.address)),
        }
    }

    fn silent(&self, error: &ureq::Error) -> Refusal {
        Refusal {
            status: None,
            why: one_line(&format!("{}: no answer: {error}", self.address)),
        }
    }
}

/// The kind of an answer, without its parameters.
fn kind(answer: &Response<Body>) -> String {
    let header = answer.headers().get("content-type");
    let text = header.and_then(|value| value.to_str().ok());
    let kind = text.and_then(|text| text.split(';').next());
    kind.unwrap_or_default().trim().to_ascii_lowercase()
}

/// The bytes of an answer, as many as are wanted; what breaks off ends there.
fn read(answer: Response<Body>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reader = answer.into_body().into_reader();
    let _ = reader.take(MAX_BYTES).read_to_end(&mut bytes);
    bytes
}
