//! Noise floors of machines.

use chrono::{DateTime, Utc};
use rusqlite::Params;

use super::Db;
use super::cells::{Cells, stamp};
use super::write::machine as keep_machine;
use crate::error::{Error, Result};
use crate::metric::Metric;
use crate::run::Machine;

/// How far two measurements of the same thing differ on a machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// When it was measured.
    pub at: DateTime<Utc>,
    /// Of what.
    pub metric: Metric,
    /// Relative change below which nothing is claimed, e.g. `0.02`.
    pub floor: f64,
    /// A/A pairs it rests on.
    pub pairs: u32,
    /// Version of the program.
    pub harness: String,
}

impl Db {
    /// Keeps what an A/A run found on a machine.
    ///
    /// # Errors
    /// [`Error::Refused`] for a floor that is not a finite number, or one of the same moment.
    pub fn keep_noise(&mut self, machine: &Machine, floors: &[Noise]) -> Result<()> {
        let subject = format!("noise of {}", machine.key());
        if floors.iter().any(|noise| !noise.floor.is_finite()) {
            return Err(Error::refused(subject, "a floor is not finite"));
        }
        self.change(&subject, |tx| {
            keep_machine(tx, machine)?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO noise (machine, at, metric, floor, pairs, harness)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for noise in floors {
                insert.execute((
                    machine.key(),
                    stamp(noise.at)?,
                    noise.metric.name(),
                    noise.floor,
                    noise.pairs,
                    &noise.harness,
                ))?;
            }
            Ok(())
        })
    }

    /// The newest floor of each metric on a machine, by metric.
    ///
    /// # Errors
    /// [`Error::Row`] with table and row of a broken cell.
    pub fn noise(&self, machine_key: &str) -> Result<Vec<Noise>> {
        let tail = "WHERE machine = ?1 AND at = (SELECT max(at) FROM noise AS newer
                WHERE newer.machine = noise.machine AND newer.metric = noise.metric)";
        self.each_noise(tail, [machine_key])?.into_iter().collect()
    }

    pub(super) fn each_noise(&self, tail: &str, with: impl Params) -> Result<Vec<Result<Noise>>> {
        let query = format!(
            "SELECT machine || ' ' || at || ' ' || metric AS id, noise.* FROM noise {tail}
             ORDER BY machine, metric, at"
        );
        self.each(&query, with, |row| {
            let cells = Cells::new("noise", row, "id");
            Ok(Noise {
                at: cells.time("at")?,
                metric: cells.parsed("metric")?,
                floor: cells.get("floor")?,
                pairs: cells.get("pairs")?,
                harness: cells.get("harness")?,
            })
        })
    }
}
