//! Reads, as often as possible, and notes what came.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::clock::{nanos, now};
use crate::keys::{KeySpec, Kind, tag};
use crate::log::HandleLog;
use crate::product::LOAD_TIMEOUT;
use crate::random::Random;
use crate::subject::Subject;

/// What a call of the store may take by default, and the time around it that nobody promises.
pub(crate) const STORE: Duration = Duration::from_millis(250);
/// The bound of a load, which asks the store twice.
const LOAD: Duration = LOAD_TIMEOUT.saturating_add(STORE).saturating_add(STORE);

/// What all of a process's readers and writers share.
pub(crate) struct Setting {
    pub(crate) subject: Arc<dyn Subject>,
    pub(crate) keys: Vec<KeySpec>,
    pub(crate) ended: AtomicBool,
    /// Calls are dropped while they are under way.
    pub(crate) cancel: bool,
}

impl Setting {
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Runs a call, or drops it after a few polls if that is what is tried. `None` if it was dropped.
    pub(crate) async fn try_run<T>(&self, random: &mut Random, call: impl Future<Output = T>) -> Option<T> {
        let mut left = (self.cancel && random.once_in(2)).then(|| 1 + random.below(4));
        let mut call = pin!(call);
        std::future::poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => {
                left = left.map(|left| left - 1);
                if left == Some(0) { Poll::Ready(None) } else { Poll::Pending }
            }
        })
        .await
    }
}

/// Asks both tiers for any key.
pub(crate) async fn full(setting: Arc<Setting>, name: String, mut random: Random) -> HandleLog {
    let mut log = HandleLog::new(name, setting.keys.len());
    while !setting.has_ended() {
        for _ in 0..8 {
            let index = random.below(setting.keys.len());
            let key = &setting.keys[index].name;
            let start = now();
            if let Some(answer) = setting.try_run(&mut random, setting.subject.get(key)).await {
                log.note(index, key, start, answer.as_ref());
                log.time("get", start, nanos(STORE));
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    log
}

/// Asks for keys that can be loaded.
pub(crate) async fn loading(setting: Arc<Setting>, name: String, mut random: Random) -> HandleLog {
    let mut log = HandleLog::new(name, setting.keys.len());
    let loadable: Vec<usize> =
        (0..setting.keys.len()).filter(|key| setting.keys[*key].kind != Kind::Written).collect();
    while !setting.has_ended() {
        for _ in 0..4 {
            let index = loadable[random.below(loadable.len())];
            let KeySpec { name, kind, .. } = &setting.keys[index];
            let tag = (*kind == Kind::Tagged).then(|| tag(name));
            let start = now();
            if let Some(answer) = setting.try_run(&mut random, setting.subject.load(index, name, tag)).await {
                log.note(index, name, start, answer.as_ref());
                log.time("get_or_load", start, nanos(LOAD));
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    log
}

/// Asks tier 1 alone, on a thread of its own.
pub(crate) fn peeking(setting: &Setting, name: String, runtime: &Handle) -> HandleLog {
    /// How long to leave a key alone that tier 1 does not have: asking for it asks the store.
    const MISSED: u64 = 3_000_000;
    const PAUSE: Duration = Duration::from_micros(200);
    let _inside = runtime.enter();
    let mut log = HandleLog::new(name, setting.keys.len());
    let mut not_before = vec![0; setting.keys.len()];
    while !setting.has_ended() {
        for (index, key) in setting.keys.iter().enumerate() {
            let start = now();
            if start < not_before[index] {
                continue;
            }
            let answer = setting.subject.peek(&key.name);
            if answer.is_none() {
                not_before[index] = start + MISSED;
            }
            log.note(index, &key.name, start, answer.as_ref());
        }
        std::thread::sleep(PAUSE);
    }
    log
}
