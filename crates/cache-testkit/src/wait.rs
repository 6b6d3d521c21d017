//! Waiting in tests without a guess at how long something takes.

use std::fmt;
use std::time::{Duration, Instant};

/// How often a task gives way before it takes the others to be done. Each round runs every task that is ready once, so
/// chains of that many wake-ups, one task waking the next, come to rest.
const ROUNDS: usize = 256;

/// Between two looks, so that polling leaves the processor to what is waited for.
const PAUSE: Duration = Duration::from_micros(200);

/// Gives way until the other tasks have nothing more to do, as far as can be told: a fixed number of rounds.
///
/// That is reliable for tasks of a current-thread runtime that wait for one another or for a
/// [`FakeClock`](crate::FakeClock). Where other threads or real I/O take part, use [`eventually`].
pub async fn settle() {
    for _ in 0..ROUNDS {
        tokio::task::yield_now().await;
    }
}

/// Waits until `condition` holds, looking again and again, for at most `within` of real time.
///
/// Other tasks run in between. It blocks its thread for fractions of a millisecond rather than using a timer, so it
/// works without one and under paused time; it is for tests only.
///
/// # Errors
/// [`NotInTime`] with the label, if the condition did not hold in time. It is looked at at least once.
pub async fn eventually(
    within: Duration,
    label: &str,
    mut condition: impl FnMut() -> bool,
) -> Result<(), NotInTime> {
    let started = Instant::now();
    loop {
        for _ in 0..32 {
            if condition() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
        if started.elapsed() >= within {
            return Err(NotInTime { label: label.to_owned(), within });
        }
        std::thread::sleep(PAUSE);
    }
}

/// What [`eventually`] waited for in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotInTime {
    /// What was waited for.
    pub label: String,
    /// For how long.
    pub within: Duration,
}

impl fmt::Display for NotInTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not within {:?}: {}", self.within, self.label)
    }
}

impl std::error::Error for NotInTime {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn settle_lets_a_chain_of_tasks_come_to_rest() {
        let done = Arc::new(AtomicUsize::new(0));
        let (first, mut previous) = tokio::sync::oneshot::channel::<()>();
        for _ in 0..100 {
            let (send, receive) = tokio::sync::oneshot::channel();
            let wait_for = std::mem::replace(&mut previous, receive);
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                wait_for.await.unwrap();
                done.fetch_add(1, Ordering::Relaxed);
                let _ = send.send(());
            });
        }
        first.send(()).unwrap();
        settle().await;
        assert_eq!(done.load(Ordering::Relaxed), 100);
    }

    #[tokio::test]
    async fn eventually_sees_what_other_tasks_and_threads_do() {
        let count = Arc::new(AtomicUsize::new(0));
        let (task, thread) = (Arc::clone(&count), Arc::clone(&count));
        tokio::spawn(async move { task.fetch_add(1, Ordering::Relaxed) });
        std::thread::spawn(move || thread.fetch_add(1, Ordering::Relaxed));
        eventually(Duration::from_secs(10), "both", || count.load(Ordering::Relaxed) == 2).await.unwrap();
    }

    #[tokio::test]
    async fn eventually_names_what_did_not_happen() {
        let error = eventually(Duration::ZERO, "pigs fly", || false).await.unwrap_err();
        assert_eq!(error.to_string(), "not within 0ns: pigs fly");
    }
}
