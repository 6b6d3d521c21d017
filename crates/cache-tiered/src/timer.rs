//! Time by the operating system, waiting by tokio.

use std::time::Duration;

use cache_core::{Clock, Moment, Sleep, SystemClock, Timer};
use tokio::time::Instant;

/// The [`Timer`] of production: the system's clock, and tokio's timer for waiting. The runtime must have its timer
/// enabled (`enable_time`, `enable_all`, or `#[tokio::main]`); outside any runtime a wait never ends.
#[derive(Clone, Debug)]
pub struct TokioTimer {
    clock: SystemClock,
    /// The same instant on tokio's clock and on ours.
    origin: (Instant, Moment),
}

impl TokioTimer {
    /// A timer whose clock starts now.
    pub fn new() -> Self {
        let clock = SystemClock::new();
        let origin = (Instant::now(), clock.now());
        Self { clock, origin }
    }
}

impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioTimer {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn coarse(&self) -> Moment {
        self.clock.coarse()
    }

    fn coarse_error(&self) -> Duration {
        self.clock.coarse_error()
    }

    fn unix_millis(&self) -> u64 {
        self.clock.unix_millis()
    }

    fn suspended(&self) -> Duration {
        self.clock.suspended()
    }
}

impl Timer for TokioTimer {
    fn sleep_until(&self, at: Moment) -> Sleep {
        let (instant, moment) = self.origin;
        // What is too far off to be an instant does not come.
        let at = instant.checked_add(at.since(moment));
        Box::pin(async move {
            match (tokio::runtime::Handle::try_current(), at) {
                (Ok(_), Some(at)) => tokio::time::sleep_until(at).await,
                _ => std::future::pending().await,
            }
        })
    }
}
