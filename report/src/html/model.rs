//! The page of one model on one machine.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use store::Uuid;
use store::series::Group;

use super::conditions;
use super::curves;
use super::files::slug;
use super::frame::Frame;
use super::json;
use super::lines::{Stamp, Turn, Variant, key};
use super::outputs::{self, Outputs};
use super::recent::{self, IncidentView};
use super::session;
use super::site::{Recent, Site, model_file};
use super::table::{self, Notes, Table};
use super::trend::{self, Charts};
use crate::archive::{Entry, Place, commit, environment};
use crate::text::one_line;

/// Most variants on one page: there are as many colours.
const VARIANTS: usize = 8;

/// What a page is about, and what its parts are made of.
pub(super) struct Subject<'a> {
    pub site: &'a Site,
    pub place: &'a Place,
    pub model: String,
    /// The pages that this one links to.
    pub recent: &'a Recent,
    /// That of most nights first.
    pub variants: Vec<Variant>,
    /// Of every session of the machine, oldest first.
    pub stamps: Vec<Stamp>,
    sessions: HashMap<Uuid, usize>,
}

#[derive(Serialize)]
struct Page {
    frame: Frame,
    name: String,
    machine: String,
    machine_key: String,
    links: Vec<Link>,
    table: Table,
    notes: Notes,
    changes: Vec<IncidentView>,
    variants: Vec<Variant>,
    groups: Vec<Charts>,
    outputs: Vec<Outputs>,
    /// Where conditions changed, the newest first.
    turns: Vec<Told>,
    sessions: String,
}

/// A session under other conditions than the one before.
#[derive(Serialize)]
struct Told {
    at: String,
    text: String,
}

/// To the newest session of the model, and to what changed in it.
#[derive(Serialize)]
struct Link {
    to: String,
    text: String,
}

/// Sessions as the script takes them: texts that many share are kept once.
#[derive(Serialize)]
struct Sessions<'a> {
    at: Vec<&'a str>,
    commits: Vec<&'a str>,
    commit: Vec<usize>,
    environments: Vec<&'a str>,
    environment: Vec<usize>,
    turns: &'a [Turn],
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        site: &'a Site,
        (place, recent): (&'a Place, &'a Recent),
        model: &str,
    ) -> Self {
        let sessions = place.sessions.iter().enumerate();
        let stamp = |session: &store::Session| Stamp {
            at: session.at.format("%Y-%m-%d %H:%M UTC").to_string(),
            commit: commit(session),
            environment: environment(session),
        };
        Self {
            site,
            place,
            recent,
            variants: variants(site, &place.key, model),
            stamps: place.sessions.iter().map(stamp).collect(),
            sessions: sessions.map(|(at, session)| (session.id, at)).collect(),
            model: model.to_owned(),
        }
    }

    /// The position of a session among the stamps.
    pub(super) fn stamp(&self, session: Uuid) -> usize {
        self.sessions.get(&session).copied().unwrap_or_default()
    }

    /// The variant that newest figures belong to: of several, the one of most nights.
    pub(super) fn variant_of(&self, cell: [&str; 4]) -> Option<usize> {
        let same = |variant: &Variant| variant.key.iter().zip(cell).all(|(part, of)| part == of);
        self.variants.iter().position(same)
    }
}

/// The page as text, and its file.
pub(super) fn page(subject: &Subject<'_>) -> (String, impl Serialize + use<>) {
    let place = subject.place;
    let entries: Vec<Entry> = place.entries();
    let own = entries
        .into_iter()
        .filter(|entry| entry.row.model == subject.model);
    let own: Vec<Entry> = own.collect();
    let mut groups = trend::groups(subject);
    groups.extend(curves::group(subject, &own));
    let name = one_line(&subject.model);
    let turns = conditions::turns(&measured(subject));
    let page = Page {
        frame: Frame::within(&format!("{name} on {}", place.name())),
        name,
        machine: place.name(),
        machine_key: place.key.clone(),
        links: links(subject),
        table: table::table(place, &own),
        notes: table::notes_of(&own),
        changes: recent::of_model(subject.site, place, &subject.model),
        variants: subject.variants.clone(),
        groups,
        outputs: outputs::outputs(subject),
        turns: turns.iter().rev().map(|turn| told(subject, turn)).collect(),
        sessions: sessions(subject, &turns),
    };
    (model_file(&place.key, &subject.model), page)
}

/// The sessions in which the model was measured, with their stamps.
fn measured<'a>(subject: &Subject<'a>) -> Vec<(usize, &'a store::Session)> {
    let set = &subject.site.set;
    let series = subject.site.series_of(&subject.place.key, &subject.model);
    let nights = series.iter().flat_map(|&at| &set.series[at].figures);
    let own: BTreeSet<usize> = nights
        .map(|&(night, _)| subject.stamp(set.nights[night].session))
        .collect();
    own.into_iter()
        .filter_map(|at| Some((at, subject.place.sessions.get(at)?)))
        .collect()
}

fn told(subject: &Subject<'_>, turn: &Turn) -> Told {
    Told {
        at: subject.stamps[turn.at].at.clone(),
        text: turn.text.clone(),
    }
}

fn links(subject: &Subject<'_>) -> Vec<Link> {
    let (recent, model) = (subject.recent, &subject.model);
    let anchor = slug(model);
    let run = recent.newest.get(model).map(|session| Link {
        to: format!("../run/{}#{anchor}", session::file(session)),
        text: format!("Session of {}", session::at(session)),
    });
    let newest = subject.place.sessions.last();
    let compared = newest.filter(|_| recent.compared.contains(model));
    let compared = compared.map(|session| Link {
        to: format!("../compare/{}#{anchor}", session::file(session)),
        text: "Newest session against the one before".to_owned(),
    });
    run.into_iter().chain(compared).collect()
}

fn sessions(subject: &Subject<'_>, turns: &[Turn]) -> String {
    let (commits, commit) = coded(subject.stamps.iter().map(|stamp| stamp.commit.as_str()));
    let (environments, environment) = coded(
        subject
            .stamps
            .iter()
            .map(|stamp| stamp.environment.as_str()),
    );
    let at = |stamp: &'_ Stamp| stamp.at.trim_end_matches(" UTC").to_owned();
    let at: Vec<String> = subject.stamps.iter().map(at).collect();
    json::block(&Sessions {
        at: at.iter().map(String::as_str).collect(),
        commits,
        commit,
        environments,
        environment,
        turns,
    })
}

/// Different texts in order of appearance, and the place of each among them.
fn coded<'a>(texts: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, Vec<usize>) {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut different = Vec::new();
    let code = |text: &'a str| {
        *places.entry(text).or_insert_with(|| {
            different.push(text);
            different.len() - 1
        })
    };
    let codes = texts.map(code).collect();
    (different, codes)
}

/// The variants of a model, that of most nights first: those of its suite, profile and branch are shown.
fn variants(site: &Site, machine: &str, model: &str) -> Vec<Variant> {
    let mut nights: BTreeMap<[String; 7], (usize, &Group)> = BTreeMap::new();
    for &at in site.series_of(machine, model) {
        let series = &site.set.series[at];
        let group = &site.set.groups[series.group];
        let known = nights.entry(key(group)).or_insert((0, group));
        known.0 = known.0.max(series.figures.len());
    }
    let mut keys: Vec<([String; 7], usize)> = nights
        .into_iter()
        .map(|(key, (count, _))| (key, count))
        .collect();
    keys.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    keys.truncate(VARIANTS);
    let keys: Vec<[String; 7]> = keys.into_iter().map(|(key, _)| key).collect();
    let told: Vec<usize> = (0..7)
        .filter(|&part| keys.iter().any(|key| key[part] != keys[0][part]))
        .collect();
    let variant = |key: &[String; 7]| {
        let parts = told.iter().map(|&part| key[part].as_str());
        let named = if told.is_empty() {
            key[..2].join(" ")
        } else {
            parts.collect::<Vec<_>>().join(", ")
        };
        Variant {
            id: slug(&key.join(" ")),
            name: one_line(&named),
            on: key[4..] == keys[0][4..],
            key: key.clone(),
        }
    };
    keys.iter().map(variant).collect()
}
