//! What else may matter to a reader of a session: nothing is decided by it.

use store::Facts;

use crate::conditions::{Sampler, State, load};
use crate::measure::nvml::Gpu;
use crate::page_cache::page_size;

/// What holds for a whole session. What cannot be found out is left out.
pub(super) fn facts() -> Facts {
    let known = [
        (
            "features",
            option_env!("VLM_BENCH_FEATURES").map(ToOwned::to_owned),
        ),
        (
            "lock file",
            option_env!("VLM_BENCH_LOCK").map(ToOwned::to_owned),
        ),
        ("GPU driver", Gpu::open().and_then(|gpu| gpu.driver())),
        ("page size", Some(bytes(page_size() as u64))),
        ("locale", locale(|name| std::env::var(name).ok())),
        (
            "time zone",
            Some(chrono::Local::now().format("%:z").to_string()),
        ),
    ];
    named(known)
}

/// How the machine is now: heat, memory, swap, and the load of the last minute.
#[must_use]
pub fn state() -> Facts {
    state_of(&Sampler::new(None).read().state, load())
}

fn state_of(state: &State, load: Option<f64>) -> Facts {
    named([
        (
            "thermal",
            state.thermal.map(|level| level.name().to_owned()),
        ),
        (
            "memory pressure",
            state.pressure.map(|level| level.name().to_owned()),
        ),
        ("memory available", state.available.map(bytes)),
        ("swap used", state.swap_used.map(bytes)),
        ("load", load.map(|load| format!("{load:.2}"))),
    ])
}

fn named<const N: usize>(known: [(&str, Option<String>); N]) -> Facts {
    let known = known.into_iter();
    known
        .filter_map(|(name, text)| Some((name.to_owned(), text.filter(|text| !text.is_empty())?)))
        .collect()
}

fn bytes(count: u64) -> String {
    const UNITS: [(&str, f64); 3] = [
        ("GiB", 1_073_741_824.0),
        ("MiB", 1_048_576.0),
        ("KiB", 1024.0),
    ];
    let fits = UNITS.iter().find(|(_, size)| count as f64 >= *size);
    match fits {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / size),
        None => format!("{count} bytes"),
    }
}

/// What formats numbers and texts, by the precedence of POSIX.
fn locale(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(variable);
    let mut set = set.filter(|text| !text.is_empty());
    Some(set.next().unwrap_or_else(|| "C".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::Thermal;

    #[test]
    fn a_program_knows_its_features_and_its_page() {
        let facts = facts();
        let features = facts
            .get("features")
            .map(String::as_str)
            .unwrap_or_default();
        assert_eq!(
            features.contains("candle"),
            cfg!(feature = "candle"),
            "{facts:?}"
        );
        assert!(facts["page size"].ends_with("KiB"), "{facts:?}");
        assert!(facts.contains_key("locale") && facts.contains_key("time zone"));
        assert!(state().contains_key("memory available"), "{:?}", state());
    }

    #[test]
    fn what_a_machine_does_not_tell_is_left_out() {
        let state = State {
            thermal: Some(Thermal::Moderate),
            swap_used: Some(0),
            available: Some(3 << 29),
            ..State::default()
        };
        let told = state_of(&state, None);
        let told: Vec<String> = told
            .iter()
            .map(|(name, text)| format!("{name} {text}"))
            .collect();
        assert_eq!(
            told,
            [
                "memory available 1.5 GiB",
                "swap used 0 bytes",
                "thermal moderate"
            ]
        );
    }

    #[test]
    fn the_locale_is_the_first_that_is_set() {
        let check = |set: &[(&str, &str)], expected: &str| {
            let find = |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, text)| (*text).to_owned())
            };
            assert_eq!(locale(find).as_deref(), Some(expected));
        };
        check(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C.UTF-8")], "C.UTF-8");
        check(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "")], "de_DE.UTF-8");
        check(&[], "C");
    }
}
