//! What goes wrong, and when.

use std::sync::Arc;
use std::time::Duration;

use cache_testkit::proxy::{Direction, Fault, FaultProxy};
use cache_testkit::redis::RedisServer;

use crate::clock::{now, sleep_until};
use crate::log::Span;
use crate::random::Random;

/// A kind of trouble.
pub(crate) struct Schedule {
    pub(crate) name: &'static str,
    /// Whether the server keeps what it was given.
    pub(crate) keeps_data: bool,
    /// More arguments for the server.
    pub(crate) server: &'static [&'static str],
    /// Calls are dropped while they are under way.
    pub(crate) cancel: bool,
    /// What a load takes at most beside the question to the origin.
    pub(crate) slow_loads: Duration,
    pub(crate) wall_clock_jumps: bool,
    pub(crate) drive: fn(&mut Stage) -> Result<(), String>,
}

const BASE: Schedule = Schedule {
    name: "calm",
    keeps_data: true,
    server: &[],
    cancel: false,
    slow_loads: Duration::ZERO,
    wall_clock_jumps: false,
    drive: calm,
};

/// All of them. What is promised holds under each.
pub(crate) const SCHEDULES: &[Schedule] = &[
    BASE,
    Schedule { name: "kill", drive: kill, ..BASE },
    Schedule { name: "blackhole-1", drive: |stage| hole(stage, 1, &Direction::BOTH), ..BASE },
    Schedule { name: "blackhole-6", drive: |stage| hole(stage, 6, &Direction::BOTH), ..BASE },
    Schedule { name: "blackhole-30", drive: |stage| hole(stage, 30, &Direction::BOTH), ..BASE },
    Schedule { name: "blackhole-there", drive: |stage| hole(stage, 6, &[Direction::ToServer]), ..BASE },
    Schedule { name: "blackhole-back", drive: |stage| hole(stage, 6, &[Direction::ToClient]), ..BASE },
    Schedule { name: "frozen", drive: frozen, ..BASE },
    Schedule { name: "asleep", drive: asleep, ..BASE },
    Schedule { name: "restart", keeps_data: false, drive: restart, ..BASE },
    Schedule { name: "flush", drive: |stage| flush(stage, 300), ..BASE },
    Schedule {
        name: "evict",
        keeps_data: false,
        server: &["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-random"],
        drive: evict,
        ..BASE
    },
    Schedule { name: "reload", drive: reload, ..BASE },
    Schedule { name: "resync", keeps_data: false, drive: resync, ..BASE },
    Schedule { name: "wall-clock", wall_clock_jumps: true, ..BASE },
    Schedule { name: "cancel", cancel: true, ..BASE },
    Schedule { name: "slow-loader", slow_loads: Duration::from_millis(300), ..BASE },
    Schedule { name: "lost-replies", drive: |stage| lost_replies(stage, Stage::strike), ..BASE },
    Schedule { name: "slipped-replies", drive: slipped_replies, ..BASE },
    Schedule { name: "lost-greetings", drive: |stage| lost_replies(stage, Stage::strike_always), ..BASE },
    Schedule { name: "lost-pushes", drive: lost_pushes, ..BASE },
    Schedule {
        name: "random",
        keeps_data: false,
        cancel: true,
        slow_loads: Duration::from_millis(50),
        drive: random,
        ..BASE
    },
];

/// What a schedule can do something to.
pub(crate) struct Stage {
    pub(crate) server: Arc<RedisServer>,
    /// An empty server to be a replica of.
    pub(crate) other: Option<RedisServer>,
    /// One for each process.
    pub(crate) proxies: Vec<FaultProxy>,
    pub(crate) random: Random,
    /// When it has to be over.
    pub(crate) until: u64,
    pub(crate) flushes: Vec<Span>,
    pub(crate) heals: Vec<Heal>,
}

/// The end of a fault of links.
#[derive(Clone, Debug)]
pub(crate) struct Heal {
    pub(crate) at: u64,
    pub(crate) processes: Vec<usize>,
}

impl Stage {
    fn left(&self) -> Duration {
        Duration::from_nanos(self.until.saturating_sub(now()))
    }

    fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    fn wait(&self, duration: Duration) {
        sleep_until(self.until.min(now() + crate::clock::nanos(duration)));
    }

    fn wait_millis(&mut self, least: u64, end: u64) {
        let millis = self.random.within(least, end);
        self.wait(Duration::from_millis(millis));
    }

    /// All processes, or one.
    fn victims(&mut self) -> Vec<usize> {
        let one = self.random.below(self.proxies.len());
        if self.random.once_in(2) { (0..self.proxies.len()).collect() } else { vec![one] }
    }

    fn set(&self, victims: &[usize], directions: &[Direction], fault: Fault) {
        for (_, proxy) in self.proxies.iter().enumerate().filter(|(at, _)| victims.contains(at)) {
            for direction in directions {
                proxy.set_direction(*direction, fault);
            }
        }
    }

    /// Strikes open connections only: one that is just being made is left alone.
    fn strike(&self, victims: &[usize], fault: Fault) {
        for (_, proxy) in self.proxies.iter().enumerate().filter(|(at, _)| victims.contains(at)) {
            for connection in proxy.counters().open {
                proxy.set_connection(connection, Direction::ToClient, fault);
            }
        }
    }

    /// Strikes each connection once, those to come too.
    fn strike_always(&self, victims: &[usize], fault: Fault) {
        self.set(victims, &[Direction::ToClient], fault);
    }

    fn command(&self, parts: &[&str]) -> Result<(), String> {
        self.server.command(parts).map(drop).map_err(|error| format!("{}: {error}", parts.join(" ")))
    }

    fn flush(&mut self) -> Result<(), String> {
        let from = now();
        self.command(&["FLUSHALL"])?;
        self.flushes.push(Span { from, to: now() });
        Ok(())
    }

    fn hole(&mut self, length: Duration, directions: &[Direction], victims: Vec<usize>) {
        self.set(&victims, directions, Fault::Swallow);
        self.wait(length);
        self.set(&victims, directions, Fault::Pass);
        self.heals.push(Heal { at: now(), processes: victims });
    }

    /// Undoes what can be undone.
    pub(crate) fn heal(&self) {
        for proxy in &self.proxies {
            proxy.set(Fault::Pass);
        }
        // Fine if it was not stopped.
        drop(self.server.cont());
    }
}

/// Nothing but what others may do at any time: plain commands, and a flush now and then.
fn calm(stage: &mut Stage) -> Result<(), String> {
    while !stage.is_over() {
        stage.wait(Duration::from_secs(2));
        if stage.left() > Duration::from_secs(1) {
            stage.flush()?;
        }
    }
    Ok(())
}

/// Links that are cut five times a second, in good order or not.
fn kill(stage: &mut Stage) -> Result<(), String> {
    while !stage.is_over() {
        for at in stage.victims() {
            if stage.random.once_in(2) {
                stage.proxies[at].reset_all();
            } else {
                stage.proxies[at].cut_all();
            }
        }
        stage.wait(Duration::from_millis(200));
    }
    Ok(())
}

/// Holes of this many seconds, or as long as there is time for.
fn hole(stage: &mut Stage, seconds: u64, directions: &[Direction]) -> Result<(), String> {
    const REST: Duration = Duration::from_millis(2_500);
    let length = Duration::from_secs(seconds).min(stage.left().saturating_sub(REST));
    let mut victims = vec![0];
    loop {
        stage.wait(Duration::from_millis(500));
        stage.hole(length, directions, victims);
        stage.wait(REST);
        if stage.left() < length + Duration::from_millis(500) {
            stage.wait(stage.left());
            return Ok(());
        }
        victims = stage.victims();
    }
}

/// A server that takes bytes and does nothing.
fn frozen(stage: &mut Stage) -> Result<(), String> {
    let everyone: Vec<_> = (0..stage.proxies.len()).collect();
    while !stage.is_over() {
        stage.wait_millis(500, 1_500);
        stage.server.stop().map_err(|error| error.to_string())?;
        // Longer, and plain commands would not know what became of them.
        stage.wait_millis(300, 3_500);
        stage.server.cont().map_err(|error| error.to_string())?;
        stage.heals.push(Heal { at: now(), processes: everyone.clone() });
        stage.wait_millis(1_000, 2_500);
    }
    Ok(())
}

/// A server that is busy.
fn asleep(stage: &mut Stage) -> Result<(), String> {
    while !stage.is_over() {
        stage.wait_millis(300, 1_500);
        let millis = stage.random.within(50, 2_500).min(stage.left().as_millis().try_into().unwrap_or(0));
        #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
        let seconds = millis as f64 / 1_000.0;
        stage.command(&["DEBUG", "SLEEP", &seconds.to_string()])?;
    }
    Ok(())
}

/// A server that is killed and comes back empty.
fn restart(stage: &mut Stage) -> Result<(), String> {
    while stage.left() > Duration::from_millis(1_500) {
        stage.wait_millis(500, 2_000);
        stage.server.restart().map_err(|error| error.to_string())?;
        stage.wait_millis(500, 1_500);
    }
    stage.wait(stage.left());
    Ok(())
}

fn flush(stage: &mut Stage, every: u64) -> Result<(), String> {
    while !stage.is_over() {
        stage.wait(Duration::from_millis(every));
        stage.flush()?;
    }
    Ok(())
}

/// More than the server has room for.
fn evict(stage: &mut Stage) -> Result<(), String> {
    let mut connection = stage.server.connect().map_err(|error| error.to_string())?;
    let filler = "f".repeat(8_192);
    while !stage.is_over() {
        for _ in 0..20 {
            let key = format!("filler:{}", stage.random.below(5_000));
            connection.command(&["SET", &key, &filler]).map_err(|error| error.to_string())?;
        }
        stage.wait(Duration::from_millis(2));
    }
    Ok(())
}

/// A data set that is read in anew.
fn reload(stage: &mut Stage) -> Result<(), String> {
    while !stage.is_over() {
        stage.wait(Duration::from_millis(400));
        stage.command(&["DEBUG", "RELOAD"])?;
    }
    Ok(())
}

/// A server that becomes a replica of an empty one, and a primary again.
fn resync(stage: &mut Stage) -> Result<(), String> {
    if stage.other.is_none() {
        let other = crate::family::launch(&[])?;
        stage.other = Some(other);
    }
    let Some(other) = stage.other.as_ref().map(RedisServer::addr) else { return Ok(()) };
    let (host, port) = (other.ip().to_string(), other.port().to_string());
    while stage.left() > Duration::from_secs(2) {
        stage.wait_millis(500, 1_500);
        stage.command(&["REPLICAOF", &host, &port])?;
        stage.wait_millis(500, 2_000);
        stage.command(&["REPLICAOF", "NO", "ONE"])?;
    }
    stage.wait(stage.left());
    stage.command(&["REPLICAOF", "NO", "ONE"])
}

/// Replies that are lost, doubled or out of place.
fn lost_replies(stage: &mut Stage, strike: fn(&Stage, &[usize], Fault)) -> Result<(), String> {
    while !stage.is_over() {
        stage.wait_millis(200, 600);
        let skip = stage.random.below(6);
        let fault = match stage.random.below(5) {
            0 => Fault::DropFrame { skip },
            1 => Fault::SwapFrames { skip },
            2 => Fault::RepeatFrame { skip },
            // A read has two replies: without both of them the next read gets the one after.
            _ => Fault::DropFrames { skip, frames: 2 },
        };
        let victims = stage.victims();
        strike(stage, &victims, fault);
    }
    Ok(())
}

/// Every link loses both replies of some read, again and again, so that later reads get one another's.
fn slipped_replies(stage: &mut Stage) -> Result<(), String> {
    let everyone: Vec<_> = (0..stage.proxies.len()).collect();
    while !stage.is_over() {
        // Long enough for links that were given up to be back.
        stage.wait_millis(250, 500);
        let skip = stage.random.below(4);
        stage.strike(&everyone, Fault::DropFrames { skip, frames: 2 });
    }
    Ok(())
}

/// Announcements that cease to come through on living connections, for a while, with everything else passing.
fn lost_pushes(stage: &mut Stage) -> Result<(), String> {
    while !stage.is_over() {
        stage.wait_millis(1_000, 3_000);
        let victims = stage.victims();
        stage.set(&victims, &[Direction::ToClient], Fault::DropPushes);
        stage.wait_millis(500, 4_000);
        stage.set(&victims, &[Direction::ToClient], Fault::Pass);
    }
    Ok(())
}

/// One thing after the other.
fn random(stage: &mut Stage) -> Result<(), String> {
    while stage.left() > Duration::from_secs(3) {
        let victims = stage.victims();
        // Not with reloads: they leave a snapshot, from which a restart would go back in time, as nobody promises it does not.
        match stage.random.below(9) {
            0 => {
                let length = Duration::from_millis(stage.random.within(100, 2_500));
                stage.hole(length, &Direction::BOTH, victims);
            }
            1 => stage.hole(Duration::from_millis(1_500), &[Direction::ToServer], victims),
            2 => stage.hole(Duration::from_millis(1_500), &[Direction::ToClient], victims),
            3 => victims.iter().for_each(|at| stage.proxies[*at].reset_all()),
            4 => {
                stage.server.stop().map_err(|error| error.to_string())?;
                stage.wait_millis(100, 2_000);
                stage.server.cont().map_err(|error| error.to_string())?;
            }
            5 => stage.flush()?,
            6 => stage.server.restart().map_err(|error| error.to_string())?,
            7 => {
                let by = Duration::from_millis(stage.random.within(1, 300));
                stage.set(&victims, &Direction::BOTH, Fault::Delay { by, jitter: by });
                stage.wait_millis(500, 2_000);
                stage.set(&victims, &Direction::BOTH, Fault::Pass);
            }
            _ => stage.strike(&victims, Fault::DropFrames { skip: 1, frames: 2 }),
        }
        stage.wait_millis(50, 1_500);
    }
    stage.wait(stage.left());
    Ok(())
}
