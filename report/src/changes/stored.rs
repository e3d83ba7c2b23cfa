//! Changes of stored series, incident by incident.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::Metric;
use store::series::{Group, Night, SeriesSet};
use store::trend::State;
use store::watch::{Finding, Incident, Watch};

use super::{described, size};
use crate::text::one_line;

/// What was found in a database.
pub(super) struct Found<'a> {
    pub set: &'a SeriesSet,
    pub watch: &'a Watch,
    /// Machines in words, by key.
    pub machines: BTreeMap<String, String>,
}

impl Found<'_> {
    pub(super) fn group(&self, finding: &Finding) -> (&Group, Metric) {
        let series = &self.set.series[finding.series];
        (&self.set.groups[series.group], series.metric)
    }

    /// The night at a position of the finding's series.
    pub(super) fn night(&self, finding: &Finding, at: usize) -> &Night {
        let figures = &self.set.series[finding.series].figures;
        &self.set.nights[figures[at].0]
    }

    /// Last night before the change may have happened, and last night by which it had.
    pub(super) fn bounds(&self, finding: &Finding) -> (&Night, &Night) {
        let (first, last) = finding.point.range;
        (
            self.night(finding, first.saturating_sub(1)),
            self.night(finding, last),
        )
    }

    pub(super) fn machine(&self, key: &str) -> String {
        self.machines
            .get(key)
            .map_or(key, String::as_str)
            .to_owned()
    }

    /// One document.
    pub(super) fn json(&self) -> Value {
        let finding = |&at: &usize| self.finding_json(&self.watch.findings[at]);
        let incident = |incident: &Incident| {
            let first = &self.watch.findings[incident.findings[0]];
            let (group, _) = self.group(first);
            json!({
                "machine": group.machine,
                "description": self.machine(&group.machine),
                "meaning": first.meaning.name(),
                "series_watched": incident.watched,
                "machine_suspected": incident.is_machine(),
                "changes": incident.findings.iter().map(finding).collect::<Vec<_>>(),
            })
        };
        let gone = |&(series, found, withdrawn): &(usize, usize, usize)| {
            let figures = &self.set.series[series].figures;
            let night = |at: usize| &self.set.nights[figures[at].0];
            let of = &self.set.series[series];
            json!({
                "series": self.set.groups[of.group].key(of.metric),
                "run": night(found).run,
                "found": night(found).at,
                "withdrawn": night(withdrawn).at,
            })
        };
        json!({
            "series": self.set.series.len(),
            "incidents": self.watch.incidents.iter().map(incident).collect::<Vec<_>>(),
            "withdrawn": self.watch.withdrawn.iter().map(gone).collect::<Vec<_>>(),
        })
    }

    fn finding_json(&self, finding: &Finding) -> Value {
        let (group, metric) = self.group(finding);
        let (before, after) = self.bounds(finding);
        let night =
            |night: &Night| json!({ "run": night.run, "at": night.at, "commit": night.commit });
        let cell = &group.cell;
        let mut value = described(&finding.point);
        value["id"] = json!(finding.id);
        value["series"] = json!(group.key(metric));
        value["metric"] = json!(metric.name());
        value["unit"] = json!(metric.spec().unit.name());
        value["meaning"] = json!(finding.meaning.name());
        value["below_smallest_change"] = json!(finding.is_small);
        value["accepted"] = json!(finding.accepted);
        value["after_night"] = night(before);
        value["by_night"] = night(after);
        value["suite"] = json!(group.suite);
        value["profile"] = json!(group.profile);
        value["branch"] = json!(group.branch);
        value["cell"] = json!({
            "model": cell.model, "scenario": cell.scenario, "backend": cell.backend,
            "device": cell.device, "precision": cell.precision, "weights": cell.weights,
        });
        value
    }

    /// Lines for people.
    pub(super) fn text(&self) -> String {
        let (series, nights) = (self.set.series.len(), self.set.nights.len());
        let counts = format!("{series} series of {nights} runs");
        if self.watch.findings.is_empty() {
            return format!("no change in {counts}\n");
        }
        let incidents: Vec<String> = self
            .watch
            .incidents
            .iter()
            .map(|incident| self.incident(incident))
            .collect();
        let found = self.watch.findings.len();
        let plural = if found == 1 { "" } else { "s" };
        let mut text = format!(
            "{found} change{plural} in {counts}\n\n{}",
            incidents.join("\n")
        );
        let gone = self.watch.withdrawn.len();
        if gone > 0 {
            text += &format!(
                "\n{gone} more confirmed once and contradicted by later nights: --json lists them\n"
            );
        }
        text
    }

    fn incident(&self, incident: &Incident) -> String {
        let first = &self.watch.findings[incident.findings[0]];
        let (group, _) = self.group(first);
        let night = self.night(first, first.point.index);
        let hint = match (first.point.state, &first.accepted) {
            (State::Suspect, _) => ", unconfirmed",
            (_, Some(_)) => ", accepted",
            _ if incident.is_machine() => ": half of all series moved, look at the machine first",
            _ => "",
        };
        let mut text = format!(
            "{}  {}  {}{hint}\n",
            night.at.format("%Y-%m-%d"),
            first.meaning.name(),
            one_line(&self.machine(&group.machine)),
        );
        for &at in &incident.findings {
            text += &self.finding(&self.watch.findings[at]);
        }
        text
    }

    fn finding(&self, finding: &Finding) -> String {
        let (group, metric) = self.group(finding);
        let (cell, unit) = (&group.cell, metric.spec().unit);
        let point = &finding.point;
        let (before, after) = self.bounds(finding);
        let small = if finding.is_small {
            ", below the smallest change of interest"
        } else {
            ""
        };
        let accepted = finding
            .accepted
            .as_deref()
            .map(|reason| format!("    accepted: {}\n", one_line(reason)));
        format!(
            "  {}  {}  {}  {} to {}  {}, {} night{}{small}\n    {}\n    after {}, by {}\n{}",
            finding.id,
            metric.name(),
            size(point),
            unit.format(point.before),
            unit.format(point.after),
            point.state.name(),
            point.nights,
            if point.nights == 1 { "" } else { "s" },
            one_line(&format!(
                "{} {} {}/{} {} {} weights, {}/{}{}{}",
                cell.model,
                cell.scenario,
                cell.backend,
                cell.device,
                cell.precision,
                cell.weights,
                group.suite,
                group.profile,
                if group.branch.is_empty() { "" } else { " on " },
                group.branch
            )),
            dated(before),
            dated(after),
            accepted.unwrap_or_default(),
        )
    }
}

/// `2026-05-29 (0123456789ab)`.
pub(super) fn dated(night: &Night) -> String {
    let commit = night.commit.as_deref().unwrap_or("commit unknown");
    let short: String = one_line(commit).chars().take(14).collect();
    format!("{} ({short})", night.at.format("%Y-%m-%d"))
}
