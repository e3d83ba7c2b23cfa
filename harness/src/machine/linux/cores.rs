//! Physical cores, fast and slow.

use std::collections::{BTreeMap, BTreeSet};

use super::cpuinfo_values;
use crate::machine::root::Root;

const CPUS: &str = "sys/devices/system/cpu";

/// A core below this share of the fastest core's speed is an efficiency core. The cores of one
/// kind differ by a tenth where a chip favours its best ones; efficiency cores reach about 0.65.
const EFFICIENCY_SHARE: f64 = 0.75;

/// Counts `(performance, efficiency)` cores, hardware threads of one core once; 0 is unknown.
///
/// Cores that were switched off are not counted: to a measurement that is another machine.
pub(super) fn count(root: &Root, cpuinfo: &str) -> (u32, u32) {
    let cores = first_threads(root);
    if cores.is_empty() {
        return (count_in_cpuinfo(cpuinfo), 0);
    }
    let slow = slow_threads(root, &cores);
    let efficiency = cores.iter().filter(|&core| slow.contains(core)).count();
    let number = |count: usize| u32::try_from(count).unwrap_or(0);
    (number(cores.len() - efficiency), number(efficiency))
}

/// The lowest-numbered hardware thread of every core.
fn first_threads(root: &Root) -> BTreeSet<u32> {
    let mut cores = BTreeMap::new();
    for cpu in numbered_cpus(root) {
        let siblings = root.read(&format!("{CPUS}/cpu{cpu}/topology/thread_siblings_list"));
        if let Some(siblings) = siblings {
            cores
                .entry(siblings)
                .and_modify(|first: &mut u32| *first = cpu.min(*first))
                .or_insert(cpu);
        }
    }
    cores.into_values().collect()
}

fn numbered_cpus(root: &Root) -> Vec<u32> {
    let names = root.names(CPUS);
    names
        .iter()
        .filter_map(|name| name.strip_prefix("cpu")?.parse().ok())
        .collect()
}

/// Hybrid x86 lists its small cores; elsewhere a core is slow by its capacity, or else by the
/// highest clock it is built for (`cpuinfo_max_freq`: not the one that heat or a governor allows).
fn slow_threads(root: &Root, cores: &BTreeSet<u32>) -> BTreeSet<u32> {
    let lists = ["sys/devices/cpu_atom/cpus", "sys/devices/cpu_lowpower/cpus"];
    let listed: BTreeSet<u32> = lists
        .iter()
        .filter_map(|list| root.read(list))
        .flat_map(|list| parse_list(&list))
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    let speeds = |file: &str| -> Option<BTreeMap<u32, u64>> {
        let speed = |&core: &u32| Some((core, root.number(&format!("{CPUS}/cpu{core}/{file}"))?));
        cores.iter().map(speed).collect()
    };
    let speeds = speeds("cpu_capacity").or_else(|| speeds("cpufreq/cpuinfo_max_freq"));
    let speeds = speeds.unwrap_or_default();
    let limit = speeds
        .values()
        .max()
        .map_or(0.0, |&best| best as f64 * EFFICIENCY_SHARE);
    speeds
        .into_iter()
        .filter(|&(_, speed)| (speed as f64) < limit)
        .map(|(core, _)| core)
        .collect()
}

/// A kernel list such as `0-3,8,10-11`; parts that are none are left out.
fn parse_list(list: &str) -> Vec<u32> {
    const MOST_CPUS: u32 = 8192;
    let range = |part: &str| {
        let (first, last) = part
            .trim()
            .split_once('-')
            .unwrap_or((part.trim(), part.trim()));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        Some(first..=last.min(MOST_CPUS))
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Without `/sys`: distinct `(physical id, core id)`, or as many as `cpuinfo` numbers.
fn count_in_cpuinfo(cpuinfo: &str) -> u32 {
    let packages = cpuinfo_values(cpuinfo, "physical id");
    let ids = cpuinfo_values(cpuinfo, "core id");
    let threads = cpuinfo_values(cpuinfo, "processor").len();
    let paired = packages.len() == ids.len() && ids.len() == threads;
    let cores: BTreeSet<_> = packages.into_iter().zip(ids).collect();
    let count = if paired && !cores.is_empty() {
        cores.len()
    } else {
        threads
    };
    u32::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_lists_are_read_and_nonsense_is_not() {
        let check = |list, expected: &[u32]| assert_eq!(parse_list(list), expected, "{list}");
        check("0-3,8,10-11", &[0, 1, 2, 3, 8, 10, 11]);
        check("5", &[5]);
        check("", &[]);
        check("x,4-,-3,7-5,9", &[9]);
        assert_eq!(parse_list("0-4294967295").len(), 8193);
    }

    #[test]
    fn cpuinfo_counts_cores_once() {
        let thread = |n, core| format!("processor: {n}\nphysical id: 0\ncore id: {core}\n\n");
        let smt: String = (0..8).map(|n| thread(n, n / 2)).collect();
        assert_eq!(count_in_cpuinfo(&smt), 4);
        assert_eq!(count_in_cpuinfo("processor: 0\nprocessor: 1\n"), 2);
        assert_eq!(count_in_cpuinfo("no such thing"), 0);
    }
}
