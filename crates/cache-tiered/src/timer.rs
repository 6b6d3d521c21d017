//! Time by the operating system, waiting by tokio.

use std::time::Duration;

use cache_core::{Clock, Moment, Sleep, SystemClock, Timer};

/// The [`Timer`] of production: the system's clock, and tokio's timer for waiting. The runtime must have its timer
/// enabled (`enable_time`, `enable_all`, or `#[tokio::main]`); outside any runtime a wait never ends.
#[derive(Clone, Debug, Default)]
pub struct TokioTimer {
    clock: SystemClock,
}

impl TokioTimer {
    /// A timer whose clock starts now.
    pub fn new() -> Self {
        Self::default()
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
}

impl Timer for TokioTimer {
    fn sleep_until(&self, at: Moment) -> Sleep {
        let left = at.since(self.now());
        Box::pin(async move {
            match tokio::runtime::Handle::try_current() {
                Ok(_) => tokio::time::sleep(left).await,
                Err(_) => std::future::pending().await,
            }
        })
    }
}
