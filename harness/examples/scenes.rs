//! Makes the probe set `scenes` again: `cargo run --release -p harness --example scenes -- DIR [SEED]`.
//!
//! Without a seed it is the set that is kept in `datasets/scenes`; with another seed, other pictures
//! and questions of the same kinds.

use std::path::Path;

use anyhow::{Context, Result};
use harness::scenes::SetFiles;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().context("usage: scenes DIR [SEED]")?;
    let seed = args.next().map_or(Ok(SetFiles::KEPT), |seed| {
        seed.parse()
            .with_context(|| format!("seed {seed:?}: not a number"))
    })?;
    SetFiles::new(seed)
        .write(Path::new(&dir))
        .with_context(|| format!("{dir}: cannot write"))
}
