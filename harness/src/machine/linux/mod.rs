//! Linux: `/proc`, `/sys` and `/etc`, read as files.

mod cores;
mod gpus;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use store::Machine;

use super::root::Root;
use super::tidy;

const GIB: u64 = 1 << 30;

/// The machine that the files under `root` describe.
pub(super) fn detect(root: &Root) -> Machine {
    let cpuinfo = root.read("proc/cpuinfo").unwrap_or_default();
    let (performance_cores, efficiency_cores) = cores::count(root, &cpuinfo);
    Machine {
        chip: chip(root, &cpuinfo),
        performance_cores,
        efficiency_cores,
        memory_gib: memory_gib(root),
        gpus: gpus::list(root),
        arch: std::env::consts::ARCH.to_owned(),
        os: os(root),
    }
}

/// x86 names its model in `cpuinfo`; an Arm board in its device tree; an Arm server says no more
/// than the numbers of its core designs.
fn chip(root: &Root, cpuinfo: &str) -> String {
    let name = cpuinfo_values(cpuinfo, "model name").into_iter().next();
    let found = name
        .or_else(|| root.read("proc/device-tree/model"))
        .or_else(|| root.read("sys/firmware/devicetree/base/model"))
        .or_else(|| core_designs(cpuinfo))
        .map(|text| tidy(&text));
    found
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// `Arm implementer 0x41 part 0xd0c`, all kinds of cores of the chip, sorted.
fn core_designs(cpuinfo: &str) -> Option<String> {
    let implementers = cpuinfo_values(cpuinfo, "CPU implementer");
    let parts = cpuinfo_values(cpuinfo, "CPU part");
    let pairs = implementers.into_iter().zip(parts);
    let designs: BTreeSet<String> = pairs
        .map(|(maker, part)| format!("Arm implementer {maker} part {part}"))
        .collect();
    (!designs.is_empty()).then(|| designs.into_iter().collect::<Vec<_>>().join(" + "))
}

/// The values of every line `key : value`, in order, empty ones left out.
fn cpuinfo_values(cpuinfo: &str, key: &str) -> Vec<String> {
    let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let values = lines
        .filter(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim());
    values
        .filter(|value| !value.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

/// Installed memory in GiB. What the kernel keeps for itself changes with its version, so
/// `MemTotal` (rounded up) only stands in where the memory blocks are not listed.
fn memory_gib(root: &Root) -> u32 {
    let bytes = match memory_blocks(root) {
        Some(bytes) => bytes.saturating_add(GIB / 2) / GIB,
        None => total_memory(root).unwrap_or(0).div_ceil(GIB),
    };
    u32::try_from(bytes).unwrap_or(0)
}

fn memory_blocks(root: &Root) -> Option<u64> {
    let folder = "sys/devices/system/memory";
    let size = root.read(&format!("{folder}/block_size_bytes"))?;
    let size = u64::from_str_radix(&size, 16).ok()?;
    let blocks = root.names(folder).into_iter().filter(|name| {
        let numbered = name
            .strip_prefix("memory")
            .is_some_and(|n| n.parse::<u32>().is_ok());
        numbered && root.read(&format!("{folder}/{name}/online")).as_deref() == Some("1")
    });
    size.checked_mul(blocks.count() as u64)
        .filter(|&bytes| bytes > 0)
}

fn total_memory(root: &Root) -> Option<u64> {
    let meminfo = root.read("proc/meminfo")?;
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// Name and major version, e.g. `Debian GNU/Linux 12`. A rolling release, whose version is a date
/// or absent, has its name alone: it would be a new machine every week.
fn os(root: &Root) -> String {
    let release = os_release(root);
    let value = |key| os_release_value(&release, key);
    let name = value("NAME").unwrap_or_else(|| "Linux".to_owned());
    let version = value("VERSION_ID").unwrap_or_default();
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    if major.is_empty() || major.len() > 4 {
        name
    } else {
        format!("{name} {major}")
    }
}

/// The text of `os-release`, from either of its two places.
pub(crate) fn os_release(root: &Root) -> String {
    let text = root
        .read("etc/os-release")
        .or_else(|| root.read("usr/lib/os-release"));
    text.unwrap_or_default()
}

/// One value of `os-release`, quotes removed.
pub(crate) fn os_release_value(release: &str, key: &str) -> Option<String> {
    let lines = release.lines().filter_map(|line| line.split_once('='));
    let (_, value) = lines.into_iter().find(|(name, _)| name.trim() == key)?;
    let value = tidy(value.trim().trim_matches(['"', '\'']));
    (!value.is_empty()).then_some(value)
}
