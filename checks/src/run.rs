//! One fault, from the start of its processes to the verdicts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_factory::Settings;
use cache_redis::RedisStore;
use cache_testkit::proxy::FaultProxy;

use crate::child::Role;
use crate::clock::{Control, Pinging, nanos, now, sleep_until};
use crate::family::{Folder, Process, launch};
use crate::keys::{Kind, layout};
use crate::options::{Options, Sabotage};
use crate::outside::{Form, Outside};
use crate::random::Random;
use crate::report::Row;
use crate::schedules::{Heal, Schedule, Stage};
use crate::stalls::Stalls;
use crate::verdicts::{Evidence, judge};

/// What the presets say; `--strict` says nothing instead.
const DISCONNECTED_MAX_AGE: Duration = Duration::from_secs(60);
/// How long after its last fault everything has to be in order.
const SETTLED: Duration = Duration::from_secs(8);

/// Runs all processes under this fault, and judges what they noted down.
pub(crate) fn run(schedule: &Schedule, options: &Options) -> Result<Row, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut random = Random::new(options.seed);
    let server = Arc::new(launch(schedule.server)?);
    let origin = launch(&[])?;
    let folder = Folder::new()?;
    let keys = layout(options.processes, options.feed.hears_plain_commands());
    let (mut proxies, mut processes) = (Vec::new(), Vec::new());
    for process in 0..options.processes {
        let proxy =
            FaultProxy::start_seeded(server.addr(), random.next()).map_err(|error| error.to_string())?;
        processes.push(Process::start(Role {
            process,
            processes: options.processes,
            url: format!("redis://{}", proxy.addr()),
            origin: origin.url(),
            seed: random.next(),
            disconnected_max_age: if options.strict { Duration::ZERO } else { DISCONNECTED_MAX_AGE },
            sabotage: options.sabotage,
            feed: options.feed,
            cancel: schedule.cancel,
            slow_loads: schedule.slow_loads,
            wall_clock_jumps: schedule.wall_clock_jumps,
            log: folder.file(&process.to_string()),
        })?);
        proxies.push(proxy);
    }
    for process in &mut processes {
        process.expect("ready")?;
    }

    let started = now();
    let until = started + nanos(options.time);
    let (control, pinging) = (Control::start(), Pinging::start(Arc::clone(&server)));
    let form = if options.sabotage == Some(Sabotage::Naive) {
        Form::Bare
    } else {
        let _inside = runtime.enter();
        Form::Envelope(RedisStore::builder(server.url()).build().map_err(|error| error.to_string())?)
    };
    let ended = Arc::new(AtomicBool::new(false));
    let outside = Outside {
        server: Arc::clone(&server),
        origin: origin.connect().map_err(|error| error.to_string())?,
        keys: keys.clone(),
        form,
        runtime: runtime.handle().clone(),
        ended: Arc::clone(&ended),
    };
    for process in &mut processes {
        process.tell(&format!("go {until}"))?;
    }
    let dice = Random::new(random.next());
    let outside = std::thread::spawn(move || outside.run(until, dice));
    let mut stage = Stage {
        server,
        other: None,
        proxies,
        random: Random::new(random.next()),
        until,
        flushes: Vec::new(),
        heals: Vec::new(),
    };
    let driven = (schedule.drive)(&mut stage);
    stage.heal();
    sleep_until(until);
    ended.store(true, Ordering::Relaxed);
    let outside = outside.join().map_err(|_| "the writer from outside has ended by a panic")??;
    driven?;

    // Only the processes know what they wrote, so what they find is looked at until it can be judged.
    let deadline = now() + nanos(SETTLED);
    let mut looks = Vec::new();
    while now() < deadline {
        std::thread::sleep(Duration::from_millis(500));
        let before = std::mem::take(&mut looks);
        looks = processes.iter_mut().map(Process::look).collect::<Result<_, _>>()?;
        // A second look that finds the same, after the longest lease: nothing moves any more.
        if before == looks && now() > deadline - nanos(SETTLED) + nanos(Duration::from_millis(2_500)) {
            break;
        }
    }
    for process in &mut processes {
        process.tell("end")?;
    }
    let logs = processes.iter_mut().map(Process::log).collect::<Result<Vec<_>, _>>()?;
    let seconds = Duration::from_nanos(now() - started).as_secs_f64();
    let (own_stalls, _) = control.end();
    let own_stalls = logs.iter().flat_map(|log| &log.stalls).copied().chain(own_stalls);
    let stalls = Stalls::of(own_stalls.clone().collect());
    let waits = Stalls::of(own_stalls.chain(pinging.end()).collect());
    let evidence = Evidence {
        keys: &keys,
        logs: &logs,
        outside: &outside,
        flushes: &stage.flushes,
        looks: &looks,
        stalls: &stalls,
        waits: &waits,
        keeps_data: schedule.keeps_data,
        lease: nanos(Settings::default().lease),
    };
    let verdicts = judge(&evidence);
    let handles = || logs.iter().flat_map(|log| &log.handles);
    let loadable = keys.iter().filter(|key| key.kind != Kind::Written).count();
    let loads: u64 = logs.iter().flat_map(|log| &log.loads).map(|loads| u64::from(*loads)).sum();
    Ok(Row {
        fault: schedule.name,
        seconds,
        reads: handles().map(|handle| handle.reads).sum(),
        marked_reads: handles().map(|handle| handle.marked_reads).sum(),
        misses: handles().map(|handle| handle.misses).sum(),
        writes: (logs.iter().map(|log| log.writes.len()).sum::<usize>() + outside.len()) as u64,
        loads_per_key: loads / (loadable as u64).max(1),
        longest_stall: stalls.longest(),
        link_back: link_back(&stage.heals, &logs),
        verdicts,
    })
}

/// The longest that a process took to reach the store again after the end of a fault, in nanoseconds.
fn link_back(heals: &[Heal], logs: &[crate::log::ProcessLog]) -> Option<u64> {
    let mut longest = None;
    for heal in heals {
        for log in logs.iter().filter(|log| heal.processes.contains(&log.process)) {
            let was_reached = log.reach.iter().rev().find(|(at, _)| *at <= heal.at).is_none_or(|(_, it)| *it);
            let back = log.reach.iter().find(|(at, reached)| *at > heal.at && *reached);
            if let (false, Some((at, _))) = (was_reached, back) {
                longest = longest.max(Some(at - heal.at));
            }
        }
    }
    longest
}
