//! What changed lately, incident by incident.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use store::series::Night;
use store::trend::State;
use store::watch::{Finding, Incident, Meaning};

use super::site::{Site, model_file};
use super::words;
use crate::archive::Place;
use crate::text::one_line;

/// Findings of one incident on a page.
const FINDINGS: usize = 8;

/// Incidents of one window on a page.
const INCIDENTS: usize = 12;

/// The changes of a time, the newest first.
#[derive(Serialize)]
pub(super) struct Window {
    title: &'static str,
    incidents: Vec<IncidentView>,
    more: usize,
}

#[derive(Serialize)]
pub(super) struct IncidentView {
    day: String,
    meaning: &'static str,
    tone: &'static str,
    hint: &'static str,
    findings: Vec<FindingView>,
    more: usize,
}

#[derive(Serialize)]
struct FindingView {
    id: String,
    metric: String,
    model: String,
    variant: String,
    /// In the folder of models, with the chart's id.
    file: String,
    change: String,
    size: String,
    state: &'static str,
    commit: String,
    accepted: String,
}

/// Changes of a machine in its last session, and in the 7 and 30 days before its end, each once.
pub(super) fn windows(site: &Site, place: &Place) -> Vec<Window> {
    let Some(last) = place.sessions.last() else {
        return Vec::new();
    };
    let spans = [
        ("In the last session", last.at),
        ("In the 7 days before", last.at - TimeDelta::days(7)),
        ("In the 30 days before", last.at - TimeDelta::days(30)),
    ];
    let mut until: Option<DateTime<Utc>> = None;
    let mut windows = Vec::new();
    for (title, since) in spans {
        let within = |incident: &&Incident| {
            let at = begun(site, incident);
            at >= since && until.is_none_or(|until| at < until)
        };
        let found: Vec<&Incident> = of_place(site, place).filter(within).collect();
        windows.push(Window {
            title,
            more: found.len().saturating_sub(INCIDENTS),
            incidents: found
                .into_iter()
                .take(INCIDENTS)
                .map(|one| view(site, one, |_| true))
                .collect(),
        });
        until = Some(since);
    }
    windows
}

/// Every change of one model on a machine, the newest first.
pub(super) fn of_model(site: &Site, place: &Place, model: &str) -> Vec<IncidentView> {
    let own = |finding: &Finding| {
        let series = &site.set.series[finding.series];
        site.set.groups[series.group].cell.model == model
    };
    let all = of_place(site, place).map(|incident| view(site, incident, own));
    all.filter(|incident| !incident.findings.is_empty())
        .take(3 * INCIDENTS)
        .collect()
}

fn of_place<'a>(site: &'a Site, place: &'a Place) -> impl Iterator<Item = &'a Incident> {
    let of = |incident: &&Incident| {
        let first = &site.watch.findings[incident.findings[0]];
        site.set.groups[site.set.series[first.series].group].machine == place.key
    };
    site.watch.incidents.iter().filter(of)
}

/// The first night of an incident at its new level.
fn begun(site: &Site, incident: &Incident) -> DateTime<Utc> {
    let at = |&finding: &usize| night(site, &site.watch.findings[finding]).at;
    incident.findings.iter().map(at).min().unwrap_or_default()
}

fn night<'a>(site: &'a Site, finding: &Finding) -> &'a Night {
    &site.set.nights[site.set.series[finding.series].figures[finding.point.index].0]
}

fn view(site: &Site, incident: &Incident, keep: impl Fn(&Finding) -> bool) -> IncidentView {
    let all = incident.findings.iter().map(|&at| &site.watch.findings[at]);
    let kept: Vec<&Finding> = all.filter(|finding| keep(finding)).collect();
    let first = &site.watch.findings[incident.findings[0]];
    let accepted = first.accepted.is_some();
    let (tone, meaning) = match first.meaning {
        _ if accepted => ("", first.meaning.name()),
        Meaning::Regression => ("bad", "regression"),
        Meaning::Behaviour => ("warn", "changed behaviour"),
        Meaning::Improvement => ("good", "improvement"),
    };
    let hint = match first.point.state {
        _ if accepted => "accepted",
        State::Suspect => "unconfirmed: one night alone says little",
        _ if incident.is_machine() => "half of all series moved: look at the machine first",
        _ => "",
    };
    IncidentView {
        day: begun(site, incident).format("%Y-%m-%d").to_string(),
        meaning,
        tone,
        hint,
        more: kept.len().saturating_sub(FINDINGS),
        findings: kept
            .into_iter()
            .take(FINDINGS)
            .map(|one| finding(site, one))
            .collect(),
    }
}

fn finding(site: &Site, finding: &Finding) -> FindingView {
    let series = &site.set.series[finding.series];
    let (group, name) = (&site.set.groups[series.group], series.metric.name());
    let (cell, commit) = (&group.cell, night(site, finding).commit.as_deref());
    FindingView {
        id: finding.id.clone(),
        metric: name.replace('_', " "),
        model: one_line(&cell.model),
        variant: one_line(&format!(
            "{} {}, {}",
            cell.backend, cell.device, cell.scenario
        )),
        file: format!(
            "{}#{}",
            model_file(&group.machine, &cell.model),
            name.replace('_', "-")
        ),
        change: words::change(series.metric, finding),
        size: words::size(&finding.point),
        state: finding.point.state.name(),
        commit: commit.map_or_else(
            || "commit unknown".to_owned(),
            |commit| one_line(&commit.chars().take(10).collect::<String>()),
        ),
        accepted: finding
            .accepted
            .as_deref()
            .map_or_else(String::new, one_line),
    }
}
