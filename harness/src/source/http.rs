//! Requests to the hub: where they may go, what is tried again, and what a refusal means.
//!
//! `hf-hub`'s own client is not used: it takes whatever a server sends without checking it,
//! drops the `Retry-After` of an answer, waits for ever on a silent connection, and panics where a
//! redirect has no target. Its layout of the cache is used, see [`super::cache`].

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail};
use ureq::http::uri::Scheme;
use ureq::http::{HeaderMap, Response, StatusCode, Uri};
use ureq::{Agent, Body};

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The same again may work.
    Passing {
        /// What happened.
        why: String,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
    /// It will not.
    Final(Error),
}

impl Failure {
    pub(super) fn passing(why: impl Into<String>) -> Self {
        let (why, wait) = (why.into(), None);
        Self::Passing { why, wait }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// A connection to one hub.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    endpoint: Uri,
    token: Option<String>,
}

impl Client {
    /// `$HF_ENDPOINT`, else the public hub; `$HF_TOKEN` where it is set.
    pub(super) fn from_environment() -> Result<Self> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let uri: Uri = endpoint
            .trim_end_matches('/')
            .parse()
            .map_err(|error| anyhow!("HF_ENDPOINT {endpoint:?}: {error}"))?;
        let safe = uri.scheme() == Some(&Scheme::HTTPS) || is_loopback(&uri);
        if !safe || uri.authority().is_none() || uri.path() != "/" {
            bail!("HF_ENDPOINT {endpoint:?}: name an https address without a path");
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("vlm-bench/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_resolve(Some(Duration::from_secs(30)))
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(Duration::from_secs(60)))
            .timeout_per_read(Some(Duration::from_secs(60)))
            .build()
            .into();
        Ok(Self {
            agent,
            endpoint: uri,
            token: set("HF_TOKEN"),
        })
    }

    /// The hub's address, as in messages.
    pub(super) fn endpoint(&self) -> String {
        self.endpoint.to_string().trim_end_matches('/').to_owned()
    }

    /// Asks for the bytes of `path` from byte `from` on; the answer is 200 or 206.
    pub(super) fn get(&self, path: &str, from: u64) -> Result<Response<Body>, Failure> {
        const MOST_REDIRECTS: usize = 5;
        let mut uri = self.absolute(&self.endpoint, path)?;
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.agent.get(uri.clone());
            if from > 0 {
                request = request.header("Range", format!("bytes={from}-"));
            }
            let home = (uri.scheme(), uri.authority())
                == (self.endpoint.scheme(), self.endpoint.authority());
            if let Some(token) = self.token.as_ref().filter(|_| home) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let answer = request
                .call()
                .map_err(|error| Failure::passing(format!("{}: {error}", place(&uri))))?;
            if !answer.status().is_redirection() {
                return self.accepted(answer, &uri);
            }
            let target = text(answer.headers(), "location").unwrap_or_default();
            uri = self.absolute(&uri, &target)?;
        }
        Err(anyhow!("{}: more than {MOST_REDIRECTS} redirects", place(&uri)).into())
    }

    /// `target` as seen from `base`, if requests may go there.
    fn absolute(&self, base: &Uri, target: &str) -> Result<Uri> {
        let parsed = match target.starts_with('/') && !target.starts_with("//") {
            true => {
                let mut parts = base.clone().into_parts();
                parts.path_and_query = Some(target.parse()?);
                Uri::from_parts(parts)?
            }
            false => target.parse().unwrap_or_default(),
        };
        let safe = parsed.scheme() == Some(&Scheme::HTTPS)
            || (is_loopback(&parsed) && is_loopback(&self.endpoint));
        if !safe {
            bail!(
                "{}: redirects to {target:?}: only https addresses are followed",
                place(base)
            );
        }
        Ok(parsed)
    }

    fn accepted(&self, answer: Response<Body>, uri: &Uri) -> Result<Response<Body>, Failure> {
        let status = answer.status();
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(answer),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(busy(&answer, uri)),
            _ if status.is_server_error() => Err(busy(&answer, uri)),
            _ => Err(self.refusal(&answer, uri).into()),
        }
    }

    /// One line for an answer that will not change, with what to do.
    fn refusal(&self, answer: &Response<Body>, uri: &Uri) -> Error {
        let code = text(answer.headers(), "x-error-code").unwrap_or_default();
        let token = match self.token {
            Some(_) => "the token in HF_TOKEN has no access to it",
            None => "if it is private, set HF_TOKEN",
        };
        match (code.as_str(), answer.status().as_u16()) {
            ("GatedRepo", _) | (_, 403) => anyhow!(
                "gated: accept its licence on its page at {}, then set HF_TOKEN to a token of that account",
                self.endpoint()
            ),
            ("RevisionNotFound", _) => {
                anyhow!("no such revision on the hub: name another one after @")
            }
            ("EntryNotFound", _) => anyhow!("no such file in the repository"),
            ("RepoNotFound", _) | (_, 401) => {
                anyhow!("no such repository on the hub: check the name; {token}")
            }
            (_, 404) => anyhow!("no such repository or revision on the hub: check both; {token}"),
            (_, status) => anyhow!("{} answers with status {status}", place(uri)),
        }
    }
}

fn busy(answer: &Response<Body>, uri: &Uri) -> Failure {
    let why = format!("{} answers with status {}", place(uri), answer.status());
    let wait = text(answer.headers(), "retry-after").and_then(|text| retry_after(&text));
    Failure::Passing { why, wait }
}

/// Seconds, or the date to wait for.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
    let left = date.signed_duration_since(chrono::Utc::now());
    Some(left.to_std().unwrap_or_default())
}

/// The text of a header.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Host and path: a signed address' query is nobody's business.
fn place(uri: &Uri) -> String {
    format!("{}{}", uri.host().unwrap_or_default(), uri.path())
}

/// Whether it is plain HTTP to this machine.
fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let number = host.trim_matches(['[', ']']).parse::<IpAddr>();
    uri.scheme() == Some(&Scheme::HTTP)
        && (host == "localhost" || number.is_ok_and(|address| address.is_loopback()))
}

/// How often and how long something is tried again.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    /// Failures in a row without getting on.
    const MOST_FAILURES: u32 = 6;
    /// The longest time that a server may ask to wait.
    const LONGEST_WAIT: Duration = Duration::from_secs(300);

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// When there is none: the failure is final, or one too many.
    pub(super) fn wait(&mut self, failure: Failure) -> Result<()> {
        let (why, asked) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { why, wait } => (why, wait),
        };
        self.failures += 1;
        if self.failures >= Self::MOST_FAILURES {
            bail!(
                "{why}: gave up after {} attempts, try again later",
                self.failures
            );
        }
        let backoff = Duration::from_millis(250 << self.failures);
        let wait = asked.unwrap_or(backoff);
        if wait > Self::LONGEST_WAIT {
            bail!("{why}, and to come back in {} s", wait.as_secs());
        }
        std::thread::sleep(wait);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_dates() {
        assert_eq!(retry_after(" 17 "), Some(Duration::from_secs(17)));
        let past = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(retry_after(past), Some(Duration::ZERO));
        let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(90);
        let left = retry_after(&soon.to_rfc2822()).unwrap();
        assert!((80..=90).contains(&left.as_secs()), "{left:?}");
        assert_eq!(retry_after("later"), None);
    }

    #[test]
    fn only_safe_addresses_are_followed() {
        let client = |endpoint: &str| Client {
            agent: Agent::new_with_defaults(),
            endpoint: endpoint.parse().unwrap(),
            token: None,
        };
        let check = |endpoint: &str, target: &str| {
            let client = client(endpoint);
            let found = client.absolute(&client.endpoint, target);
            found.map(|uri| uri.to_string()).ok()
        };
        let hub = "https://hub.example";
        assert_eq!(check(hub, "/a?b"), Some(format!("{hub}/a?b")));
        assert!(check(hub, "https://cdn.example/x").is_some());
        for target in [
            "http://hub.example/x",
            "http://127.0.0.1/x",
            "//other.example/x",
            "file:///etc/hosts",
            "",
            "x",
        ] {
            assert_eq!(check(hub, target), None, "{target}");
        }
        assert!(check("http://127.0.0.1:9", "http://127.0.0.1:8/x").is_some());
        assert_eq!(check("http://127.0.0.1:9", "http://other.example/x"), None);
    }
}
