//! `watch`: what changes, tick by tick.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cache_core::{LinkStatus, Store};
use serde::Serialize;

use super::stats::Server;
use crate::args::WatchArgs;
use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Reader, Report};
use crate::screen::{Screen, bars};
use crate::shown;
use crate::target::Target;

/// So many ticks are shown as bars.
const SHOWN: usize = 60;

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

/// What is drawn on a terminal: the last tick, and how it went before.
#[derive(Serialize)]
struct Live<'a> {
    url: String,
    interval: Duration,
    ticks: &'a VecDeque<Tick>,
}

impl Report for Live<'_> {
    fn show(&self, page: &mut Page) {
        let Some(last) = self.ticks.back() else { return };
        page.heading(&format!(
            "{}, every {}; Ctrl-C ends",
            shown::text(&self.url),
            shown::time(self.interval)
        ));
        last.show(page);
        page.line("");
        let of = |number: fn(&Tick) -> Option<u64>| bars(self.ticks.iter().map(number));
        page.pairs([
            ("commands/s", of(|tick| tick.commands_per_second)),
            ("hits", of(|tick| tick.new_hits)),
            ("misses", of(|tick| tick.new_misses)),
            ("ping", of(|tick| tick.ping_us)),
            ("memory", of(|tick| tick.server.as_ref().map(|server| server.used_bytes))),
        ]);
    }
}

/// Ends after `count` ticks, when it is told to stop, or when nobody reads any more.
pub(super) async fn run(target: &Target, args: &WatchArgs, out: Out) -> Result<Exit, Failure> {
    let interval = Duration::from_millis(args.interval_ms);
    let cannot = |error: std::io::Error| Failure::failed(format!("nothing can be drawn: {error}"));
    let screen = if out.is_json() { None } else { Screen::enter().map_err(cannot)? };
    let mut before: Option<(Instant, Server)> = None;
    let mut ticks = VecDeque::new();
    let stopped = stopped();
    tokio::pin!(stopped);
    for number in 1.. {
        let tick = tokio::select! {
            tick = tick(target, number, &mut before) => tick,
            () = &mut stopped => break,
        };
        if screen.is_none() && out.report(&tick)? == Reader::HasSeenEnough {
            return Ok(Exit::Fine);
        }
        if ticks.len() == SHOWN {
            ticks.pop_front();
        }
        ticks.push_back(tick);
        if let Some(screen) = &screen {
            let url = target.inspection.url.to_string();
            screen.draw(&out.text(&Live { url, interval, ticks: &ticks })?).map_err(cannot)?;
        }
        if Some(number) == args.count {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = &mut stopped => break,
        }
    }
    let Some(last) = ticks.back() else { return Ok(Exit::Fine) };
    if screen.is_some() {
        // The other screen is gone: what was seen last stays.
        drop(screen);
        out.report(last)?;
    }
    Ok(if last.reachable { Exit::Fine } else { Exit::Unreachable })
}

/// Waits for Ctrl-C, or for another word to end; for ever if none can be heard.
async fn stopped() {
    #[cfg(unix)]
    if let Ok(mut end) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = end.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        return;
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
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
