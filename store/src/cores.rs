//! Pieces of work on every core.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` with every number below `count`, each on whichever core is free; results in their order.
///
/// Other cores work with what `other` makes there, and leave all to the rest where it makes nothing. This core
/// works with what `own` gives, which is asked once the others have begun; what else it gives is handed on.
pub fn on_all<'a, C: 'a, B, T: Send>(
    count: usize,
    own: impl FnOnce() -> (&'a C, B),
    other: impl Fn() -> Option<C> + Sync,
    work: impl Fn(&C, usize) -> T + Sync,
) -> (B, Vec<T>) {
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&at| at < count);
    let all = |with: &C| -> BTreeMap<usize, T> {
        let taken = std::iter::from_fn(take);
        taken.map(|at| (at, work(with, at))).collect()
    };
    let helped = || other().map(|with| all(&with)).unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let (own, given, mut done) = thread::scope(|scope| {
        let helpers: Vec<_> = (1..cores.min(count)).map(|_| scope.spawn(helped)).collect();
        let (own, given) = own();
        let mut done = all(own);
        for helper in helpers {
            done.extend(helper.join().unwrap_or_default());
        }
        (own, given, done)
    });
    // What a helper that died had taken.
    for at in 0..count {
        done.entry(at).or_insert_with(|| work(own, at));
    }
    (given, done.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once_and_in_order() {
        let done = AtomicUsize::new(0);
        let work = |_: &(), at: usize| {
            done.fetch_add(1, Ordering::Relaxed);
            2 * at
        };
        let (given, results) = on_all(100, || (&(), 7), || Some(()), work);
        assert_eq!((given, done.load(Ordering::Relaxed)), (7, 100));
        assert_eq!(results, (0..100).map(|at| 2 * at).collect::<Vec<_>>());
        let none = on_all(0, || (&(), ()), || Some(()), |(), at| at);
        assert_eq!(none.1, Vec::<usize>::new());
    }

    #[test]
    fn what_others_cannot_do_is_done_here() {
        let here = thread::current().id();
        let work = |_: &(), at: usize| {
            assert_eq!(thread::current().id(), here, "this helper dies on purpose");
            at
        };
        let whole: Vec<usize> = (0..20).collect();
        assert_eq!(on_all(20, || (&(), ()), || Some(()), work).1, whole);
        assert_eq!(on_all(20, || (&(), ()), || None, work).1, whole);
    }
}
