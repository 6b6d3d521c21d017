//! One process with a cache of its own. It is told what to do by lines on its input.

use std::io::{BufRead, Write as _, stdin, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::clock::{Control, now};
use crate::keys::layout;
use crate::log::ProcessLog;
use crate::naive::Naive;
use crate::options::{Feed, Sabotage};
use crate::origin::Origin;
use crate::product::Product;
use crate::random::Random;
use crate::reader::{self, Setting};
use crate::sabotage::Protection;
use crate::subject::Subject;
use crate::writer;

/// What a process is told when it starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) process: usize,
    pub(crate) processes: usize,
    pub(crate) url: String,
    pub(crate) origin: String,
    pub(crate) seed: u64,
    pub(crate) disconnected_max_age: Duration,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) feed: Feed,
    pub(crate) cancel: bool,
    pub(crate) slow_loads: Duration,
    pub(crate) wall_clock_jumps: bool,
    /// Where to leave what was noted down.
    pub(crate) log: std::path::PathBuf,
}

/// What a process finds at a key in the end: in tier 1, and in both tiers.
pub(crate) type Look = Vec<(Option<u32>, Option<u32>)>;

/// Plays the role that the first line of the input gives.
pub(crate) fn run() -> Result<(), String> {
    let mut lines = stdin().lock().lines();
    let mut next = move || lines.next().and_then(Result::ok);
    let role: Role = serde_json::from_str(&next().ok_or("no role")?).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let keys = layout(role.processes, role.feed.hears_plain_commands());
    let connect = Origin::connect(&role.origin, keys.len(), role.slow_loads, role.seed);
    let origin = runtime.block_on(connect)?;
    let subject = runtime.block_on(subject(&role, origin.clone()))?;
    let setting = Arc::new(Setting { subject, keys, ended: AtomicBool::new(false), cancel: role.cancel });
    say("ready")?;
    // `go` and the time at which the writing ends.
    let Some(until) = next().and_then(|line| line.strip_prefix("go ")?.parse().ok()) else { return Ok(()) };
    let control = Control::start();
    let work = Work::start(&runtime, &role, &setting, &origin, until);
    while let Some(line) = next() {
        match line.as_str() {
            "look" => {
                let look = runtime.block_on(look(&setting));
                say(&serde_json::to_string(&look).map_err(|error| error.to_string())?)?;
            }
            "end" => {
                setting.ended.store(true, Ordering::Relaxed);
                let log = work.end(&runtime, &role, control, &origin)?;
                let bytes = rmp_serde::to_vec(&log).map_err(|error| error.to_string())?;
                std::fs::write(&role.log, bytes).map_err(|error| error.to_string())?;
                say("ended")?;
                break;
            }
            _ => return Err(format!("`{line}` means nothing here")),
        }
    }
    // What still waits for a server that does not answer need not be waited for.
    runtime.shutdown_background();
    Ok(())
}

async fn subject(role: &Role, origin: Origin) -> Result<Arc<dyn Subject>, String> {
    let protection = match role.sabotage {
        Some(Sabotage::Naive) => return Ok(Arc::new(Naive::new(&role.url, origin).await?)),
        None => return Ok(Arc::new(Product::new(role, origin).await?)),
        Some(Sabotage::Token) => Protection::Token,
        Some(Sabotage::Lease) => Protection::Lease,
        Some(Sabotage::EnvelopeKey) => Protection::EnvelopeKey,
    };
    let keys: Vec<_> =
        layout(role.processes, role.feed.hears_plain_commands()).into_iter().map(|key| key.name).collect();
    Ok(Arc::new(Product::sabotaged(&role.url, protection, &keys, origin)?))
}

fn say(line: &str) -> Result<(), String> {
    let mut out = stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}

async fn look(setting: &Setting) -> Look {
    let mut look = Look::new();
    for key in &setting.keys {
        let held = setting.subject.peek(&key.name).map(|answer| answer.value.version);
        let found = setting.subject.get(&key.name).await.map(|answer| answer.value.version);
        look.push((held, found));
    }
    look
}

/// All that runs in a process.
struct Work {
    readers: Vec<tokio::task::JoinHandle<crate::log::HandleLog>>,
    peek: std::thread::JoinHandle<crate::log::HandleLog>,
    writer: tokio::task::JoinHandle<(crate::log::HandleLog, Vec<crate::log::Write>)>,
    reach: tokio::task::JoinHandle<Vec<(u64, bool)>>,
}

impl Work {
    fn start(runtime: &Runtime, role: &Role, setting: &Arc<Setting>, origin: &Origin, until: u64) -> Self {
        let _inside = runtime.enter();
        let mut random = Random::new(role.seed);
        let process = role.process;
        let mut next = || Random::new(random.next());
        let readers = vec![
            tokio::spawn(reader::full(Arc::clone(setting), format!("reader {process}a"), next())),
            tokio::spawn(reader::full(Arc::clone(setting), format!("reader {process}b"), next())),
            tokio::spawn(reader::loading(Arc::clone(setting), format!("loader {process}"), next())),
        ];
        let writer =
            tokio::spawn(writer::writing(Arc::clone(setting), process, origin.clone(), until, next()));
        let reach = tokio::spawn(reach(Arc::clone(setting)));
        let (known, handle) = (Arc::clone(setting), runtime.handle().clone());
        let peek = std::thread::spawn(move || reader::peeking(&known, format!("peeker {process}"), &handle));
        Self { readers, peek, writer, reach }
    }

    fn end(
        self,
        runtime: &Runtime,
        role: &Role,
        control: Control,
        origin: &Origin,
    ) -> Result<ProcessLog, String> {
        let ended = |_| "a reader or writer has ended by a panic".to_owned();
        let mut handles = Vec::new();
        let (log, writes) = runtime.block_on(self.writer).map_err(|error| error.to_string())?;
        handles.push(log);
        for reader in self.readers {
            handles.push(runtime.block_on(reader).map_err(|error| error.to_string())?);
        }
        handles.push(self.peek.join().map_err(ended)?);
        let reach = runtime.block_on(self.reach).map_err(|error| error.to_string())?;
        let (stalls, coarse_lag) = control.end();
        let process = role.process;
        Ok(ProcessLog { process, handles, writes, stalls, coarse_lag, reach, loads: origin.loads() })
    }
}

/// Looks again and again whether the store answers, and notes each change.
async fn reach(setting: Arc<Setting>) -> Vec<(u64, bool)> {
    let mut changes: Vec<(u64, bool)> = Vec::new();
    while !setting.has_ended() {
        let reached = setting.subject.reaches_store().await;
        if changes.last().is_none_or(|(_, before)| *before != reached) {
            changes.push((now(), reached));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    changes
}
