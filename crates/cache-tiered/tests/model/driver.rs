//! Does to caches what is done to the model, and compares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, Tier};
use cache_testkit::{FakeClock, ReferenceServer, ReferenceStore, settle};
use cache_tiered::{Cache, LoadScope, Status};
use proptest::prelude::*;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::op::{Ending, Handle, KEYS, Keep, Key, Op, Step, Wish};
use crate::real::*;
use crate::reference::Reference;
use crate::rules::*;

pub(crate) struct Driver {
    pub(crate) setup: Setup,
    clock: Arc<FakeClock>,
    server: Option<Arc<ReferenceServer>>,
    /// The caches' clients of the server, if there is one.
    pub(crate) links: Vec<Arc<ReferenceStore>>,
    pub(crate) caches: Vec<Cache>,
    pub(crate) model: Reference,
    calls: HashMap<CallId, JoinHandle<Answer>>,
    /// What tells the loaders of calls how to end.
    stages: HashMap<CallId, oneshot::Sender<Ending>>,
    /// Operations so far.
    n: usize,
}

pub(crate) type Checked = Result<(), TestCaseError>;

impl Driver {
    pub(crate) fn new(setup: Setup) -> Self {
        let clock = FakeClock::new();
        let server = setup.store.then(|| ReferenceServer::new(clock.clone()));
        server.iter().for_each(|server| server.beat_with(&clock));
        let connect = |server: &Arc<ReferenceServer>| Arc::new(server.connect());
        let links: Vec<_> =
            server.iter().flat_map(|it| (0..setup.handles).map(move |_| connect(it))).collect();
        let caches = (0..setup.handles).map(|handle| cache(setup, &clock, links.get(handle))).collect();
        Self {
            setup,
            clock,
            server,
            links,
            caches,
            model: Reference::new(setup),
            calls: HashMap::new(),
            stages: HashMap::new(),
            n: 0,
        }
    }

    /// The case leads where the model does not follow.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.model.uncertain
    }

    pub(crate) async fn run(&mut self, op: &Op) -> Checked {
        self.n += 1;
        self.apply(op).await?;
        settle().await;
        if self.model.uncertain { Ok(()) } else { self.check_calls().await }
    }

    pub(crate) async fn apply(&mut self, op: &Op) -> Checked {
        let n = self.n;
        match op {
            Op::Get(h, k) => {
                let h = self.handle(*h);
                let value = self.caches[h].get::<u64>(name(*k)).await.unwrap();
                let found = self.model.read(h, *k);
                prop_assert_eq!(value.map(|value| *value), fresh(&found), "get");
            }
            Op::GetWithReceipt(h, k) => return self.get_with_receipt(self.handle(*h), *k).await,
            Op::Exists(h, k) => {
                let exists = self.caches[self.handle(*h)].exists(name(*k)).await.unwrap();
                prop_assert_eq!(exists, fresh(&self.model.find(*k)).is_some(), "exists");
            }
            Op::Ttl(h, k) => return self.ttl(self.handle(*h), *k).await,
            Op::Set(h, k, keep) => {
                let h = self.handle(*h);
                if !self.model.waits(h, *k) {
                    self.caches[h].set(name(*k), &value_of(n, *k), set_options(keep)).await.unwrap();
                    self.model.set(h, *k, value_of(n, *k), keep);
                }
            }
            Op::Delete(h, k) => {
                let h = self.handle(*h);
                if !self.model.waits(h, *k) {
                    self.caches[h].delete(name(*k)).await.unwrap();
                    self.model.delete(h, *k);
                }
            }
            Op::Expire(h, k) => {
                let h = self.handle(*h);
                if !self.model.waits(h, *k) {
                    self.caches[h].expire(name(*k)).await.unwrap();
                    self.model.expire(h, *k);
                }
            }
            Op::GetMany(h, keys) => {
                let h = self.handle(*h);
                let values = self.caches[h].get_many::<u64>(&names(keys)).await.unwrap();
                let values: Vec<_> = values.into_iter().map(|value| value.map(|value| *value)).collect();
                let found: Vec<_> = keys.iter().map(|&key| fresh(&self.model.read(h, key))).collect();
                prop_assert_eq!(values, found, "get_many");
            }
            Op::SetMany(h, keys, keep) => {
                let h = self.handle(*h);
                let keys: Vec<Key> = keys.iter().copied().filter(|&key| !self.model.waits(h, key)).collect();
                let items: Vec<_> = keys.iter().map(|&key| (name(key), value_of(n, key))).collect();
                let report = self.caches[h].set_many(&items, set_options(keep)).await.unwrap();
                report.into_result().unwrap();
                keys.iter().for_each(|&key| self.model.set(h, key, value_of(n, key), keep));
            }
            Op::DeleteMany(h, keys) => {
                let h = self.handle(*h);
                let keys: Vec<Key> = keys.iter().copied().filter(|&key| !self.model.waits(h, key)).collect();
                self.caches[h].delete_many(&names(&keys)).await.unwrap().into_result().unwrap();
                keys.iter().for_each(|&key| self.model.delete(h, key));
            }
            Op::Load(h, k, wish) => self.load(self.handle(*h), *k, wish),
            Op::LoadMany(h, keys, wish) => self.load_many(self.handle(*h), keys, wish),
            Op::InvalidateTag(h, tag) => {
                self.caches[self.handle(*h)].invalidate_tag(tag_name(*tag)).await.unwrap();
                self.model.invalidate_tag(*tag);
            }
            Op::Clear(h) => {
                self.caches[self.handle(*h)].clear().await.unwrap();
                self.model.clear();
            }
            Op::ReadAcross(h, k, held, change) => {
                return self.read_across(self.handle(*h), *k, *held, change).await;
            }
            Op::ForeignDelete(k) => {
                if let Some(server) = &self.server {
                    server.raw_del(&format!("model:{}", name(*k)));
                    self.model.foreign_delete(*k);
                }
            }
            Op::Finish(nth, ending) => self.finish(*nth, *ending),
            Op::Advance(step) => {
                if let Some(by) = self.length(*step) {
                    self.advance(by).await;
                }
            }
        }
        Ok(())
    }

    async fn get_with_receipt(&mut self, h: Handle, k: Key) -> Checked {
        let (value, receipt) = self.caches[h].get_with_receipt::<u64>(name(k)).await.unwrap();
        let found = self.model.read(h, k);
        prop_assert_eq!(value.map(|value| *value), fresh(&found), "get_with_receipt");
        prop_assert_eq!(receipt.status, found.status, "status");
        let entry = found.entry.filter(|_| found.status == Status::Fresh);
        let since = |from: u64, to: u64| Duration::from_millis(to - from);
        let age = entry.as_ref().map(|entry| since(entry.made_at, self.model.now));
        let fresh_for = entry.as_ref().map(|entry| since(self.model.now, entry.fresh_until));
        prop_assert_eq!((receipt.age, receipt.fresh_for), (age, fresh_for), "age and time left");
        let tier = match self.setup {
            Setup { store: false, .. } => entry.map(|_| Tier::Local),
            Setup { local: false, .. } => entry.map(|_| Tier::Store),
            _ => receipt.tier.filter(|_| entry.is_some()),
        };
        prop_assert_eq!(receipt.tier, tier, "tier");
        Ok(())
    }

    async fn ttl(&mut self, h: Handle, k: Key) -> Checked {
        let left = self.caches[h].ttl(name(k)).await.unwrap();
        let found = self.model.find(k);
        let entry = found.entry.filter(|_| found.status == Status::Fresh);
        prop_assert_eq!(
            left,
            entry.map(|entry| Duration::from_millis(entry.fresh_until - self.model.now)),
            "ttl of key {}",
            k
        );
        Ok(())
    }

    fn load(&mut self, h: Handle, k: Key, wish: &Wish) {
        if self.model.is_crowded(h, k, false) {
            return;
        }
        let (n, cache, staged) = (self.n, self.caches[h].clone(), self.stage(wish));
        let (keep, ending) = (wish.keep.clone(), wish.ending);
        let options = load_options(wish, self.timeout());
        let loader = move |scope: LoadScope| async move {
            let ending = ending_of(ending, staged).await;
            if keep.late {
                tags(&keep).for_each(|tag| scope.tag(tag));
            }
            bring(ending, || value_of(n, k))
        };
        let call = async move {
            let value = cache.get_or_load::<u64, _>(name(k), options, loader).await;
            Answer::One(value.map(|value| *value).map_err(|error| error.kind()))
        };
        self.spawn(h, &[k], false, wish, call);
    }

    fn load_many(&mut self, h: Handle, keys: &[Key], wish: &Wish) {
        let keys: Vec<Key> =
            keys.iter().copied().filter(|&key| !self.model.is_crowded(h, key, true)).collect();
        // A batch loader cannot name tags late.
        let wish = Wish { keep: Keep { late: false, ..wish.keep.clone() }, ..wish.clone() };
        let (n, cache, staged) = (self.n, self.caches[h].clone(), self.stage(&wish));
        let (asked, ending, options) = (names(&keys), wish.ending, load_options(&wish, self.timeout()));
        let loader = move |missing: Vec<String>| async move {
            let ending = ending_of(ending, staged).await;
            bring(ending, || {
                let Ending::Bring(bits) = ending else { return HashMap::new() };
                let brought = missing.into_iter().filter(|name| bits & (1 << key_of(name)) != 0);
                brought.map(|name| (name.clone(), value_of(n, key_of(&name)))).collect()
            })
        };
        let call = async move {
            let values = cache.get_many_or_load::<u64, _, _, _>(&asked, options, loader).await;
            let plain =
                |values: Vec<Option<Arc<u64>>>| values.into_iter().map(|it| it.map(|it| *it)).collect();
            Answer::Many(values.map(plain).map_err(|error| error.kind()))
        };
        self.spawn(h, &keys, true, &wish, call);
    }

    fn spawn(
        &mut self,
        handle: Handle,
        keys: &[Key],
        batch: bool,
        wish: &Wish,
        call: impl Future<Output = Answer> + Send + 'static,
    ) {
        self.calls.insert(self.n, tokio::spawn(call));
        let (keys, wish, timeout) = (keys.to_vec(), wish.clone(), self.timeout());
        let parts = vec![None; keys.len()];
        self.model.call(self.n, Call { handle, keys, batch, wish, timeout, parts });
    }

    fn timeout(&self) -> u64 {
        LOAD_TIMEOUT + self.n as u64
    }

    fn stage(&mut self, wish: &Wish) -> Option<oneshot::Receiver<Ending>> {
        wish.ending.is_none().then(|| {
            let (stage, staged) = oneshot::channel();
            self.stages.insert(self.n, stage);
            staged
        })
    }

    fn finish(&mut self, nth: usize, ending: Ending) {
        let staged = self.model.staged();
        if let Some(&load) = staged.get(nth % staged.len().max(1)) {
            let stage = self.stages.remove(&self.model.loads[&load].call).expect("a loader runs once");
            stage.send(ending).expect("the loader waits for its end");
            self.model.finish(load, ending);
        }
    }

    fn length(&self, step: Step) -> Option<u64> {
        let until = |at: u64, before: u64| at.checked_sub(before)?.checked_sub(self.model.now);
        match step {
            Step::Millis(millis) => Some(millis),
            Step::Stale(key, before) => until(self.model.ends_of(key)?.0, before),
            Step::Dead(key, before) => until(self.model.ends_of(key)?.1, before),
            Step::Forgiven(key, before) => until(self.model.forgiven_at(key)?, before),
            Step::LoadTimeout(before) => until(self.model.next_deadline()?.0, before),
        }
    }

    /// Lets every timer fire at its own moment.
    async fn advance(&mut self, by: u64) {
        let target = self.clock.now() + Duration::from_millis(by);
        settle().await;
        while let Some(at) = self.clock.next_wake().filter(|at| *at <= target) {
            self.clock.advance(at.since(self.clock.now()));
            settle().await;
        }
        self.clock.advance(target.since(self.clock.now()));
        self.model.advance(self.model.now + by);
    }

    /// Calls that the model has answered have the same answer, and all others wait.
    async fn check_calls(&mut self) -> Checked {
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for id in calls {
            let expected = self.model.answers.get(&id);
            let call = &self.calls[&id];
            prop_assert_eq!(
                call.is_finished(),
                expected.is_some(),
                "call {} has an answer: {:?}",
                id,
                expected
            );
            if let Some(expected) = expected {
                let answer = self.calls.remove(&id).expect("it is there").await.unwrap();
                prop_assert_eq!(&answer, expected, "call {}", id);
            }
        }
        Ok(())
    }

    /// Ends all loads, and sees that nothing is left of them.
    pub(crate) async fn end(mut self) -> Checked {
        while !self.model.staged().is_empty() {
            self.n += 1;
            self.finish(0, Ending::Fail);
            settle().await;
            if self.model.uncertain {
                return Ok(());
            }
            self.check_calls().await?;
        }
        prop_assert!(self.calls.is_empty(), "all calls are answered");
        for handle in 0..self.setup.handles {
            for key in 0..KEYS {
                self.ttl(handle, key).await?;
            }
            self.check_counts(handle)?;
        }
        prop_assert_eq!(self.clock.sleepers(), 0, "nobody sleeps");
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        prop_assert_eq!(tasks, 0, "no task is left");
        Ok(())
    }

    #[expect(clippy::float_cmp, reason = "the same division of the same numbers")]
    fn check_counts(&self, handle: Handle) -> Checked {
        let stats = self.caches[handle].stats();
        prop_assert_eq!((stats.reads.in_flight, stats.loads.in_flight), (0, 0), "nothing is under way");
        let counts = Counts {
            hits: stats.reads.tier1_hits + stats.reads.tier2_hits,
            stale: stats.reads.stale_hits,
            misses: stats.reads.misses,
            started: stats.loads.started,
            failed: stats.loads.failed,
            fenced: stats.loads.fenced,
        };
        let expected = self.model.counts[handle];
        prop_assert_eq!(counts, expected, "counts");
        let hits = expected.hits + expected.stale;
        let reads = hits + expected.misses;
        let ratio = if reads == 0 { 0.0 } else { hits as f64 / reads as f64 };
        prop_assert_eq!(stats.hit_ratio, ratio, "hit ratio");
        prop_assert_eq!(stats.store_errors, 0, "the store never failed");
        Ok(())
    }

    pub(crate) fn handle(&self, handle: Handle) -> Handle {
        handle % self.setup.handles
    }
}
