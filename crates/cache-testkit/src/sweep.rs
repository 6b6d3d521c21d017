//! Dropping a future at every point where it can be dropped.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::eventually;

/// The most polls that a swept future may need, and how long it may wait to be woken, in real time.
const BOUNDS: Bounds = Bounds { polls: 10_000, patience: Duration::from_secs(10) };

/// Drops a future at every point where a caller may drop it, and checks the world after each.
///
/// For `k` = 0, 1, 2, … it makes a fresh future with `make`, polls it `k` times and drops it: once right after its last
/// poll, and once more, in a second round, after it was woken but before it was polled again (where a permit or a reply
/// that was already handed to it can get lost). Then `after_drop(k)` runs. The sweep ends when the future completes in
/// fewer polls. Between polls it waits until the future is woken, so no poll is a wasted one, and other tasks run.
///
/// Returns the number of polls after which the future was still pending at least once: its points of suspension, and 1
/// for the future that was never polled.
///
/// # Errors
/// [`SweepError::Stuck`] if the future was not woken within 10 s of real time: what it waits for has to be brought about
/// by other tasks. [`SweepError::Endless`] if it needs more than 10 000 polls.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::sync::Arc;
/// use cache_testkit::sweep;
/// use tokio::sync::Semaphore;
///
/// let permits = Arc::new(Semaphore::new(1));
/// let points = sweep(
///     || async {
///         let _permit = permits.acquire().await.unwrap();
///         tokio::task::yield_now().await;
///     },
///     async |polls| assert_eq!(permits.available_permits(), 1, "dropped after {polls} polls"),
/// )
/// .await
/// .unwrap();
/// assert_eq!(points, 2);
/// # }
/// ```
pub async fn sweep<F, Fut, C>(make: F, after_drop: C) -> Result<usize, SweepError>
where
    F: Fn() -> Fut,
    Fut: Future,
    C: AsyncFn(usize),
{
    sweep_within(BOUNDS, make, after_drop).await
}

#[derive(Clone, Copy)]
struct Bounds {
    polls: usize,
    patience: Duration,
}

async fn sweep_within<F, Fut, C>(bounds: Bounds, make: F, after_drop: C) -> Result<usize, SweepError>
where
    F: Fn() -> Fut,
    Fut: Future,
    C: AsyncFn(usize),
{
    for polls in 0..bounds.polls {
        for until in [Until::Polled, Until::Woken] {
            let mut running = Running::new(make(), bounds.patience);
            if running.poll_times(polls).await? {
                return Ok(polls);
            }
            if until == Until::Woken && polls > 0 {
                running.woken(polls).await?;
            }
            drop(running);
            after_drop(polls).await;
        }
    }
    Err(SweepError::Endless)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Polled,
    Woken,
}

/// A future with the wake-ups that it had.
struct Running<Fut> {
    future: Pin<Box<Fut>>,
    wakes: Arc<Wakes>,
    seen: usize,
    patience: Duration,
}

impl<Fut: Future> Running<Fut> {
    fn new(future: Fut, patience: Duration) -> Self {
        Self { future: Box::pin(future), wakes: Arc::default(), seen: 0, patience }
    }

    /// Whether it completed with one of these polls.
    async fn poll_times(&mut self, polls: usize) -> Result<bool, SweepError> {
        for poll in 0..polls {
            if poll > 0 {
                self.woken(poll).await?;
            }
            if self.poll().is_ready() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn poll(&mut self) -> Poll<Fut::Output> {
        self.seen = self.wakes.count();
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Does not borrow the future, which need not be shareable for the sweep to be sent.
    fn woken(&self, polls: usize) -> impl Future<Output = Result<(), SweepError>> + use<Fut> {
        let (wakes, seen, patience) = (Arc::clone(&self.wakes), self.seen, self.patience);
        async move {
            let woken = eventually(patience, "the future is woken", || wakes.count() > seen);
            woken.await.map_err(|_| SweepError::Stuck { polls })
        }
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Why a [`sweep`] came to no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SweepError {
    /// Nothing woke the future.
    Stuck {
        /// The polls that it had had.
        polls: usize,
    },
    /// The future needs more than 10 000 polls.
    Endless,
}

impl fmt::Display for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stuck { polls } => {
                write!(f, "after {polls} polls nothing woke the future within {:?}", BOUNDS.patience)
            }
            Self::Endless => write!(f, "the future does not complete within {} polls", BOUNDS.polls),
        }
    }
}

impl std::error::Error for SweepError {}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tokio::sync::{Semaphore, oneshot};
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn every_point_is_visited_twice_and_in_order() {
        let visited = Mutex::new(Vec::new());
        let make = || async {
            yield_now().await;
            yield_now().await;
        };
        let points = sweep(make, async |polls| visited.lock().push(polls)).await.unwrap();
        assert_eq!((points, visited.into_inner()), (3, vec![0, 0, 1, 1, 2, 2]));
    }

    #[tokio::test]
    async fn a_future_that_is_ready_at_once_has_one_point() {
        assert_eq!(sweep(|| std::future::ready(()), async |_| ()).await, Ok(1));
    }

    #[tokio::test]
    async fn futures_that_need_the_runtime_can_be_swept() {
        let make = || async {
            let inner = tokio::spawn(async {
                yield_now().await;
                7
            });
            assert_eq!(inner.await.unwrap(), 7);
        };
        assert_eq!(sweep(make, async |_| ()).await, Ok(2));
    }

    /// A lock that is handed to a waiter by name, and lost if the waiter does not come to take it.
    #[tokio::test]
    async fn what_is_handed_over_before_the_drop_is_seen_to_be_lost() {
        let lost = Arc::new(AtomicUsize::new(0));
        let make = || {
            let (hand_over, taken) = oneshot::channel::<&str>();
            let lost = Arc::clone(&lost);
            async move {
                let handed = Arc::clone(&lost);
                tokio::spawn(async move {
                    yield_now().await;
                    if hand_over.send("the lock").is_ok() {
                        handed.fetch_add(1, Ordering::Relaxed);
                    }
                });
                taken.await.unwrap();
                lost.fetch_sub(1, Ordering::Relaxed);
            }
        };
        let seen = Mutex::new(Vec::new());
        sweep(make, async |_| {
            crate::settle().await;
            seen.lock().push(lost.swap(0, Ordering::Relaxed));
        })
        .await
        .unwrap();
        assert_eq!(seen.into_inner(), [0, 0, 0, 1], "only the drop after the wake-up loses it");
    }

    #[tokio::test]
    async fn a_future_without_end_is_an_error() {
        let bounds = Bounds { polls: 20, patience: Duration::from_millis(20) };
        let busy = || async {
            loop {
                yield_now().await;
            }
        };
        let swept: Result<usize, SweepError> = sweep_within(bounds, busy, async |_| ()).await;
        assert_eq!(swept, Err(SweepError::Endless));
        let swept = sweep_within(bounds, std::future::pending::<()>, async |_| ()).await;
        assert_eq!(swept, Err(SweepError::Stuck { polls: 1 }));
    }

    #[tokio::test]
    async fn a_correct_lock_survives_the_sweep() {
        let lock = Arc::new(Semaphore::new(1));
        let make = || {
            let lock = Arc::clone(&lock);
            async move {
                let _permit = lock.acquire().await.unwrap();
                yield_now().await;
            }
        };
        sweep(make, async |_| assert_eq!(lock.available_permits(), 1)).await.unwrap();
    }
}
