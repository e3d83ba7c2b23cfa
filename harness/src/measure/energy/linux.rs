//! Linux: the counters of processor packages that the kernel's `powercap` shows (Intel and AMD).
//!
//! Source: `Documentation/power/powercap/powercap.rst`. Since 2020 only root may read them
//! (CVE-2020-8694).

use super::Meter;
use crate::machine::root::Root;

const FOLDER: &str = "sys/class/powercap";

pub(super) fn open() -> Result<Box<dyn Meter>, String> {
    Ok(Box::new(Packages::open(Root::system())?))
}

/// All packages of the machine.
struct Packages {
    root: Root,
    zones: Vec<Zone>,
    joules: f64,
}

/// One counter, in microjoules.
struct Zone {
    file: String,
    last: u64,
    /// What it is set to 0 after.
    range: u64,
}

impl Packages {
    fn open(root: Root) -> Result<Self, String> {
        let wanted = |folder: &String| {
            let name = root.read(&format!("{folder}/name")).unwrap_or_default();
            name.starts_with("package") || name == "dram"
        };
        // The same packages once more, through another window, on some laptops.
        let names = root.names(FOLDER).into_iter();
        let names = names.filter(|name| !name.starts_with("intel-rapl-mmio"));
        let folders = names.map(|name| format!("{FOLDER}/{name}")).filter(wanted);
        let folders: Vec<String> = folders.collect();
        if folders.is_empty() {
            return Err("this system shows no counter of energy".to_owned());
        }
        let zones: Option<Vec<Zone>> = folders.iter().map(|folder| zone(&root, folder)).collect();
        let zones = zones.ok_or(
            "only root may read the counters; `chmod a+r /sys/class/powercap/*/energy_uj` lets everybody",
        )?;
        Ok(Self {
            root,
            zones,
            joules: 0.0,
        })
    }
}

fn zone(root: &Root, folder: &str) -> Option<Zone> {
    let file = format!("{folder}/energy_uj");
    Some(Zone {
        last: root.number(&file)?,
        range: root.number(&format!("{folder}/max_energy_range_uj"))?,
        file,
    })
}

impl Meter for Packages {
    fn joules(&mut self) -> Option<f64> {
        for zone in &mut self.zones {
            let now = self.root.number(&zone.file)?;
            let rise = match now.checked_sub(zone.last) {
                Some(rise) => rise,
                None => zone.range.checked_sub(zone.last)? + now,
            };
            self.joules += rise as f64 / 1e6;
            zone.last = now;
        }
        Some(self.joules)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn write(dir: &Path, zone: &str, file: &str, text: &str) {
        let folder = dir.join(FOLDER).join(zone);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(file), text).unwrap();
    }

    fn zone(dir: &Path, zone: &str, name: &str, energy: &str) {
        write(dir, zone, "name", name);
        write(dir, zone, "energy_uj", energy);
        write(dir, zone, "max_energy_range_uj", "1000000000\n");
    }

    #[test]
    fn packages_and_their_memory_are_added_up_across_a_reset() {
        let dir = tempfile::tempdir().unwrap();
        zone(dir.path(), "intel-rapl:0", "package-0\n", "5000000\n");
        zone(dir.path(), "intel-rapl:0:0", "core\n", "1\n");
        zone(dir.path(), "intel-rapl:0:1", "dram\n", "0\n");
        zone(dir.path(), "intel-rapl:1", "package-1\n", "999000000\n");
        zone(dir.path(), "intel-rapl:2", "psys\n", "1\n");
        zone(dir.path(), "intel-rapl-mmio:0", "package-0\n", "5000000\n");
        let mut meter = Packages::open(Root::under(dir.path())).unwrap();
        assert_eq!(meter.joules(), Some(0.0));
        for (zone, energy) in [
            ("intel-rapl:0", "7000000\n"),
            ("intel-rapl:0:0", "900000000\n"),
            ("intel-rapl:0:1", "500000\n"),
            ("intel-rapl:1", "3000000\n"),
            ("intel-rapl:2", "900000000\n"),
            ("intel-rapl-mmio:0", "7000000\n"),
        ] {
            write(dir.path(), zone, "energy_uj", energy);
        }
        assert_eq!(meter.joules(), Some(2.0 + 0.5 + 4.0));
        write(dir.path(), "intel-rapl:0", "energy_uj", "");
        assert_eq!(meter.joules(), None);
    }

    #[test]
    fn a_missing_counter_and_a_locked_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let why = |dir: &Path| Packages::open(Root::under(dir)).err().unwrap();
        assert!(why(dir.path()).contains("shows no counter"));
        zone(dir.path(), "intel-rapl:0", "package-0\n", "");
        assert!(why(dir.path()).contains("only root"));
    }
}
