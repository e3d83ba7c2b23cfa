//! How a process asks the system to be treated while it measures. On Linux there is nothing to ask.
//!
//! macOS chooses the kind of core by a thread's quality-of-service class: work of the class
//! *background*, which a scheduled job gets, stays on efficiency cores. Source: `sys/qos.h`.

/// Which side of a measurement a thread belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It measures others, and must not be in their way.
    Parent,
    /// It is measured.
    Worker,
}

/// Gives the calling thread the class of its side: *utility* to a parent's, *user-initiated* to a
/// worker's. A worker's call, which must come before any tensor work, covers the threads of rayon's
/// pool too. Does nothing on Linux.
///
/// It is a request: the share of time on performance cores tells what came of it.
pub fn settle(side: Side) {
    system::set_class(side);
    if side == Side::Worker {
        settle_pool();
    }
}

/// Threads do not inherit a class from the one that starts them.
#[cfg(all(target_os = "macos", feature = "candle"))]
fn settle_pool() {
    let pool = rayon::ThreadPoolBuilder::new();
    // A pool that is there already keeps the default class, which is not held to slow cores either.
    let _ = pool
        .start_handler(|_| system::set_class(Side::Worker))
        .build_global();
}

#[cfg(not(all(target_os = "macos", feature = "candle")))]
const fn settle_pool() {}

/// Keeps the machine from going to sleep for want of a user, until dropped. The display may sleep.
#[derive(Debug)]
pub struct Awake {
    /// Dropped to give the machine free.
    _assertion: Option<system::Assertion>,
}

impl Awake {
    /// Asks for it. A refusal changes nothing: a trial in which the machine slept is void.
    #[must_use]
    pub fn hold() -> Self {
        Self {
            _assertion: system::Assertion::hold(),
        }
    }
}

#[cfg(not(target_os = "macos"))]
mod system {
    use super::Side;

    pub(super) const fn set_class(_side: Side) {}

    #[derive(Debug)]
    pub(super) enum Assertion {}

    impl Assertion {
        pub(super) const fn hold() -> Option<Self> {
            None
        }
    }
}

#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "thread classes and power assertions of macOS")]
mod system {
    use super::Side;
    use crate::machine::macos::{CfRef, CfString};

    pub(super) fn set_class(side: Side) {
        let class = match side {
            Side::Parent => libc::qos_class_t::QOS_CLASS_UTILITY,
            Side::Worker => libc::qos_class_t::QOS_CLASS_USER_INITIATED,
        };
        // SAFETY: it concerns the calling thread alone and touches no memory.
        unsafe { libc::pthread_set_qos_class_self_np(class, 0) };
    }

    /// Source: `IOKit/pwr_mgt/IOPMLib.h`, `kIOPMAssertionLevelOn`.
    const LEVEL_ON: u32 = 255;

    #[link(name = "IOKit", kind = "framework")]
    unsafe extern "C" {
        fn IOPMAssertionCreateWithName(kind: CfRef, level: u32, name: CfRef, id: *mut u32) -> i32;
        fn IOPMAssertionRelease(id: u32) -> i32;
    }

    #[derive(Debug)]
    pub(super) struct Assertion(u32);

    impl Assertion {
        pub(super) fn hold() -> Option<Self> {
            let kind = CfString::new(c"PreventUserIdleSystemSleep")?;
            let name = CfString::new(c"vlm-bench is measuring")?;
            let mut id = 0;
            // SAFETY: both texts live until the call has returned, and `id` is writable.
            let status = unsafe {
                IOPMAssertionCreateWithName(kind.get(), LEVEL_ON, name.get(), &raw mut id)
            };
            (status == 0).then_some(Self(id))
        }
    }

    impl Drop for Assertion {
        fn drop(&mut self) {
            // SAFETY: the id is of an assertion of ours, which is given back this once.
            unsafe { IOPMAssertionRelease(self.0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_harms_nobody() {
        let _awake = Awake::hold();
        // On a thread of its own, because the class stays.
        std::thread::spawn(|| settle(Side::Parent)).join().unwrap();
    }
}
