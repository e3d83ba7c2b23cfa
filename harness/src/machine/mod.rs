//! The hardware fingerprint: which machine this is, told from what does not change while it runs.
//!
//! Clock speeds, load, free memory and kernel updates are not in it, so that one machine always
//! gives one [`key`](store::Machine::key). A changed chip, core count, memory, GPU or major version
//! of the system gives a new one.

#[cfg(any(not(target_os = "macos"), test))]
pub(crate) mod linux;
#[cfg(target_os = "macos")]
pub(crate) mod macos;
#[cfg(any(not(target_os = "macos"), test))]
pub(crate) mod root;

/// This machine. Never fails: what cannot be found out is `unknown`, empty or 0.
#[must_use]
pub fn detect() -> store::Machine {
    #[cfg(target_os = "macos")]
    let machine = macos::detect();
    #[cfg(not(target_os = "macos"))]
    let machine = linux::detect(&root::Root::system());
    machine
}

/// One clean line of what a system said: control characters out, runs of blanks to one, at most
/// 120 characters.
pub(crate) fn tidy(text: &str) -> String {
    let printable = text.replace(|c: char| c.is_control() && !c.is_whitespace(), "");
    let line = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_always_the_same() {
        let machine = detect();
        assert_eq!(machine.key(), detect().key());
        assert!(
            !machine.chip.is_empty() && !machine.os.is_empty(),
            "{machine:?}"
        );
        assert!(
            machine.memory_gib > 0 && machine.performance_cores > 0,
            "{machine:?}"
        );
    }

    #[test]
    fn text_of_the_system_becomes_one_clean_line() {
        assert_eq!(
            tidy("  Raspberry\t Pi 5\u{0}\u{1b}[2J\n"),
            "Raspberry Pi 5[2J"
        );
        assert_eq!(tidy(&"x".repeat(500)).len(), 120);
    }
}
