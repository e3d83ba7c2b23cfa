//! Linux: `/proc`, `/sys/class/thermal` and `/sys/class/power_supply`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CoreTime, Power, Pressure, State, Thermal, User};
use crate::machine::root::Root;
use crate::machine::tidy;
use crate::measure::{TICK_MS, cpu_time};

pub(super) fn core_time() -> Option<CoreTime> {
    parse_stat(&Root::system().read("proc/stat")?)
}

/// Pages in and out.
pub(super) fn swapped() -> (Option<u64>, Option<u64>) {
    let vmstat = Root::system().read("proc/vmstat").unwrap_or_default();
    (field(&vmstat, "pswpin"), field(&vmstat, "pswpout"))
}

pub(super) fn state() -> State {
    state_of(&Root::system())
}

pub(super) fn power() -> Option<Power> {
    power_of(&Root::system())
}

pub(super) fn clock_source() -> Option<String> {
    Root::system().read("sys/devices/system/clocksource/clocksource0/current_clocksource")
}

/// Everybody's processor time before and after `span`.
pub(super) fn users(span: Duration) -> Vec<User> {
    let root = Root::system();
    let before = cpu_times(&root);
    std::thread::sleep(span);
    let user = |(pid, after): (u32, Duration)| {
        // Who was not there before has worked since then alone.
        let used = after.saturating_sub(before.get(&pid).copied().unwrap_or_default());
        (!used.is_zero()).then(|| User {
            name: tidy(&root.read(&format!("proc/{pid}/comm")).unwrap_or_default()),
            pid,
            share: used.div_duration_f64(span),
        })
    };
    cpu_times(&root).into_iter().filter_map(user).collect()
}

fn cpu_times(root: &Root) -> BTreeMap<u32, Duration> {
    let pids = root.names("proc").into_iter();
    let pids = pids.filter_map(|name| name.parse().ok());
    pids.filter_map(|pid| Some((pid, cpu_time(pid)?))).collect()
}

/// The first line of `/proc/stat`: ticks of user, nice, system, idle, iowait, irq, softirq, steal;
/// guests' time after these is in them already. Source: `proc_stat(5)`.
fn parse_stat(text: &str) -> Option<CoreTime> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let mut ticks = [0u64; 8];
    let mut words = line.split_whitespace();
    for tick in &mut ticks {
        *tick = words.next()?.parse().ok()?;
    }
    let sum = |ticks: &[u64]| {
        let sum = ticks
            .iter()
            .try_fold(0, |sum: u64, &next| sum.checked_add(next))?;
        Some(Duration::from_millis(sum.checked_mul(TICK_MS)?))
    };
    let (all, unused) = (sum(&ticks)?, sum(&ticks[3..5])?);
    Some(CoreTime {
        all,
        busy: all.checked_sub(unused)?,
    })
}

fn state_of(root: &Root) -> State {
    let meminfo = root.read("proc/meminfo").unwrap_or_default();
    let kib = |name| field(&meminfo, name)?.checked_mul(1024);
    let available = kib("MemAvailable:");
    let stalls = root.read("proc/pressure/memory").unwrap_or_default();
    let free = available
        .zip(kib("MemTotal:"))
        .map(|(available, total)| available as f64 / total as f64);
    State {
        thermal: thermal_of(root),
        throttled: throttled_of(root),
        pressure: pressure_of(free, &stalls),
        available,
        swap_used: kib("SwapTotal:")
            .zip(kib("SwapFree:"))
            .and_then(|(total, free)| total.checked_sub(free)),
        power: power_of(root),
        low_power_mode: None,
    }
}

/// The number after a name: lines of `meminfo` and `vmstat`.
fn field(text: &str, name: &str) -> Option<u64> {
    let values = text.lines().filter_map(|line| line.strip_prefix(name));
    let mut values = values.filter(|rest| rest.starts_with(char::is_whitespace));
    values.next()?.split_whitespace().next()?.parse().ok()
}

/// By the free share of memory and the kernel's stall times; see [`Pressure`].
fn pressure_of(free: Option<f64>, stalls: &str) -> Option<Pressure> {
    let by_share = free.map(|share| match share {
        share if share < 0.05 => Pressure::Critical,
        share if share < 0.10 => Pressure::Warn,
        _ => Pressure::Normal,
    });
    let by_stalls = match (stalled(stalls, "some"), stalled(stalls, "full")) {
        (None, None) => None,
        (_, Some(10.0..)) => Some(Pressure::Critical),
        (Some(10.0..), _) => Some(Pressure::Warn),
        _ => Some(Pressure::Normal),
    };
    by_share.max(by_stalls)
}

/// Percent of the last ten seconds: `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
fn stalled(text: &str, who: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(who))?;
    let mut values = line.split_whitespace();
    values
        .find_map(|word| word.strip_prefix("avg10="))?
        .parse()
        .ok()
}

/// The worst zone; `None` where none has a trip point that means heat.
fn thermal_of(root: &Root) -> Option<Thermal> {
    let folder = "sys/class/thermal";
    let zones = root.names(folder).into_iter();
    let zones = zones.filter(|name| name.starts_with("thermal_zone"));
    zones
        .filter_map(|zone| zone_level(root, &format!("{folder}/{zone}")))
        .max()
}

/// Temperatures are in thousandths of a degree. A trip point that is switched off lies at or below
/// zero; one that starts a fan is no sign of heat.
fn zone_level(root: &Root, zone: &str) -> Option<Thermal> {
    let temperature = root.number(&format!("{zone}/temp"))?;
    let trips = (0..)
        .map_while(|trip| {
            let kind = root.read(&format!("{zone}/trip_point_{trip}_type"))?;
            Some((kind, root.number(&format!("{zone}/trip_point_{trip}_temp"))))
        })
        .take(64);
    let level = |(kind, at): (String, Option<u64>)| {
        let level = match kind.as_str() {
            "passive" => Thermal::Moderate,
            "hot" => Thermal::Heavy,
            "critical" => Thermal::Critical,
            _ => return None,
        };
        let reached = temperature >= at.filter(|&at| at > 0)?;
        Some(if reached { level } else { Thermal::Nominal })
    };
    trips.filter_map(level).max()
}

/// Summed over the processor packages, each of which any of its cores tells of.
fn throttled_of(root: &Root) -> Option<u64> {
    let folder = "sys/devices/system/cpu";
    let count = |name: &String| {
        let package = root.number(&format!("{folder}/{name}/topology/physical_package_id"))?;
        let file = format!("{folder}/{name}/thermal_throttle/package_throttle_count");
        Some((package, root.number(&file)?))
    };
    let counts: BTreeMap<u64, u64> = root.names(folder).iter().filter_map(count).collect();
    (!counts.is_empty()).then(|| counts.values().sum())
}

/// A mains supply that is on settles it; else what the system's batteries do. Batteries of mice and
/// keyboards have the scope `Device`. A desktop lists nothing.
fn power_of(root: &Root) -> Option<Power> {
    let folder = "sys/class/power_supply";
    let supplies = root.names(folder);
    let is = |supply: &str, file: &str, value: &str| {
        root.read(&format!("{folder}/{supply}/{file}")).as_deref() == Some(value)
    };
    let any = |of: &dyn Fn(&str) -> bool| supplies.iter().any(|supply| of(supply));
    let battery = |s: &str| is(s, "type", "Battery") && !is(s, "scope", "Device");
    let mains = |s: &str| is(s, "type", "Mains") || is(s, "type", "USB");
    if any(&|s| mains(s) && is(s, "online", "1")) {
        Some(Power::Ac)
    } else if any(&|s| battery(s) && is(s, "status", "Discharging")) {
        Some(Power::Battery)
    } else if any(&|s| battery(s) && (is(s, "status", "Charging") || is(s, "status", "Full"))) {
        Some(Power::Ac)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A system of these files under `folder`.
    fn with<T>(folder: &str, files: &[(&str, &str)], ask: impl Fn(&Root) -> T) -> T {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(folder).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        ask(&Root::under(dir.path()))
    }

    #[test]
    fn cores_are_busy_when_neither_idle_nor_waiting() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(all, busy)| CoreTime {
                all: ms(all),
                busy: ms(busy),
            });
            assert_eq!(parse_stat(text), expected, "{text}");
        };
        // Guests' 5 ticks are in user's 10.
        let line = "cpu  10 2 3 80 4 1 2 3 5 0\ncpu0 10 2 3 80 4 1 2 3 5 0\nintr 5\n";
        check(line, Some((1050, 210)));
        check("cpu  1 2 3 4 5 6 7 8", Some((360, 270)));
        check("cpu  1 2 3 4\n", None);
        check("cpu0 1 2 3 4 5 6 7 8\n", None);
        check("cpu  1 2 3 x 5 6 7 8\n", None);
        check("cpu  18446744073709551615 2 3 4 5 6 7 8\n", None);
        check("", None);
    }

    #[test]
    fn swap_counters_are_found_by_their_whole_name() {
        let vmstat = "pgpgout 9\npswpin 12\npswpout 34\nzswpout 5\n";
        assert_eq!(field(vmstat, "pswpout"), Some(34));
        assert_eq!(field(vmstat, "swpout"), None);
        assert_eq!(field("pswpout", "pswpout"), None);
    }

    #[test]
    fn pressure_is_the_worse_of_share_and_stalls() {
        let check = |free, some: &str, full: &str, expected| {
            let stalls =
                format!("some avg10={some} avg60=0.00 total=1\nfull avg10={full} total=1\n");
            assert_eq!(pressure_of(free, &stalls), expected, "{free:?} {stalls}");
        };
        check(Some(0.5), "0.00", "0.00", Some(Pressure::Normal));
        check(Some(0.09), "0.00", "0.00", Some(Pressure::Warn));
        check(Some(0.04), "0.00", "0.00", Some(Pressure::Critical));
        check(Some(0.5), "12.50", "3.00", Some(Pressure::Warn));
        check(Some(0.5), "40.00", "10.00", Some(Pressure::Critical));
        check(None, "0.00", "0.00", Some(Pressure::Normal));
        check(None, "none", "none", None);
        assert_eq!(pressure_of(Some(0.5), ""), Some(Pressure::Normal));
        assert_eq!(pressure_of(None, ""), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let meminfo = "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 80 kB\nSwapTotal: 50 kB\n\
                       SwapFree: 20 kB\n";
        let state = with("proc", &[("meminfo", meminfo)], state_of);
        let expected = State {
            pressure: Some(Pressure::Warn),
            available: Some(80 * 1024),
            swap_used: Some(30 * 1024),
            ..State::default()
        };
        assert_eq!(state, expected);
        assert_eq!(with("proc", &[], state_of), State::default());
        assert_eq!(
            with("proc", &[("meminfo", "MemTotal: 0 kB")], state_of),
            State::default()
        );
    }

    #[test]
    fn the_hottest_zone_counts_by_its_trip_points() {
        let check = |temperature: &str, trips: &[(&str, &str)], expected| {
            let mut files = vec![
                ("thermal_zone1/temp".to_owned(), temperature.to_owned()),
                ("thermal_zone0/temp".to_owned(), "20000\n".to_owned()),
                (
                    "thermal_zone0/trip_point_0_type".to_owned(),
                    "critical\n".to_owned(),
                ),
                (
                    "thermal_zone0/trip_point_0_temp".to_owned(),
                    "-274000\n".to_owned(),
                ),
                ("cooling_device0/cur_state".to_owned(), "0\n".to_owned()),
            ];
            for (at, (kind, temperature)) in trips.iter().enumerate() {
                let file = |what| format!("thermal_zone1/trip_point_{at}_{what}");
                files.push((file("type"), (*kind).to_owned()));
                files.push((file("temp"), (*temperature).to_owned()));
            }
            let files: Vec<_> = files
                .iter()
                .map(|(p, t)| (p.as_str(), t.as_str()))
                .collect();
            let level = with("sys/class/thermal", &files, thermal_of);
            assert_eq!(level, expected, "{temperature} {trips:?}");
        };
        let trips = [
            ("active", "40000"),
            ("passive", "90000"),
            ("hot", "95000"),
            ("critical", "105000"),
        ];
        check("60000\n", &trips, Some(Thermal::Nominal));
        check("90000\n", &trips, Some(Thermal::Moderate));
        check("97000\n", &trips, Some(Thermal::Heavy));
        check("120000\n", &trips, Some(Thermal::Critical));
        check("60000\n", &[("passive", "0")], None);
        check("60000\n", &trips[..1], None);
        check("", &trips, None);
    }

    #[test]
    fn throttling_is_counted_once_a_package() {
        let cpu = |cpu: u32, package: &str, count: &str| {
            let file = |name| format!("cpu{cpu}/{name}");
            [
                (file("topology/physical_package_id"), package.to_owned()),
                (
                    file("thermal_throttle/package_throttle_count"),
                    count.to_owned(),
                ),
            ]
        };
        let files: Vec<_> = [cpu(0, "0", "3\n"), cpu(1, "0", "3\n"), cpu(2, "1", "4\n")].concat();
        let files: Vec<_> = files
            .iter()
            .map(|(p, t)| (p.as_str(), t.as_str()))
            .collect();
        assert_eq!(
            with("sys/devices/system/cpu", &files, throttled_of),
            Some(7)
        );
        assert_eq!(with("sys/devices/system/cpu", &[], throttled_of), None);
    }

    #[test]
    fn power_is_told_from_supplies() {
        let check = |files: &[(&str, &str)], expected| {
            let told = with("sys/class/power_supply", files, power_of);
            assert_eq!(told, expected, "{files:?}");
        };
        let battery = ("BAT0/type", "Battery\n");
        let draining = ("BAT0/status", "Discharging\n");
        let off = [("AC/type", "Mains\n"), ("AC/online", "0\n")];
        check(&[], None);
        check(&[off[0], ("AC/online", "1\n"), battery], Some(Power::Ac));
        check(&[off[0], off[1], battery, draining], Some(Power::Battery));
        check(&[battery, ("BAT0/status", "Full\n")], Some(Power::Ac));
        check(&[battery, draining, ("BAT0/scope", "Device\n")], None);
    }
}
