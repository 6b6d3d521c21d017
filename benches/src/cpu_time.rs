//! Time that a thread ran.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How long the calling thread has run so far. What others do on the machine lengthens it only by what they push out of
/// the processor's caches.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_sees_its_time_grow() {
        let start = cpu_time();
        while cpu_time() - start < Duration::from_millis(1) {
            std::hint::spin_loop();
        }
    }
}
