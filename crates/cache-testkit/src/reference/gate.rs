//! Holding a call where a race is to happen.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds one call of a store until it is released. A gate that is dropped releases.
///
/// Of several gates for the same operation, each holds one call, in the order in which they were asked for.
#[derive(Debug)]
#[must_use = "a gate that is dropped holds nobody"]
pub struct Gate {
    latches: Arc<Latches>,
}

#[derive(Debug)]
pub(super) struct Latches {
    reached: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

impl Gate {
    pub(super) fn new() -> (Self, Arc<Latches>) {
        let latches =
            Arc::new(Latches { reached: watch::Sender::new(false), released: watch::Sender::new(false) });
        (Self { latches: Arc::clone(&latches) }, latches)
    }

    /// Ends when a call waits at the gate, or has waited there. Dropping the future changes nothing.
    pub async fn reached(&self) {
        wait(&self.latches.reached).await;
    }

    /// Whether a call waits at the gate, or has waited there.
    pub fn is_reached(&self) -> bool {
        *self.latches.reached.borrow()
    }

    /// Lets the call go on, also one that comes later.
    pub fn release(&self) {
        self.latches.released.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.release();
    }
}

impl Latches {
    pub(super) async fn pass(&self) {
        self.reached.send_replace(true);
        wait(&self.released).await;
    }
}

async fn wait(latch: &watch::Sender<bool>) {
    // The sender is borrowed, so the channel cannot close while this waits.
    let _ = latch.subscribe().wait_for(|open| *open).await;
}
