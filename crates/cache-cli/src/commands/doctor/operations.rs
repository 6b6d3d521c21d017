//! Whether the store does what a cache asks of it, and how fast.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cache_codec::lease;
use cache_core::{
    Claim, Error, ErrorKind, Key, Mark, PutIf, RemoveIf, Store, Ttl, Version, VersionSource, random_u64,
};

use super::Check;
use crate::args::DoctorArgs;
use crate::out::Out;
use crate::quantile::quantile;
use crate::shown;
use crate::target::Target;

/// Above this a read of the store is slow for a cache.
const SLOW: Duration = Duration::from_millis(10);

pub(super) async fn check(target: &Target, args: &DoctorArgs, out: Out, checks: &mut Vec<Check>) {
    match Probe::new(target) {
        Ok(probe) => {
            match probe.operations().await {
                Ok(()) => {
                    checks.push(Check::ok("operations", "put, get, conditional put, claim, remove, marks"));
                }
                Err((what, error)) => checks.push(Check::fail(
                    "operations",
                    format!("{what}: {error}"),
                    "a cache needs all of them: see the check of rights below",
                )),
            }
            match probe.round_trips(args.round_trips, out).await {
                Ok(times) => checks.push(speed(times, target.inspection.settings.store_timeout)),
                Err(error) => {
                    checks.push(Check::fail("speed", error.to_string(), "the server has to answer"));
                }
            }
        }
        Err(error) => {
            checks.push(Check::fail("operations", error.to_string(), "give the cache a shorter namespace"));
        }
    }
}

/// What goes wrong of all that a cache does, if something does.
pub(in crate::commands) async fn trouble(target: &Target) -> Option<String> {
    let tried = match Probe::new(target) {
        Ok(probe) => probe.operations().await,
        Err(error) => Err(("key", error)),
    };
    tried.err().map(|(what, error)| format!("{what}: {error}"))
}

/// A key that nobody else uses. What is stored under it is a lease, so that nobody takes it for a value.
struct Probe<'a> {
    target: &'a Target,
    key: Key,
    version: Version,
    bytes: Bytes,
    ttl: Ttl,
}

impl<'a> Probe<'a> {
    fn new(target: &'a Target) -> Result<Self, Error> {
        let key = target.key(&format!("cachectl-probe-{:016x}", random_u64()))?;
        let version = VersionSource::new().lease();
        let bytes = lease(version, &key);
        Ok(Self { target, key, version, bytes, ttl: Ttl::clamped(Duration::from_secs(30)) })
    }

    /// Every kind of call that a cache makes. The first that goes wrong, and how.
    async fn operations(&self) -> Result<(), (&'static str, Error)> {
        let (store, key) = (self.target.store(), &self.key);
        let wrong = |message: &str| Error::new(ErrorKind::Internal, message);
        let put = |condition| store.put(key, self.bytes.clone(), self.ttl, condition);
        put(PutIf::Always).await.map_err(|error| ("put", error))?;
        let read = store.get(key).await.map_err(|error| ("get", error))?;
        if read.found.is_none_or(|found| found.bytes != self.bytes) {
            return Err(("get", wrong("it did not give back what was put")));
        }
        let over = put(PutIf::Version(self.version)).await.map_err(|error| ("conditional put", error))?;
        if !over.stored {
            return Err(("conditional put", wrong("it was refused, though its condition held")));
        }
        let removed = store.remove(key, RemoveIf::Version(self.version)).await;
        if !removed.map_err(|error| ("conditional remove", error))? {
            return Err(("conditional remove", wrong("nothing was removed")));
        }
        let claim = store.claim(key, self.bytes.clone(), self.ttl, None).await;
        if !matches!(claim.map_err(|error| ("claim", error))?, Claim::Granted(_)) {
            return Err(("claim", wrong("a free key was not granted")));
        }
        if !store.remove(key, RemoveIf::Always).await.map_err(|error| ("remove", error))? {
            return Err(("remove", wrong("nothing was removed")));
        }
        // Read only: a mark that is made voids entries.
        let marks = store.read_marks(self.target.namespace(), &[Mark::Clear]).await;
        marks.map_err(|error| ("marks of invalidations", error))?;
        Ok(())
    }

    /// How long reads took.
    async fn round_trips(&self, count: u32, out: Out) -> Result<Vec<Duration>, Error> {
        let (bar, mut times) = (out.progress(count.into(), "round trips"), Vec::new());
        for _ in 0..count {
            let began = Instant::now();
            self.target.store().get(&self.key).await?;
            times.push(began.elapsed());
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(times)
    }
}

fn speed(mut times: Vec<Duration>, timeout: Duration) -> Check {
    let mut at = |percent| quantile(&mut times, percent).unwrap_or_default();
    let (half, most) = (at(50), at(99));
    let found = format!("{} round trips: p50 {}, p99 {}", times.len(), shown::time(half), shown::time(most));
    if most >= timeout {
        let advice = format!(
            "reads that take {} (store_timeout) are given up: put the server nearer, or see what holds it up",
            shown::time(timeout)
        );
        Check::fail("speed", found, advice)
    } else if half > SLOW {
        let advice =
            format!("a hit in the store costs more than {}: put the server nearer", shown::time(SLOW));
        Check::warn("speed", found, advice)
    } else {
        Check::ok("speed", found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::out::Level;

    #[test]
    fn speed_is_judged_by_the_half_and_by_the_slowest_hundredth() {
        let times = |fast: u64, slow: u64| {
            let mut times = vec![Duration::from_micros(fast); 98];
            times.extend([Duration::from_micros(slow); 2]);
            speed(times, Duration::from_millis(250))
        };
        let found = times(200, 900);
        assert_eq!((found.level, found.found.as_str()), (Level::Ok, "100 round trips: p50 200us, p99 900us"));
        assert_eq!(times(11_000, 12_000).level, Level::Warn);
        assert_eq!(times(200, 250_000).level, Level::Fail);
    }
}
