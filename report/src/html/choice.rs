//! The page on which any two sessions are chosen and set side by side.

use serde::Serialize;
use store::Session;
use store::gate::headers;

use super::frame::Frame;
use super::json;
use super::session::{self, Link};
use super::sheet;
use super::site::Site;
use crate::text::one_line;

/// Where the page is.
pub(super) const FILE: &str = "compare/index.html";

#[derive(Serialize)]
struct Page {
    frame: Frame,
    machines: Vec<Machine>,
    /// What the script needs to know of the sessions.
    data: String,
}

/// The sessions of one machine that have a page, the newest first.
#[derive(Serialize)]
struct Machine {
    name: String,
    sessions: Vec<Link>,
    /// File of the newest session against the one before, where there is one.
    compared: Option<String>,
}

#[derive(Default, Serialize)]
struct Data {
    headers: Vec<&'static str>,
    sessions: Vec<Known>,
    /// Scripts that hold verdicts.
    judged: Vec<String>,
    /// The sessions to begin with.
    base: String,
    head: String,
}

#[derive(Serialize)]
struct Known {
    id: String,
    machine: String,
    suite: String,
    profile: String,
}

/// Whether there is such a page.
pub(super) fn is_there(site: &Site) -> bool {
    site.places
        .iter()
        .flat_map(|place| site.shown(place))
        .nth(1)
        .is_some()
}

/// The page; none where fewer than two sessions have one.
pub(super) fn page(site: &Site) -> Option<impl Serialize + use<>> {
    let mut data = Data {
        headers: headers().to_vec(),
        ..Data::default()
    };
    let mut machines = Vec::new();
    for place in &site.places {
        let shown: Vec<&Session> = site.shown(place).collect();
        let pairs = sheet::judged(shown.len());
        data.judged
            .extend(pairs.map(|(head, base)| sheet::pair(shown[base], shown[head])));
        data.sessions.extend(shown.iter().map(|session| Known {
            id: session.id.to_string(),
            machine: place.name(),
            suite: one_line(&session.suite),
            profile: one_line(&session.profile),
        }));
        let newest = place.sessions.last();
        let before = newest.and_then(|newest| session::previous(place, newest));
        machines.push(Machine {
            name: place.name(),
            sessions: shown.iter().copied().map(session::link).collect(),
            compared: before.and(newest).map(session::file),
        });
        if let (Some(base), Some(head), true) = (before, newest, data.head.is_empty()) {
            (data.base, data.head) = (base.id.to_string(), head.id.to_string());
        }
    }
    is_there(site).then(|| Page {
        frame: Frame::within("Any two sessions"),
        machines,
        data: json::block(&data),
    })
}
