//! Fake trees: each a machine, changed in ways that must or must not make it another one.

use std::fs;

use super::*;

struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, path: &str, text: &str) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn without(self, path: &str) -> Self {
        fs::remove_dir_all(self.0.path().join(path)).unwrap();
        self
    }

    fn machine(&self) -> Machine {
        detect(&Root::under(self.0.path()))
    }

    /// A hardware thread, with its core's other threads.
    fn thread(self, cpu: usize, siblings: &str) -> Self {
        self.with(
            &format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"),
            siblings,
        )
    }

    fn memory(self, blocks: usize) -> Self {
        let tree = self.with("sys/devices/system/memory/block_size_bytes", "8000000\n");
        (0..blocks).fold(tree, |tree, n| {
            tree.with(
                &format!("sys/devices/system/memory/memory{n}/online"),
                "1\n",
            )
        })
    }
}

/// Two fast cores of two threads, four slow ones of one, 16 GiB, an Intel GPU.
fn hybrid() -> Tree {
    let tree = Tree::new()
        .with(
            "proc/cpuinfo",
            "processor : 0\nmodel name\t: 12th Gen  Intel(R) Core(TM) i5\ncpu MHz : 1\n",
        )
        .with(
            "proc/meminfo",
            "MemTotal:       15999999 kB\nMemFree: 1 kB\n",
        )
        .with(
            "etc/os-release",
            "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nPRETTY_NAME=\"Ubuntu 24.04.1\"\n",
        )
        .with("sys/devices/cpu_core/cpus", "0-3\n")
        .with("sys/devices/cpu_atom/cpus", "4-7\n")
        .with("sys/class/drm/renderD128/device/vendor", "0x8086\n")
        .with("sys/class/drm/renderD128/device/device", "0x46a6\n")
        .with("sys/class/drm/card0/device/vendor", "0x8086\n")
        .with("sys/devices/system/cpu/cpufreq/boost", "1\n");
    let tree = (0..4).fold(tree, |tree, n| tree.thread(n, ["0-1\n", "2-3\n"][n / 2]));
    (4..8)
        .fold(tree, |tree, n| tree.thread(n, &format!("{n}\n")))
        .memory(128)
}

/// Four small and three big cores and one biggest, no memory blocks listed.
fn big_little() -> Tree {
    let tree = Tree::new()
        .with(
            "proc/cpuinfo",
            "processor : 0\nCPU implementer : 0x41\nCPU part : 0xd05\n",
        )
        .with("proc/device-tree/model", "Example Board 5 Rev 1.0\u{0}")
        .with("proc/meminfo", "MemTotal: 7900000 kB\n")
        .with("etc/os-release", "NAME='Arch Linux ARM'\n")
        .with(
            "sys/class/drm/renderD128/device/uevent",
            "DRIVER=panthor\nOF_COMPATIBLE_0=rockchip,mali\n",
        );
    [250, 250, 250, 250, 860, 860, 860, 1024]
        .into_iter()
        .enumerate()
        .fold(tree, |tree, (n, speed)| {
            tree.thread(n, &n.to_string()).with(
                &format!("sys/devices/system/cpu/cpu{n}/cpu_capacity"),
                &speed.to_string(),
            )
        })
}

#[test]
fn a_hybrid_chip_counts_each_kind_of_core_once() {
    let machine = hybrid().machine();
    assert_eq!(machine.chip, "12th Gen Intel(R) Core(TM) i5");
    assert_eq!(
        (machine.performance_cores, machine.efficiency_cores),
        (2, 4)
    );
    assert_eq!(machine.memory_gib, 16);
    assert_eq!(machine.gpus, ["Intel 46a6"]);
    assert_eq!(machine.os, "Ubuntu 24");
}

#[test]
fn arm_cores_are_told_apart_by_capacity_or_clock() {
    let machine = big_little().machine();
    assert_eq!(machine.chip, "Example Board 5 Rev 1.0");
    assert_eq!(
        (machine.performance_cores, machine.efficiency_cores),
        (4, 4)
    );
    assert_eq!(
        (machine.memory_gib, machine.os.as_str()),
        (8, "Arch Linux ARM")
    );
    assert_eq!(machine.gpus, ["rockchip,mali"]);

    let clocks = [1_800_000, 1_800_000, 2_400_000, 2_400_000]
        .into_iter()
        .enumerate();
    let tree = clocks.fold(Tree::new(), |tree, (n, clock)| {
        tree.thread(n, &n.to_string()).with(
            &format!("sys/devices/system/cpu/cpu{n}/cpufreq/cpuinfo_max_freq"),
            &clock.to_string(),
        )
    });
    // Three quarters of the fastest clock is still the same kind.
    assert_eq!(
        (
            tree.machine().performance_cores,
            tree.machine().efficiency_cores
        ),
        (4, 0)
    );
    let tree = tree
        .with(
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
            "1500000",
        )
        .with(
            "sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq",
            "1500000",
        );
    assert_eq!(
        (
            tree.machine().performance_cores,
            tree.machine().efficiency_cores
        ),
        (2, 2)
    );
}

#[test]
fn an_arm_server_is_named_by_its_core_designs() {
    let core = |n, part| format!("processor : {n}\nCPU implementer : 0x41\nCPU part\t: {part}\n\n");
    let info = [core(0, "0xd0c"), core(1, "0xd0c"), core(2, "0xd05")].concat();
    let machine = Tree::new().with("proc/cpuinfo", &info).machine();
    assert_eq!(
        machine.chip,
        "Arm implementer 0x41 part 0xd05 + Arm implementer 0x41 part 0xd0c"
    );
    assert_eq!(machine.performance_cores, 3);
}

#[test]
fn what_changes_while_it_runs_does_not_make_another_machine() {
    let key = hybrid().machine().key();
    let check = |tree: Tree| assert_eq!(tree.machine().key(), key);
    check(hybrid());
    check(hybrid().with(
        "proc/meminfo",
        "MemTotal:       15100000 kB\nMemFree: 9 kB\n",
    ));
    check(hybrid().with(
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq",
        "400000\n",
    ));
    check(hybrid().with(
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
        "800000\n",
    ));
    check(hybrid().with("sys/devices/system/cpu/cpufreq/boost", "0\n"));
    check(hybrid().with("etc/os-release", "NAME=\"Ubuntu\"\nVERSION_ID=\"24.10\"\n"));
    check(hybrid().with("sys/class/drm/renderD129/device/vendor", "0x1af4\n"));

    let board = big_little().machine().key();
    for total in ["7700000", "8100000", "8388608"] {
        let tree = big_little().with("proc/meminfo", &format!("MemTotal: {total} kB\n"));
        assert_eq!(tree.machine().key(), board, "{total}");
    }
}

#[test]
fn a_changed_part_makes_another_machine() {
    let key = hybrid().machine().key();
    let check = |tree: Tree| assert_ne!(tree.machine().key(), key);
    check(hybrid().with(
        "proc/cpuinfo",
        "model name : 13th Gen Intel(R) Core(TM) i5\n",
    ));
    check(hybrid().thread(8, "8\n"));
    check(
        hybrid()
            .with("sys/devices/cpu_atom/cpus", "3-7\n")
            .thread(3, "3\n"),
    );
    check(hybrid().memory(256));
    check(hybrid().with(
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        "Model: \t\t NVIDIA H200\n",
    ));
    check(hybrid().without("sys/class/drm"));
    check(hybrid().with("etc/os-release", "NAME=\"Ubuntu\"\nVERSION_ID=\"26.04\"\n"));
}

#[test]
fn an_nvidia_gpu_is_named_once() {
    let tree = hybrid()
        .with(
            "proc/driver/nvidia/gpus/0000:01:00.0/information",
            "Model: \t\t NVIDIA H200\nIRQ: 1\n",
        )
        .with("sys/class/drm/renderD129/device/vendor", "0x10de\n")
        .with("sys/class/drm/renderD129/device/device", "0x2335\n");
    assert_eq!(tree.machine().gpus, ["Intel 46a6", "NVIDIA H200"]);
}

#[test]
fn a_container_without_sysfs_still_has_chip_cores_and_memory() {
    let info: String = (0..4)
        .map(|n| {
            format!(
                "processor: {n}\nmodel name: Box\nphysical id: 0\ncore id: {}\n\n",
                n / 2
            )
        })
        .collect();
    let machine = Tree::new()
        .with("proc/cpuinfo", &info)
        .with("proc/meminfo", "MemTotal: 24684096 kB\n")
        .machine();
    assert_eq!(
        (machine.chip.as_str(), machine.performance_cores),
        ("Box", 2)
    );
    assert_eq!((machine.memory_gib, machine.os.as_str()), (24, "Linux"));
}

#[test]
fn garbage_is_unknown_and_never_a_panic() {
    let tree = Tree::new()
        .with("proc/cpuinfo", "\u{0}\u{1}:::\nmodel name\nmodel name : \n")
        .with("proc/meminfo", "MemTotal: 99999999999999999999 kB\n")
        .with("etc/os-release", "NAME=\n=\nVERSION_ID=20261123\n")
        .with(
            "sys/devices/system/memory/block_size_bytes",
            "ffffffffffffffff",
        )
        .with("sys/devices/system/memory/memory0/online", "1")
        .with("sys/devices/system/memory/memory1/online", "1")
        .with("sys/devices/cpu_atom/cpus", "a-b,,-")
        .with(
            "sys/devices/system/cpu/cpux/topology/thread_siblings_list",
            "0",
        )
        .with("sys/class/drm/renderD128/device/vendor", "zzzz");
    let machine = tree.machine();
    assert_eq!(
        (machine.chip.as_str(), machine.os.as_str()),
        ("unknown", "Linux")
    );
    assert_eq!((machine.performance_cores, machine.memory_gib), (0, 0));
    assert!(machine.gpus.is_empty());
    assert_eq!(Tree::new().machine().chip, "unknown");
}
