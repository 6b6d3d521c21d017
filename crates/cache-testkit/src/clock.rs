//! A clock that stands still until the test moves it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cache_core::{Clock, Moment, Sleep, Timer};
use parking_lot::Mutex;

/// A [`Clock`] and [`Timer`] whose time only [`advance`](FakeClock::advance) moves. Starts at [`Moment::START`].
///
/// It needs no runtime: sleeps are woken by the thread that advances, whatever executor polls them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
/// use cache_core::{Clock, Timer};
/// use cache_testkit::{FakeClock, settle};
///
/// let clock = FakeClock::new();
/// let sleep = clock.sleep_until(clock.now() + Duration::from_secs(3600));
/// let sleeper = tokio::spawn(sleep);
/// settle().await;
/// assert_eq!(clock.sleepers(), 1);
/// clock.advance(Duration::from_secs(3600));
/// sleeper.await.unwrap();
/// # }
/// ```
pub struct FakeClock {
    shared: Arc<Mutex<Shared>>,
    hooks: Mutex<Vec<Hook>>,
}

/// Called when time has moved; returns whether it wants to be called again.
type Hook = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Debug)]
struct Shared {
    now: Moment,
    unix_base: u64,
    unix_base_at: Moment,
    suspended: Duration,
    next_sleep: u64,
    /// By moment and then by age, so that sleepers wake in the order in which their time comes.
    sleepers: BTreeMap<(Moment, u64), Waker>,
}

impl FakeClock {
    /// A clock at [`Moment::START`]; its wall clock stands at the beginning of 2026.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::new(Mutex::new(Shared {
                now: Moment::START,
                unix_base: 1_767_225_600_000,
                unix_base_at: Moment::START,
                suspended: Duration::ZERO,
                next_sleep: 0,
                sleepers: BTreeMap::new(),
            })),
            hooks: Mutex::default(),
        })
    }

    /// Calls `hook` whenever time has moved, before any sleeper is woken, for as long as it returns true. It must not
    /// move time.
    pub fn on_advance(&self, hook: impl Fn() -> bool + Send + Sync + 'static) {
        self.hooks.lock().push(Arc::new(hook));
    }

    /// The machine is suspended for so long, and its time stands still meanwhile.
    pub fn suspend(&self, by: Duration) {
        self.shared.lock().suspended += by;
    }

    /// Moves time and then wakes every sleeper whose moment has come, in order. Those who sleep again while they
    /// handle it are only woken by a later call; a test of a periodic task advances period by period.
    pub fn advance(&self, by: Duration) {
        let due: Vec<Waker> = {
            let shared = &mut *self.shared.lock();
            shared.now = shared.now + by;
            let later = shared.sleepers.split_off(&(shared.now, u64::MAX));
            std::mem::replace(&mut shared.sleepers, later).into_values().collect()
        };
        // Called without the lock, so that a hook may look at the clock.
        let hooks: Vec<Hook> = self.hooks.lock().clone();
        let done: Vec<Hook> = hooks.into_iter().filter(|hook| !hook()).collect();
        self.hooks.lock().retain(|hook| !done.iter().any(|done| Arc::ptr_eq(done, hook)));
        due.into_iter().for_each(Waker::wake);
    }

    /// How many sleeps are waiting: polled, not dropped, and their moment has not come.
    pub fn sleepers(&self) -> usize {
        self.shared.lock().sleepers.len()
    }

    /// The moment at which the next waiting sleep ends.
    pub fn next_wake(&self) -> Option<Moment> {
        self.shared.lock().sleepers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Sets the wall clock to so many milliseconds since 1970, forwards or back, without moving [`now`](Clock::now). It goes on from
    /// there with `now`.
    pub fn set_unix_millis(&self, millis: u64) {
        let mut shared = self.shared.lock();
        shared.unix_base = millis;
        shared.unix_base_at = shared.now;
    }
}

impl fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeClock").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        self.shared.lock().now
    }

    fn coarse(&self) -> Moment {
        self.now()
    }

    fn coarse_error(&self) -> Duration {
        Duration::ZERO
    }

    fn unix_millis(&self) -> u64 {
        let shared = self.shared.lock();
        let passed = shared.now.since(shared.unix_base_at).as_millis();
        shared.unix_base.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    fn suspended(&self) -> Duration {
        self.shared.lock().suspended
    }
}

impl Timer for FakeClock {
    fn sleep_until(&self, at: Moment) -> Sleep {
        Box::pin(FakeSleep { at, id: None, clock: Arc::clone(&self.shared) })
    }
}

struct FakeSleep {
    at: Moment,
    /// Given by the first poll that has to wait.
    id: Option<u64>,
    clock: Arc<Mutex<Shared>>,
}

impl Future for FakeSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let sleep = &mut *self;
        let mut shared = sleep.clock.lock();
        if shared.now >= sleep.at {
            return Poll::Ready(());
        }
        let id = *sleep.id.get_or_insert_with(|| {
            shared.next_sleep += 1;
            shared.next_sleep
        });
        shared.sleepers.insert((sleep.at, id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for FakeSleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.clock.lock().sleepers.remove(&(self.at, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Log(u32, Arc<Mutex<Vec<u32>>>);

    impl Wake for Log {
        fn wake(self: Arc<Self>) {
            self.1.lock().push(self.0);
        }
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_moments_and_not_before() {
        let clock = FakeClock::new();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut sleeps: Vec<Sleep> =
            [3, 1, 2, 1].iter().map(|s| clock.sleep_until(clock.now() + SECOND * *s)).collect();
        for (i, sleep) in (0..).zip(&mut sleeps) {
            let waker = Waker::from(Arc::new(Log(i, Arc::clone(&woken))));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!((clock.sleepers(), clock.next_wake()), (4, Some(Moment::START + SECOND)));
        clock.advance(SECOND - Duration::from_nanos(1));
        assert!(woken.lock().is_empty());
        clock.advance(SECOND + Duration::from_nanos(1));
        assert_eq!(*woken.lock(), [1, 3, 2]);
        assert_eq!(clock.sleepers(), 1);
    }

    #[test]
    fn a_dropped_sleep_leaves_nothing_behind() {
        let clock = FakeClock::new();
        let mut sleep = clock.sleep_until(Moment::NEVER);
        assert_eq!(clock.sleepers(), 0, "a sleep that nobody polled does not wait");
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn a_moment_that_has_passed_is_not_waited_for() {
        let clock = FakeClock::new();
        clock.advance(SECOND);
        for at in [Moment::START, clock.now()] {
            let mut sleep = clock.sleep_until(at);
            assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
    }

    #[test]
    fn a_hook_sees_the_new_time_before_sleepers_do_until_it_has_enough() {
        let clock = FakeClock::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (of, into) = (Arc::clone(&clock), Arc::clone(&seen));
        clock.on_advance(move || {
            into.lock().push(of.now());
            into.lock().len() < 2
        });
        for _ in 0..3 {
            clock.advance(SECOND);
        }
        assert_eq!(*seen.lock(), [Moment::START + SECOND, Moment::START + SECOND * 2]);
    }

    #[test]
    fn the_wall_clock_can_jump_while_time_goes_on() {
        let clock = FakeClock::new();
        clock.advance(SECOND);
        clock.set_unix_millis(5_000);
        let before = clock.now();
        clock.advance(SECOND * 2);
        assert_eq!((clock.unix_millis(), clock.now().since(before)), (7_000, SECOND * 2));
    }

    #[test]
    fn sleeps_in_other_threads_are_woken() {
        let clock = FakeClock::new();
        let at = clock.now() + SECOND;
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let sleep = clock.sleep_until(at);
                std::thread::spawn(move || {
                    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(sleep);
                })
            })
            .collect();
        while clock.sleepers() < 4 {
            std::thread::yield_now();
        }
        clock.advance(SECOND);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(clock.sleepers(), 0);
    }
}
