//! Where a server listens, as a person writes it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ureq::http::Uri;

/// `http://HOST:PORT` or `https://HOST`, with or without a path; `/v1` at its end is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    base: String,
    host: String,
    port: u16,
}

impl Address {
    /// The address of one of its resources; `path` begins with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The host alone.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, written or implied.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is on this machine, by its name alone: nothing is looked up.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let number = self.host.trim_matches(['[', ']']).parse::<IpAddr>();
        self.host == "localhost" || number.is_ok_and(|number| number.is_loopback())
    }

    /// Whether what is sent there can be read on the way.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.is_here() || self.base.starts_with("https://")
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("--url {text:?}: {why}: write http://HOST:PORT");
        let uri: Uri = text.trim().parse().map_err(|_| wrong("no address"))?;
        let implied = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(wrong("neither http nor https")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("no host"))?;
        // A password in an address would be stored and printed with it.
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name"));
        }
        if uri.query().is_some() {
            return Err(wrong("holds a query"));
        }
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path);
        let scheme = uri.scheme_str().unwrap_or_default();
        Ok(Self {
            base: format!("{scheme}://{authority}{path}"),
            host: authority.host().to_lowercase(),
            port: authority.port_u16().unwrap_or(implied),
        })
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.base
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_with_and_without_their_version() {
        let check = |text: &str, base: &str, port, here| {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), base, "{text}");
            assert_eq!((address.port(), address.is_here()), (port, here), "{text}");
        };
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080", 8080, true);
        check(
            "http://localhost:11434/v1/",
            "http://localhost:11434",
            11434,
            true,
        );
        check("http://[::1]:8000/v1", "http://[::1]:8000", 8000, true);
        check(
            "https://gpu.example/api/v1",
            "https://gpu.example/api",
            443,
            false,
        );
        check("http://10.0.0.7", "http://10.0.0.7", 80, false);
    }

    #[test]
    fn what_is_no_address_is_refused_in_one_line() {
        let check = |text: &str, why: &str| {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains(why) && error.lines().count() == 1, "{error}");
        };
        check("127.0.0.1:8080", "no address");
        check("localhost", "neither http nor https");
        check("ftp://localhost", "neither http nor https");
        check("http://me:secret@host", "user name");
        check("http://host/?key=1", "query");
        check("", "no address");
    }
}
