//! `advise`: which compression and which TTLs fit, by measuring what is stored.

mod compression;
mod reads;

use std::time::Duration;

use serde::Serialize;

use self::compression::{Measured, Trial};
use self::reads::{Group, Reads};
use crate::args::AdviseArgs;
use crate::entry::{Entry, State};
use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::Target;
use crate::walk::Keys;

#[derive(Serialize)]
struct Advice {
    namespace: String,
    /// Values that were measured.
    values: u64,
    /// Those that could not be: stale, sealed, foreign.
    skipped: u64,
    compression: Vec<Measured>,
    compression_advice: String,
    reads: Vec<Group>,
    ttl_advice: Vec<String>,
}

impl Report for Advice {
    fn show(&self, page: &mut Page) {
        page.judged(Level::Ok, &format!("compression: {}", self.compression_advice));
        self.ttl_advice
            .iter()
            .for_each(|advice| page.judged(Level::Ok, &format!("ttl: {}", shown::text(advice))));
        page.line("");
        page.heading(&format!("{} values measured, {} left out", self.values, self.skipped));
        page.table(
            ["LEVEL", "METHOD", "SERIALISED", "PACKED", "SAVED", "TIME A VALUE"],
            self.compression.iter().map(|it| {
                [
                    it.level.to_string(),
                    it.method.to_owned(),
                    shown::size(it.plain_bytes),
                    shown::size(it.packed_bytes),
                    shown::part(it.plain_bytes.saturating_sub(it.packed_bytes), it.plain_bytes),
                    shown::time(Duration::from_nanos(it.nanos_a_value)),
                ]
            }),
        );
        let time = |millis: Option<u64>| millis.map_or_else(|| "-".into(), shown::ms);
        page.table(
            ["KEYS", "OLD ENTRIES", "NEVER READ", "LAST READ AT (P90)", "MEDIAN TTL"],
            self.reads.iter().map(|group| {
                [
                    shown::text(&group.name),
                    group.entries.to_string(),
                    group.never_read.to_string(),
                    time(group.last_read_ms),
                    time(group.median_ttl_ms),
                ]
            }),
        );
    }
}

pub(super) async fn run(target: &Target, args: &AdviseArgs, out: Out) -> Result<Exit, Failure> {
    let bar = out.progress(0, "values");
    let keys = Keys::matching(target, &args.pattern, args.limit, &bar).await?;
    bar.set_length(keys.found.len() as u64);
    bar.reset();
    let (mut trial, mut reads, mut skipped) = (Trial::default(), Reads::default(), 0);
    for user in &keys.found {
        let key = target.key(user)?;
        // Before it is read, which the server counts.
        let idle = target.server().idle(key.as_bytes()).await?;
        bar.inc(1);
        let Some(entry) = Entry::read(target, &key).await? else { continue };
        let value = entry.value(&key).ok().filter(|_| entry.state == State::Fresh);
        let (Some(value), Some(about)) = (value, &entry.about) else {
            skipped += 1;
            continue;
        };
        trial.add(&key, &value.bytes)?;
        let age = Duration::from_millis(about.age_ms);
        reads.add(user, age, Duration::from_millis(about.ttl_ms), idle);
    }
    bar.finish_and_clear();
    let groups = reads.groups();
    out.report(&Advice {
        namespace: target.namespace().as_str().into(),
        values: trial.values(),
        skipped,
        compression_advice: trial.advice(),
        compression: trial.measured(),
        ttl_advice: reads::advice(&groups),
        reads: groups,
    })?;
    Ok(Exit::Fine)
}
