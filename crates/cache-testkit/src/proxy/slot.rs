//! The fault of one direction of one connection, as it is set from outside and looked at inside.

use tokio::sync::watch;

use super::Fault;

/// A fault, and a number that is another one each time a fault is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) fault: Fault,
    pub(super) generation: u64,
}

/// Sets a fault, also if it is the same as before: it counts from now.
pub(super) fn set(slot: &watch::Sender<Slot>, fault: Fault) {
    slot.send_modify(|slot| *slot = Slot { fault, generation: slot.generation + 1 });
}

/// Lets bytes pass from now on, unless another fault was set meanwhile.
pub(super) fn settle(slot: &watch::Sender<Slot>, generation: u64) {
    slot.send_if_modified(|slot| {
        let is_current = slot.generation == generation;
        if is_current {
            *slot = Slot { fault: Fault::Pass, generation: generation + 1 };
        }
        is_current
    });
}
