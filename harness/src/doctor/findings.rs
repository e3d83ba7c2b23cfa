//! What readings of the machine mean before anything is measured. Pure.

use store::Unit;

use super::{Finding, bytes};
use crate::conditions::{BACKGROUND_LIMIT, Conditions, Power, Pressure, Thermal, User, background};
use crate::models::{Device, Place};

/// Free memory that a model needs, by its weights: they, activations, and the rest of the process.
const ROOM: f64 = 1.3;

/// Threads that want to run, a core, before the load is worth a note.
const LOAD_PER_CORE: f64 = 0.125;

/// What a preflight looks at.
#[derive(Debug)]
pub(super) struct Seen {
    /// A second before `end`.
    pub(super) start: Conditions,
    pub(super) end: Conditions,
    /// The busiest meanwhile.
    pub(super) users: Vec<User>,
    /// Over a minute.
    pub(super) load: Option<f64>,
    /// Of the machine.
    pub(super) cores: u32,
    /// Bytes of the largest model.
    pub(super) weights: u64,
    /// Room on each GPU that is computed on.
    pub(super) gpus: Vec<Room>,
}

/// What a GPU can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    device: Device,
    /// Bytes; none where nobody tells.
    free: Option<u64>,
}

/// Room on the GPUs among these places, each once, by what `free` knows of one.
pub(super) fn rooms(places: &[Place], free: impl Fn(Place) -> Option<u64>) -> Vec<Room> {
    let mut rooms: Vec<Room> = Vec::new();
    for &place in places {
        let device = place.device;
        let is_gpu = matches!(device, Device::Cuda | Device::Metal);
        if is_gpu && rooms.iter().all(|room| room.device != device) {
            let free = free(place);
            rooms.push(Room { device, free });
        }
    }
    rooms
}

pub(super) fn judge(seen: &Seen) -> Vec<Finding> {
    let state = &seen.end.state;
    let mut told = vec![
        ("power", state.power.map(power)),
        ("Low Power Mode", state.low_power_mode.map(low_power_mode)),
        ("thermal", state.thermal.map(thermal)),
        ("memory pressure", state.pressure.map(pressure)),
        (
            "free memory",
            state.available.map(|free| memory(free, seen.weights)),
        ),
        ("swap", state.swap_used.map(swap)),
        (
            "background",
            background(&seen.start, &seen.end).map(|share| others(share, &seen.users)),
        ),
        ("load", seen.load.map(|average| load(average, seen.cores))),
    ];
    told.extend(seen.gpus.iter().map(|room| on_gpu(room, seen.weights)));
    let untold = told.iter().filter(|(_, found)| found.is_none());
    let untold: Vec<_> = untold.map(|&(subject, _)| subject).collect();
    let mut found: Vec<_> = told.into_iter().filter_map(|(_, found)| found).collect();
    if !untold.is_empty() {
        found.push(Finding::note("not told by this system", untold.join(", ")));
    }
    found
}

fn power(power: Power) -> Finding {
    match power {
        Power::Ac => Finding::ok("power", power.name()),
        Power::Battery => Finding::problem("power", power.name(), "plug the machine in"),
    }
}

fn low_power_mode(on: bool) -> Finding {
    if on {
        let advice = "switch it off in the system's battery settings";
        return Finding::problem("Low Power Mode", "on", advice);
    }
    Finding::ok("Low Power Mode", "off")
}

fn thermal(level: Thermal) -> Finding {
    match level {
        Thermal::Nominal => Finding::ok("thermal", level.name()),
        _ => Finding::problem("thermal", level.name(), "let the machine cool down"),
    }
}

fn pressure(level: Pressure) -> Finding {
    match level {
        Pressure::Normal => Finding::ok("memory pressure", level.name()),
        _ => Finding::problem(
            "memory pressure",
            level.name(),
            "end what needs much memory",
        ),
    }
}

fn memory(free: u64, weights: u64) -> Finding {
    let advice = "end what needs much memory, or take a smaller model";
    fits(("free memory", advice), free, weights)
}

/// On Apple's GPU, which shares the machine's memory, what Metal recommends to use of it at most.
fn on_gpu(room: &Room, weights: u64) -> (&'static str, Option<Finding>) {
    let (subject, advice) = match room.device {
        Device::Metal => ("Metal's working set", "take a smaller model"),
        _ => (
            "free GPU memory",
            "end what computes there, or take a smaller model",
        ),
    };
    let found = room.free.map(|free| fits((subject, advice), free, weights));
    (subject, found)
}

fn fits((subject, advice): (&'static str, &'static str), free: u64, weights: u64) -> Finding {
    let need = weights as f64 * ROOM;
    if (free as f64) < need {
        let text = format!(
            "{}, and {} of weights need {}",
            bytes(free),
            bytes(weights),
            Unit::Byte.format(need)
        );
        return Finding::problem(subject, text, advice);
    }
    Finding::ok(subject, bytes(free))
}

fn swap(used: u64) -> Finding {
    match used {
        0 => Finding::ok("swap", "nothing in it"),
        _ => Finding::note("swap", format!("{} in it, slow to come back", bytes(used))),
    }
}

fn others(share: f64, users: &[User]) -> Finding {
    let percent = |share| Unit::Ratio.format(share);
    let user = |user: &User| format!("{} ({}) {}", user.name, user.pid, percent(user.share));
    let mut text = format!("{} of all cores", percent(share));
    if !users.is_empty() {
        let users: Vec<_> = users.iter().map(user).collect();
        text.push_str(&format!("; busiest, of one core: {}", users.join(", ")));
    }
    if share > BACKGROUND_LIMIT {
        return Finding::problem("background", text, "end them, or wait");
    }
    Finding::ok("background", text)
}

fn load(average: f64, cores: u32) -> Finding {
    let text = format!("{average:.2} over the last minute");
    if average > LOAD_PER_CORE * f64::from(cores) {
        return Finding::note("load", format!("{text}; a build just before raises it"));
    }
    Finding::ok("load", text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Level;
    use super::*;
    use crate::conditions::{CoreTime, State};
    use crate::models::Backend;

    fn after(busy_ms: u64) -> Conditions {
        Conditions {
            cores: Some(CoreTime {
                all: Duration::from_secs(4),
                busy: Duration::from_millis(busy_ms),
            }),
            ours: Some(Duration::ZERO),
            ..Conditions::default()
        }
    }

    fn seen(busy_ms: u64, state: State) -> Seen {
        let start = Conditions {
            cores: Some(CoreTime {
                all: Duration::ZERO,
                busy: Duration::ZERO,
            }),
            ..after(0)
        };
        Seen {
            start,
            end: Conditions {
                state,
                ..after(busy_ms)
            },
            users: Vec::new(),
            load: None,
            cores: 4,
            weights: 0,
            gpus: Vec::new(),
        }
    }

    fn check(seen: &Seen, level: Level, subject: &str, text: &str) {
        let found = judge(seen);
        let found = found.iter().find(|found| found.subject == subject).unwrap();
        assert_eq!((found.level, found.text.as_str()), (level, text));
        assert_eq!(found.advice.is_some(), level == Level::Problem);
    }

    #[test]
    fn a_quiet_machine_on_mains_is_fit() {
        let seen = Seen {
            load: Some(0.3),
            ..seen(
                100,
                State {
                    thermal: Some(Thermal::Nominal),
                    pressure: Some(Pressure::Normal),
                    available: Some(8 << 30),
                    swap_used: Some(0),
                    power: Some(Power::Ac),
                    low_power_mode: Some(false),
                    ..State::default()
                },
            )
        };
        assert!(judge(&seen).iter().all(|found| found.level == Level::Ok));
        check(&seen, Level::Ok, "free memory", "8.00 GiB");
        check(&seen, Level::Ok, "swap", "nothing in it");
        check(&seen, Level::Ok, "load", "0.30 over the last minute");
    }

    #[test]
    fn what_is_not_told_is_one_note() {
        let untold = "power, Low Power Mode, thermal, memory pressure, free memory, swap, load";
        let seen = seen(0, State::default());
        check(&seen, Level::Note, "not told by this system", untold);
        check(&seen, Level::Ok, "background", "0 % of all cores");
    }

    /// Places with a GPU that has so much free, asked once for each kind.
    fn with_gpus(places: &[(Backend, Device)], free: Option<u64>) -> Seen {
        let place = |&(backend, device): &_| Place { backend, device };
        let places: Vec<_> = places.iter().map(place).collect();
        Seen {
            weights: 5 << 30,
            gpus: rooms(&places, |place| {
                free.filter(|_| place.device != Device::Cpu)
            }),
            ..seen(0, State::default())
        }
    }

    #[test]
    fn a_gpu_that_is_computed_on_must_have_room() {
        let cuda = [(Backend::Candle, Device::Cuda)];
        let short = "6.00 GiB, and 5.00 GiB of weights need 6.50 GiB";
        let least = 6979321856; // 1.3 times 5 GiB
        let check_free = |free, level, text| {
            check(
                &with_gpus(&cuda, Some(free)),
                level,
                "free GPU memory",
                text,
            );
        };
        check_free(6 << 30, Level::Problem, short);
        check_free(
            least - 1,
            Level::Problem,
            "6.50 GiB, and 5.00 GiB of weights need 6.50 GiB",
        );
        check_free(least, Level::Ok, "6.50 GiB");
        let metal = [
            (Backend::Mlx, Device::Metal),
            (Backend::Candle, Device::Metal),
        ];
        let seen = with_gpus(&metal, Some(6 << 30));
        assert_eq!(seen.gpus.len(), 1);
        check(&seen, Level::Problem, "Metal's working set", short);
    }

    #[test]
    fn a_gpu_that_is_not_computed_on_is_not_looked_at() {
        let seen = with_gpus(&[(Backend::Candle, Device::Cpu)], Some(0));
        assert_eq!(seen.gpus, []);
        let none = judge(&seen)
            .iter()
            .all(|found| !found.subject.contains("GPU"));
        assert!(none);
        let untold = with_gpus(&[(Backend::Candle, Device::Cuda)], None);
        let found = judge(&untold);
        let note = found.iter().find(|found| found.level == Level::Note);
        assert!(
            note.unwrap().text.ends_with(", free GPU memory"),
            "{note:?}"
        );
    }

    #[test]
    fn problems_name_what_is_wrong() {
        let state = State {
            thermal: Some(Thermal::Heavy),
            pressure: Some(Pressure::Critical),
            available: Some(4 << 30),
            swap_used: Some(1 << 30),
            power: Some(Power::Battery),
            low_power_mode: Some(true),
            ..State::default()
        };
        let user = User {
            name: "rustc".to_owned(),
            pid: 7,
            share: 1.5,
        };
        let seen = Seen {
            users: vec![user],
            load: Some(0.6),
            weights: 5 << 30,
            ..seen(2000, state)
        };
        let problem = |subject, text| check(&seen, Level::Problem, subject, text);
        problem("power", "battery");
        problem("Low Power Mode", "on");
        problem("thermal", "heavy");
        problem("memory pressure", "critical");
        problem(
            "free memory",
            "4.00 GiB, and 5.00 GiB of weights need 6.50 GiB",
        );
        problem(
            "background",
            "50 % of all cores; busiest, of one core: rustc (7) 150 %",
        );
        check(
            &seen,
            Level::Note,
            "swap",
            "1.00 GiB in it, slow to come back",
        );
        let load = "0.60 over the last minute; a build just before raises it";
        check(&seen, Level::Note, "load", load);
    }
}
