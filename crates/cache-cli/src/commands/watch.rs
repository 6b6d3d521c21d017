//! `watch`: what changes, tick by tick.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use cache_core::{LinkStatus, Store};
use serde::Serialize;

use super::stats::Server;
use crate::args::WatchArgs;
use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::Target;

/// Back to the top of the terminal, and nothing below.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

#[derive(Serialize)]
struct Tick {
    tick: u64,
    namespace: String,
    /// Whether the server answered.
    reachable: bool,
    ping_us: Option<u64>,
    /// Commands a second of all clients since the tick before.
    commands_per_second: Option<u64>,
    /// Hits and misses of all clients since the tick before.
    new_hits: Option<u64>,
    new_misses: Option<u64>,
    #[serde(flatten)]
    server: Option<Server>,
}

impl Report for Tick {
    fn show(&self, page: &mut Page) {
        let level = if self.reachable { Level::Ok } else { Level::Fail };
        let ping =
            self.ping_us.map_or_else(|| "no answer".into(), |us| shown::time(Duration::from_micros(us)));
        page.judged(level, &format!("tick {}: `{}`, ping {ping}", self.tick, self.namespace));
        let Some(server) = &self.server else { return };
        let number =
            |number: Option<u64>| number.map_or_else(|| "-".into(), |number: u64| number.to_string());
        let hits = self.new_hits.unwrap_or_default();
        page.pairs([
            ("commands/s", number(self.commands_per_second)),
            (
                "hits",
                format!(
                    "{} ({})",
                    number(self.new_hits),
                    shown::part(hits, hits + self.new_misses.unwrap_or_default())
                ),
            ),
            ("misses", number(self.new_misses)),
            ("memory", server.memory()),
            ("evicted", server.evicted.to_string()),
            ("expired", server.expired.to_string()),
            ("clients", server.clients.to_string()),
        ]);
    }
}

/// Ends after `count` ticks, or with the program.
pub(super) async fn run(target: &Target, args: &WatchArgs, out: Out) -> Result<Exit, Failure> {
    let interval = Duration::from_millis(args.interval_ms);
    let mut before: Option<(Instant, Server)> = None;
    let mut number = 0;
    loop {
        number += 1;
        let tick = tick(target, number, &mut before).await;
        if !out.is_json() && std::io::stdout().is_terminal() {
            out.print(CLEAR)?;
        }
        out.report(&tick)?;
        if Some(number) == args.count {
            return Ok(if tick.reachable { Exit::Fine } else { Exit::Unreachable });
        }
        tokio::time::sleep(interval).await;
    }
}

async fn tick(target: &Target, number: u64, before: &mut Option<(Instant, Server)>) -> Tick {
    let began = Instant::now();
    let ping = target.server().ping().await.ok().map(|()| began.elapsed());
    // A user who may not ask is no reason to end.
    let server = Server::ask(target).await.ok().flatten();
    let now = Instant::now();
    let since = |pick: fn(&Server) -> u64| {
        let ((_, old), new) = (before.as_ref()?, server.as_ref()?);
        Some(pick(new).saturating_sub(pick(old)))
    };
    let millis = before.as_ref().map_or(1, |(at, _)| shown::millis(now - *at).max(1));
    let (commands, hits, misses) =
        (since(|server| server.commands), since(|server| server.hits), since(|server| server.misses));
    if let Some(server) = &server {
        *before = Some((now, server.clone()));
    }
    Tick {
        tick: number,
        namespace: target.namespace().as_str().into(),
        reachable: ping.is_some() && target.store().link_state().status != LinkStatus::Down,
        ping_us: ping.map(|ping| u64::try_from(ping.as_micros()).unwrap_or(u64::MAX)),
        commands_per_second: commands.map(|commands| commands.saturating_mul(1000) / millis),
        new_hits: hits,
        new_misses: misses,
        server,
    }
}
