//! Random changes, reads and loads by two processes while their links come, go and hang. Whatever happens, no process
//! takes back what it did itself, none is out of step for longer than its lease, and in the end all agree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use cache_core::{Clock, ErrorKind, Moment};
use cache_testkit::{FakeClock, Op as Call, ReferenceServer, settle};
use cache_tiered::{Cache, Error, Loaded, SetOptions};
use common::{Process, SECOND, process};
use proptest::prelude::*;

const KEYS: usize = 3;
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
enum Op {
    Get(usize, usize),
    GetMany(usize),
    Load(usize, usize),
    Set(usize, usize),
    Delete(usize, usize),
    Expire(usize, usize),
    Tag(usize),
    Clear(usize),
    Disconnect(usize),
    Reconnect(usize),
    Freeze(usize),
    Thaw(usize),
    /// The process's next call of this kind fails, and nobody knows more.
    Fail(usize, Call, ErrorKind),
    Advance(u64),
    Heal,
}

fn op() -> impl Strategy<Value = Op> {
    let (h, k) = (0..2_usize, 0..KEYS);
    let at = (h.clone(), k);
    let call = prop_oneof![Just(Call::Put), Just(Call::Remove), Just(Call::BumpMark)];
    let kind = prop_oneof![Just(ErrorKind::Unavailable), Just(ErrorKind::Timeout)];
    prop_oneof![
        8 => at.clone().prop_map(|(h, k)| Op::Get(h, k)),
        2 => h.clone().prop_map(Op::GetMany),
        4 => at.clone().prop_map(|(h, k)| Op::Load(h, k)),
        8 => at.clone().prop_map(|(h, k)| Op::Set(h, k)),
        5 => at.clone().prop_map(|(h, k)| Op::Delete(h, k)),
        2 => at.prop_map(|(h, k)| Op::Expire(h, k)),
        2 => h.clone().prop_map(Op::Tag),
        1 => h.clone().prop_map(Op::Clear),
        3 => h.clone().prop_map(Op::Disconnect),
        4 => h.clone().prop_map(Op::Reconnect),
        2 => h.clone().prop_map(Op::Freeze),
        2 => h.clone().prop_map(Op::Thaw),
        4 => (h, call, kind).prop_map(|(h, call, kind)| Op::Fail(h, call, kind)),
        4 => prop_oneof![Just(1), Just(300), Just(1_000), Just(20_000)].prop_map(Op::Advance),
        2 => Just(Op::Heal),
    ]
}

/// Something that happened to a key: a value was written, which is the number of the operation, or it was invalidated.
struct Change {
    n: u32,
    by: usize,
    key: usize,
    written: bool,
    /// The store took it at once.
    told: bool,
    /// It was made by a mark, which nothing is overtaken by unnoticed.
    mark: bool,
    at: Moment,
}

/// A value that was brought.
#[derive(Clone, Copy)]
struct Brought {
    n: u32,
    by: usize,
    /// The store could not take it, and was told later: in place of what the writer knew, or of nothing.
    waited: bool,
}

impl Change {
    /// Whether an answer is no older than this change. A value that waited may come after others' changes of its key
    /// which left nothing behind: the store cannot know that they were later.
    fn allows(&self, value: Brought) -> bool {
        let later = if self.written { value.n >= self.n } else { value.n > self.n };
        later || value.waited && self.by != value.by && !self.mark
    }
}

struct World {
    clock: Arc<FakeClock>,
    processes: Vec<Process>,
    changes: Vec<Change>,
    /// Values by who brought them.
    brought: Vec<Brought>,
    n: u32,
}

type Checked = Result<(), TestCaseError>;

fn name(key: usize) -> String {
    format!("k{key}")
}

impl World {
    fn new() -> Self {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let processes = (0..2).map(|_| process(&clock, &server)).collect();
        Self { clock, processes, changes: Vec::new(), brought: Vec::new(), n: 0 }
    }

    /// Runs a call to its end, which no outage may put off for longer than the lease of a load that nobody ends.
    async fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, TestCaseError> {
        let call = tokio::spawn(call);
        settle().await;
        for _ in 0..32 {
            if call.is_finished() {
                break;
            }
            self.clock.advance(SECOND / 4);
            settle().await;
        }
        prop_assert!(call.is_finished(), "a call hangs");
        Ok(call.await.unwrap())
    }

    fn cache(&self, h: usize) -> Cache {
        self.processes[h].cache.clone()
    }

    fn changed(&mut self, by: usize, key: usize, written: bool, mark: bool) {
        let (n, at) = (self.n, self.clock.now());
        let waited = self.cache(by).stats().queue.waiting > 0;
        self.changes.push(Change { n, by, key, written, told: !waited, mark, at });
        if written {
            self.brought.push(Brought { n, by, waited });
        }
    }

    /// An answer to a question that was asked at this moment.
    fn check(&self, h: usize, key: usize, value: Option<u32>, asked: Moment) -> Checked {
        let Some(value) = value else { return Ok(()) };
        let value = self.of(value);
        let own = value.by == h;
        for change in self.changes.iter().filter(|change| change.key == key) {
            let long_ago = asked.since(change.at) >= SECOND;
            if change.by == h || (change.told && long_ago && !own) {
                prop_assert!(
                    change.allows(value),
                    "process {h} answers {}, older than {}",
                    value.n,
                    change.n
                );
            }
        }
        Ok(())
    }

    fn of(&self, n: u32) -> Brought {
        *self.brought.iter().find(|brought| brought.n == n).unwrap()
    }

    async fn get(&self, h: usize, key: usize) -> Result<Option<u32>, TestCaseError> {
        let cache = self.cache(h);
        let value = self.call(async move { cache.get::<u32>(name(key)).await }).await?.unwrap();
        Ok(value.map(|value| *value))
    }

    fn invalidated(result: Result<(), Error>) -> Checked {
        if let Err(error) = result {
            prop_assert!(error.is_queued(), "{error}");
        }
        Ok(())
    }

    async fn run(&mut self, op: Op) -> Checked {
        self.n += 1;
        let (n, asked) = (self.n, self.clock.now());
        match op {
            Op::Get(h, key) => {
                let value = self.get(h, key).await?;
                self.check(h, key, value, asked)?;
            }
            Op::GetMany(h) => {
                let cache = self.cache(h);
                let keys: Vec<String> = (0..KEYS).map(name).collect();
                let values = self.call(async move { cache.get_many::<u32>(&keys).await }).await?.unwrap();
                for (key, value) in values.into_iter().enumerate() {
                    self.check(h, key, value.map(|value| *value), asked)?;
                }
            }
            Op::Load(h, key) => {
                let cache = self.cache(h);
                let options = tagged(key);
                let load = async move {
                    cache.get_or_load(name(key), options, move || async move { Loaded::Ok(n) }).await
                };
                let value = *self.call(load).await?.unwrap();
                self.brought.push(Brought { n, by: h, waited: false });
                self.check(h, key, Some(value), asked)?;
            }
            Op::Set(h, key) => {
                let (cache, options) = (self.cache(h), tagged(key));
                self.call(async move { cache.set(name(key), &n, options).await }).await?.unwrap();
                self.changed(h, key, true, false);
            }
            Op::Delete(h, key) => {
                let cache = self.cache(h);
                Self::invalidated(self.call(async move { cache.delete(name(key)).await }).await?)?;
                self.changed(h, key, false, false);
            }
            Op::Expire(h, key) => {
                let cache = self.cache(h);
                Self::invalidated(self.call(async move { cache.expire(name(key)).await }).await?)?;
                self.changed(h, key, false, false);
            }
            Op::Tag(h) => {
                let cache = self.cache(h);
                Self::invalidated(self.call(async move { cache.invalidate_tag("even").await }).await?)?;
                (0..KEYS).step_by(2).for_each(|key| self.changed(h, key, false, true));
            }
            Op::Clear(h) => {
                let cache = self.cache(h);
                Self::invalidated(self.call(async move { cache.clear().await }).await?)?;
                (0..KEYS).for_each(|key| self.changed(h, key, false, true));
            }
            Op::Disconnect(h) => self.processes[h].link.disconnect(),
            Op::Reconnect(h) => self.processes[h].link.reconnect(),
            Op::Freeze(h) => self.processes[h].link.freeze(),
            Op::Thaw(h) => self.processes[h].link.thaw(),
            Op::Fail(h, call, kind) => self.processes[h].link.fail_next(call, 1, kind),
            Op::Advance(millis) => self.clock.advance(Duration::from_millis(millis)),
            Op::Heal => self.heal().await?,
        }
        settle().await;
        Ok(())
    }

    /// The links work again. Then all agree, on nothing that was overtaken.
    async fn heal(&self) -> Checked {
        for process in &self.processes {
            process.link.thaw();
            if process.link.calls(Call::Suspect) > 0 {
                return Err(TestCaseError::fail("no reply was wrong"));
            }
            if cache_core::Store::link_state(&*process.link).status != cache_core::LinkStatus::Up {
                process.link.reconnect();
            }
        }
        for _ in 0..100 {
            settle().await;
            self.clock.advance(SECOND);
            settle().await;
            if self.processes.iter().all(|process| process.cache.stats().queue.waiting == 0) {
                break;
            }
        }
        for h in 0..2 {
            prop_assert_eq!(self.cache(h).stats().queue.waiting, 0, "process {} has told everything", h);
        }
        // Closes breakers that are open to a probe.
        for h in 0..2 {
            self.get(h, KEYS).await?;
        }
        for key in 0..KEYS {
            let (one, other) = (self.get(0, key).await?, self.get(1, key).await?);
            prop_assert_eq!(one, other, "the processes agree on key {}", key);
            if let Some(value) = one.map(|value| self.of(value)) {
                for change in self.changes.iter().filter(|change| change.key == key) {
                    prop_assert!(change.allows(value), "{} is older than {}", value.n, change.n);
                }
            }
        }
        Ok(())
    }
}

/// Keys of even numbers have a tag.
fn tagged(key: usize) -> SetOptions {
    let options = SetOptions::ttl(HOUR);
    if key.is_multiple_of(2) { options.tag("even") } else { options }
}

fn check(ops: &[Op]) -> Checked {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new();
        for &op in ops {
            world.run(op).await?;
        }
        world.heal().await?;
        prop_assert_eq!(world.clock.sleepers(), 0, "nobody sleeps");
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_links_do_nothing_is_taken_back_and_all_agree_in_the_end(
        ops in proptest::collection::vec(op(), 1..60)
    ) {
        check(&ops)?;
    }
}
