//! `stats`: what the cache, its link and the server tell of themselves.

use cache_core::Error;
use cache_factory::{CacheFactory, Health};
use serde::Serialize;

use crate::args::{Global, StatsArgs};
use crate::exit::{Exit, Failure};
use crate::info::Info;
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::{self, Target};
use crate::walk::Keys;

#[derive(Serialize)]
struct Stats {
    namespace: String,
    health: Health,
    /// Keys of the namespace, as far as they were counted.
    keys: usize,
    more_keys: bool,
    server: Option<Server>,
}

/// What the server counts. Hits and misses are those of all its clients since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Server {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) used_bytes: u64,
    /// 0 if it has no bound.
    pub(super) max_bytes: u64,
    pub(super) evicted: u64,
    pub(super) expired: u64,
    pub(super) clients: u64,
    pub(super) commands: u64,
    pub(super) policy: String,
}

impl Server {
    /// `None` if this user may not ask.
    pub(super) async fn ask(target: &Target) -> Result<Option<Self>, Error> {
        Ok(Info::ask(target).await?.map(|info| Self::of(&info)))
    }

    fn of(info: &Info) -> Self {
        Self {
            hits: info.number("keyspace_hits"),
            misses: info.number("keyspace_misses"),
            used_bytes: info.number("used_memory"),
            max_bytes: info.number("maxmemory"),
            evicted: info.number("evicted_keys"),
            expired: info.number("expired_keys"),
            clients: info.number("connected_clients"),
            commands: info.number("total_commands_processed"),
            policy: info.text("maxmemory_policy").to_owned(),
        }
    }

    pub(super) fn memory(&self) -> String {
        let used = shown::size(self.used_bytes);
        match self.max_bytes {
            0 => format!("{used}, no bound"),
            most => format!("{used} of {} ({})", shown::size(most), shown::part(self.used_bytes, most)),
        }
    }
}

impl Report for Stats {
    fn show(&self, page: &mut Page) {
        let level = if self.health.reasons.is_empty() { Level::Ok } else { Level::Warn };
        page.judged(level, &format!("the cache `{}` is {}", self.namespace, word(&self.health.status)));
        self.health.reasons.iter().for_each(|reason| page.line(format!("     {}", shown::text(reason))));
        let more = if self.more_keys { " or more" } else { "" };
        let mut pairs = vec![
            ("changes by others", word(&self.health.coherence)),
            ("keys", format!("{}{more}", self.keys)),
        ];
        if let Some(server) = &self.server {
            pairs.extend([
                (
                    "server hits",
                    format!("{} of reads", shown::part(server.hits, server.hits + server.misses)),
                ),
                ("server memory", server.memory()),
                ("eviction", server.policy.clone()),
                ("evicted", server.evicted.to_string()),
                ("expired", server.expired.to_string()),
                ("clients", server.clients.to_string()),
            ]);
        }
        page.pairs(pairs);
    }
}

/// The one word that something is in JSON.
fn word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

pub(super) async fn run(global: &Global, args: &StatsArgs, out: Out) -> Result<Exit, Failure> {
    let target = Target::open(global).await?;
    let config = target::plain_config(global)?;
    let health = CacheFactory::new().from_config(config).await?.health().await;
    let bar = out.progress(0, "keys");
    let keys = Keys::matching(&target, "*", args.limit, &bar).await?;
    bar.finish_and_clear();
    let server = Server::ask(&target).await?;
    out.report(&Stats {
        namespace: target.namespace().as_str().into(),
        health,
        keys: keys.found.len() + keys.foreign.len(),
        more_keys: keys.more,
        server,
    })?;
    Ok(Exit::Fine)
}
