//! Verdicts about long-lived processes: does memory leak, do calls get slower.

use super::median;
use super::slope::{Slope, slope};

/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;
/// Growth per call above which memory leaks.
const LEAK_PER_CALL: f64 = 0.25 * MIB;
/// Growth after burn-in above which it counts: allocators round up and keep some.
const LEAK_GROWTH: f64 = 16.0 * MIB;
/// Growth of time per 100 calls above which calls get slower, as a share of their median.
const SLOWDOWN_PER_100: f64 = 0.01;
/// Total change above which calls get slower, as a share of their median.
const SLOWDOWN_CHANGE: f64 = 0.03;
/// Calls whose median is the level that memory or time starts from or ends at.
const LEVEL: usize = 5;
/// Settled calls below which no pace is told: what else the machine does weighs more than the model.
const FEWEST: usize = 20;

/// Calls that a process needs to settle: caches fill, kernels are compiled, allocators round up.
pub const BURN_IN: usize = 5;

/// What memory does from call to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It grows and goes on growing: in the second half by more than 0.25 MiB a call at the lower
    /// end of the slope, and by more than 16 MiB in all.
    Leak,
    /// It grew, in the first half or by more than 16 MiB in all, and the slope of the second half
    /// may be zero.
    Plateau,
    /// Neither.
    Flat,
}

/// The verdict on memory after each call of one process, in bytes, and the slopes of its two
/// halves in bytes per call; the first `burn_in` calls do not count. None where a half is too
/// short for a slope.
#[must_use]
pub fn memory(bytes: &[f64], burn_in: usize) -> Option<(Memory, [Slope; 2])> {
    let settled = bytes.get(burn_in..)?;
    let (early, late) = settled.split_at(settled.len() / 2);
    let (first, second) = (slope(early)?, slope(late)?);
    let start = median(&early[..early.len().min(LEVEL)])?;
    let growth = median(&late[late.len().saturating_sub(LEVEL)..])? - start;
    let grew = first.low > 0.0 || growth > LEAK_GROWTH;
    let verdict = if second.low > LEAK_PER_CALL && growth > LEAK_GROWTH {
        Memory::Leak
    } else if grew && second.low <= 0.0 && second.high >= 0.0 {
        Memory::Plateau
    } else {
        Memory::Flat
    };
    Some((verdict, [first, second]))
}

/// How the time of a call changes, as shares of the median call: `0.01` is 1 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Slope over 100 calls.
    pub per_100: f64,
    /// Lower end, 95 %.
    pub low: f64,
    /// Upper end, 95 %.
    pub high: f64,
    /// What the slope adds up to over all calls.
    pub change: f64,
}

impl Pace {
    /// Whether calls get slower: by more than 1 % per 100 calls at the lower end of the slope, and
    /// by more than 3 % in all.
    #[must_use]
    pub fn is_slowdown(&self) -> bool {
        self.low > SLOWDOWN_PER_100 && self.change > SLOWDOWN_CHANGE
    }
}

/// The pace of successive calls of one process; the first `burn_in` do not count. None with fewer
/// than twenty others, and where their median is not above zero.
#[must_use]
pub fn pace(seconds: &[f64], burn_in: usize) -> Option<Pace> {
    let settled = seconds.get(burn_in..).filter(|rest| rest.len() >= FEWEST)?;
    let centre = median(settled).filter(|&centre| centre > 0.0)?;
    let slope = slope(settled)?;
    let per_100 = |per_call: f64| 100.0 * per_call / centre;
    Some(Pace {
        per_100: per_100(slope.per_call),
        low: per_100(slope.low),
        high: per_100(slope.high),
        change: slope.change / centre,
    })
}

/// What makes calls slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Heat, or whatever else a rest takes away: the same process is fast again after one.
    Thermal,
    /// The process itself: only a fresh one is fast.
    State,
    /// The machine: a fresh process is slow too.
    Machine,
}

/// Why the calls of one process became slower, by experiment: from calls of that process after a
/// rest and calls of a fresh one. Calls are fast again where their median is nearer to the process's
/// first settled calls than to its last. None where that cannot be told.
#[must_use]
pub fn cause(seconds: &[f64], burn_in: usize, [rested, fresh]: [&[f64]; 2]) -> Option<Cause> {
    let settled = seconds.get(burn_in..)?;
    let early = median(&settled[..settled.len().min(LEVEL)])?;
    let late = median(&settled[settled.len().saturating_sub(LEVEL)..])?;
    let fast = |seconds: &[f64]| median(seconds).map(|middle| middle < f64::midpoint(early, late));
    match (fast(rested)?, fast(fresh)) {
        (true, _) => Some(Cause::Thermal),
        (false, Some(true)) => Some(Cause::State),
        (false, Some(false)) => Some(Cause::Machine),
        (false, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;

    #[test]
    fn memory_leaks_levels_off_or_stays() {
        let check = |name: &str, expected, mib: fn(f64) -> f64| {
            let mut random = Rng::default();
            let mut at = |call| (500.0 + mib(call) + 0.1 * random.normal()) * MIB;
            let bytes: Vec<f64> = (0..50).map(|call| at(f64::from(call))).collect();
            let (verdict, slopes) = memory(&bytes, 5).expect("fifty calls");
            assert_eq!(verdict, expected, "{name}: {slopes:?}");
        };
        check("one MiB a call", Memory::Leak, |call| call);
        check("4 MiB every fourth call", Memory::Leak, |call| {
            4.0 * (call / 4.0).floor()
        });
        check("a tenth of a MiB a call", Memory::Flat, |call| 0.1 * call);
        check("nothing", Memory::Flat, |_| 0.0);
        check("all of it while burning in", Memory::Flat, |call| {
            100.0 * call.min(4.0)
        });
        check("grows, then stays", Memory::Plateau, |call| {
            2.0 * call.min(20.0)
        });
        check("once, early", Memory::Plateau, |call| {
            if call < 15.0 { 0.0 } else { 64.0 }
        });
        check("once, late", Memory::Plateau, |call| {
            if call < 40.0 { 0.0 } else { 64.0 }
        });
    }

    #[test]
    fn calls_get_slower_only_by_rate_and_in_all() {
        let check = |name: &str, calls: u32, expected, factor: fn(f64) -> f64| {
            let mut random = Rng::default();
            let mut at = |call| 0.2 * factor(call) * (1.0 + 0.01 * random.normal());
            let seconds: Vec<f64> = (0..calls).map(|call| at(f64::from(call))).collect();
            let pace = pace(&seconds, 3).expect("enough calls");
            assert_eq!(pace.is_slowdown(), expected, "{name}: {pace:?}");
        };
        check("1 % a call", 50, true, |call| 1.0 + 0.01 * call);
        check("steady", 50, false, |_| 1.0);
        check("faster", 50, false, |call| 2.0 - 0.01 * call);
        check("2 % in all", 50, false, |call| 1.0 + 0.0004 * call);
        check("8 % per 100", 100, true, |call| 1.0 + 0.0008 * call);
        check("a slow first call", 30, false, |call| {
            if call < 3.0 { 9.0 } else { 1.0 }
        });
    }

    #[test]
    fn few_calls_and_none_have_no_verdict() {
        assert_eq!(memory(&[1.0; 12], 3), None);
        assert_eq!(memory(&[1.0; 2], 3), None);
        assert_eq!(pace(&[1.0; 22], 3), None);
        assert_eq!(pace(&[0.0; 50], 0), None);
        let cycles = memory(&[1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0], 0);
        assert_eq!(cycles.map(|(verdict, _)| verdict), Some(Memory::Plateau));
    }

    #[test]
    fn the_cause_is_what_makes_calls_fast_again() {
        let slower: Vec<f64> = (0..50).map(|call| 1.0 + 0.01 * f64::from(call)).collect();
        let check = |rested: &[f64], fresh: &[f64], expected| {
            let found = cause(&slower, BURN_IN, [rested, fresh]);
            assert_eq!(found, expected, "{rested:?} {fresh:?}");
        };
        check(&[1.1, 1.05, 1.05], &[], Some(Cause::Thermal));
        check(&[1.05], &[1.5], Some(Cause::Thermal));
        check(&[1.5, 1.0, 1.5], &[1.0], Some(Cause::State));
        check(&[1.5], &[1.45], Some(Cause::Machine));
        check(&[1.5], &[], None);
        check(&[], &[1.0], None);
        assert_eq!(cause(&slower[..3], BURN_IN, [&[1.0], &[1.0]]), None);
    }
}
