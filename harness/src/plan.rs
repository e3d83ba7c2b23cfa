//! What is to be measured, in order, and the hash by which an interrupted session is known again.
//! Pure.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use store::{Cell, Metric, Run};

use crate::message::{Epoch, Neighbour};
use crate::models::{Backend, Device, Place, Precision};
use crate::scenarios::{Needs, Profile, Scenario};
use crate::source::Model;

/// What a plan is made of.
#[derive(Clone)]
pub struct Wanted {
    /// How much time to take.
    pub profile: Profile,
    /// What the order and all random choices grow from.
    pub seed: u64,
    /// Models, in the order of the table.
    pub models: Vec<Model>,
    /// Tensor libraries and where they compute.
    pub places: Vec<Place>,
    /// In what type.
    pub precision: Precision,
    /// Scenarios, in order.
    pub scenarios: Vec<&'static dyn Scenario>,
    /// Digest of the probe set.
    pub probes: String,
    /// Identity of this program: figures of two builds never share a session.
    pub build: String,
}

/// One cell with everything needed to measure it.
#[derive(Clone)]
pub struct Planned {
    /// The script.
    pub scenario: &'static dyn Scenario,
    /// The model.
    pub model: Model,
    /// The tensor library.
    pub backend: Backend,
    /// Where it computes.
    pub device: Device,
    /// In what type.
    pub precision: Precision,
    /// Its fresh processes, in order.
    pub epochs: Vec<Epoch>,
    /// Another model of the plan, if there is one.
    pub neighbour: Option<Neighbour>,
}

impl std::fmt::Debug for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Planned")
            .field(&self.cell(String::new()))
            .finish()
    }
}

impl Planned {
    /// The cell as the store knows it; its precision is known once a worker has loaded.
    #[must_use]
    pub fn cell(&self, precision: String) -> Cell {
        Cell {
            model: self.model.name.clone(),
            scenario: self.scenario.name().to_owned(),
            version: Some(self.scenario.version()),
            backend: self.backend.to_string(),
            device: match &self.model.server {
                Some(server) => server.place(),
                None => self.device.to_string(),
            },
            precision,
            weights: self.model.weights.to_owned(),
            revision: self.model.revision.clone(),
        }
    }

    /// Why all values of an epoch are worthless, see [`Scenario::worthless`]. Of invented weights no answer
    /// is judged.
    #[must_use]
    pub fn worthless(&self, shown: &BTreeMap<Metric, Vec<f64>>) -> Option<String> {
        let trained = self.model.weights != "dummy";
        trained.then(|| self.scenario.worthless(shown))?
    }

    /// Whether this run is of this cell.
    #[must_use]
    pub fn is_of(&self, run: &Run) -> bool {
        self.cell(run.cell.precision.clone()) == run.cell
    }
}

/// Cells in the order of the table.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The cells.
    pub cells: Vec<Planned>,
    /// How much time to take.
    pub profile: Profile,
    /// What the order and all random choices grow from.
    pub seed: u64,
    /// SHA-256 in hex over everything that makes two sessions the same.
    pub hash: String,
}

impl Plan {
    /// Makes the plan: model after model, and per model the scenarios in order. Scenarios whose
    /// answers count are left out for random weights, and those without epochs in this profile.
    #[must_use]
    pub fn new(wanted: &Wanted) -> Self {
        let mut cells = Vec::new();
        for (number, model) in wanted.models.iter().enumerate() {
            let others = wanted.models.iter().cycle().skip(number + 1);
            let neighbour = others
                .take(wanted.models.len() - 1)
                .find(|other| other.dir != model.dir)
                .map(|other| Neighbour {
                    dir: other.dir.clone(),
                    weight_bytes: other.weight_bytes,
                });
            for &Place { backend, device } in &wanted.places {
                for &scenario in &wanted.scenarios {
                    if !suits(scenario, model) {
                        continue;
                    }
                    let (model, precision) = (model.clone(), wanted.precision);
                    let epochs = scenario.epochs(wanted.profile);
                    if epochs.is_empty() {
                        continue;
                    }
                    let neighbour = neighbour.clone();
                    cells.push(Planned {
                        scenario,
                        model,
                        backend,
                        device,
                        precision,
                        epochs,
                        neighbour,
                    });
                }
            }
        }
        let hash = hash(wanted, &cells);
        Self {
            cells,
            hash,
            profile: wanted.profile,
            seed: wanted.seed,
        }
    }
}

/// Whether a scenario makes sense with these weights.
fn suits(scenario: &dyn Scenario, model: &Model) -> bool {
    match scenario.needs() {
        Needs::AnyWeights => true,
        Needs::TrainedWeights => model.weights != "dummy",
        Needs::Loading => model.server.is_none(),
    }
}

fn hash(wanted: &Wanted, cells: &[Planned]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        // Lengths keep neighbours apart: "ab" + "c" is not "a" + "bc".
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(wanted.profile.name());
    add(&wanted.seed.to_string());
    add(&wanted.precision.to_string());
    add(&wanted.probes);
    add(&wanted.build);
    for planned in cells {
        let cell = planned.cell(String::new());
        for text in [
            &cell.model,
            &cell.scenario,
            &cell.backend,
            &cell.device,
            &cell.weights,
            &cell.revision,
        ] {
            add(text);
        }
        add(&planned.scenario.version().to_string());
        add(&format!("{:?}", planned.epochs));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::SCENARIOS;

    fn model(name: &str, weights: &'static str) -> Model {
        Model {
            name: name.to_owned(),
            dir: "/nowhere".into(),
            weights,
            revision: "r1".to_owned(),
            weight_files: Vec::new(),
            weight_bytes: 1,
            argument: String::new(),
            seal: None,
            server: None,
        }
    }

    const fn place(backend: Backend) -> Place {
        let device = Device::Cpu;
        Place { backend, device }
    }

    fn wanted() -> Wanted {
        Wanted {
            profile: Profile::Quick,
            seed: 0,
            models: vec![model("one", "local"), model("two", "dummy")],
            places: vec![place(Backend::Candle)],
            precision: Precision::Native,
            scenarios: SCENARIOS.to_vec(),
            probes: "p".to_owned(),
            build: "b".to_owned(),
        }
    }

    #[test]
    fn random_weights_skip_what_only_answers_show() {
        let plan = Plan::new(&wanted());
        let of = |name: &str| -> Vec<_> {
            let cells = plan.cells.iter().filter(|cell| cell.model.name == name);
            cells.map(|cell| cell.scenario.name()).collect()
        };
        let quick = |scenario: &&&dyn Scenario| !scenario.epochs(Profile::Quick).is_empty();
        assert_eq!(of("one").len(), SCENARIOS.iter().filter(quick).count());
        let speed = [
            "cold-load",
            "warm-inference",
            "warm-text",
            "state-drift",
            "lifecycle",
        ];
        assert_eq!(of("two"), speed);
    }

    #[test]
    fn answers_of_invented_weights_are_not_judged() {
        let plan = Plan::new(&wanted());
        let alike = BTreeMap::from([(Metric::OutputHash, vec![7.0; 3])]);
        let judged = |name: &str| {
            let warm = |cell: &&Planned| {
                (cell.model.name.as_str(), cell.scenario.name()) == (name, "warm-inference")
            };
            plan.cells.iter().find(warm).unwrap().worthless(&alike)
        };
        assert!(judged("one").is_some_and(|reason| reason.starts_with("I4")));
        assert_eq!(judged("two"), None);
    }

    #[test]
    fn the_hash_changes_with_everything_that_counts() {
        let same = Plan::new(&wanted()).hash;
        assert_eq!(same, Plan::new(&wanted()).hash);
        let check = |change: fn(&mut Wanted)| {
            let mut other = wanted();
            change(&mut other);
            assert_ne!(Plan::new(&other).hash, same);
        };
        check(|wanted| wanted.profile = Profile::Full);
        check(|wanted| wanted.seed = 1);
        check(|wanted| wanted.models.truncate(1));
        check(|wanted| wanted.models[0].revision.push('x'));
        check(|wanted| wanted.scenarios.truncate(2));
        check(|wanted| wanted.precision = Precision::F32);
        check(|wanted| wanted.places[0].device = Device::Metal);
        check(|wanted| wanted.places.push(place(Backend::Mlx)));
        check(|wanted| wanted.probes.push('x'));
        check(|wanted| wanted.build.push('x'));
    }
}
