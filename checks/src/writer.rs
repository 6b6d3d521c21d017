//! Writes through a cache, one version after the other, and notes what it was told.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{nanos, now};
use crate::keys::{Kind, Writer, tag};
use crate::log::{HandleLog, Write};
use crate::origin::Origin;
use crate::random::Random;
use crate::reader::{STORE, Setting};
use crate::subject::{Change, Standing};
use crate::value::Stamped;

/// Writes the keys of one process until `until`, and reads each after it was written.
pub(crate) async fn writing(
    setting: Arc<Setting>,
    process: usize,
    origin: Origin,
    until: u64,
    mut random: Random,
) -> (HandleLog, Vec<Write>) {
    let mut log = HandleLog::new(format!("writer {process}"), setting.keys.len());
    let own: Vec<usize> =
        (0..setting.keys.len()).filter(|key| setting.keys[*key].writer == Writer::Process(process)).collect();
    let mut versions = vec![0; setting.keys.len()];
    let mut writes = Vec::new();
    let mut first = own.iter().copied();
    while !setting.has_ended() && now() < until && !own.is_empty() {
        let key = first.next().unwrap_or_else(|| own[random.below(own.len())]);
        versions[key] += 1;
        let write = change(&setting, &origin, &mut log, key, versions[key], &mut random).await;
        writes.push(write);
        tokio::time::sleep(Duration::from_millis(random.within(1, 6))).await;
    }
    (log, writes)
}

async fn change(
    setting: &Setting,
    origin: &Origin,
    log: &mut HandleLog,
    key: usize,
    version: u32,
    random: &mut Random,
) -> Write {
    let spec = &setting.keys[key];
    let (name, subject) = (spec.name.as_str(), &setting.subject);
    let gone = spec.kind == Kind::Written && random.once_in(6);
    let sent = now();
    let mut write = Write { key, version, gone, sent, ..Write::default() };
    if spec.kind != Kind::Written && !origin.put(name, version, sent).await {
        return write;
    }
    let start = now();
    let changed = match spec.kind {
        Kind::Written if !gone => {
            let value = Stamped::new(name, version, sent);
            setting.try_run(random, subject.set(name, &value)).await
        }
        Kind::Written | Kind::Loaded => setting.try_run(random, subject.delete(name)).await,
        Kind::Tagged => setting.try_run(random, subject.invalidate_tag(&tag(name))).await,
    };
    let Some(changed) = changed else { return write };
    log.time("write", start, nanos(STORE));
    if changed == Change::Unknown {
        return write;
    }
    write.here = now();
    let is_value = spec.kind == Kind::Written && !gone;
    // Its own write is there for its writer, and its receipt says whether the store has it.
    let begun = now();
    let answer = subject.get(name).await;
    log.note(key, name, begun, answer.as_ref());
    let has_store = match &answer {
        Some(answer) if is_value => answer.value.version == version && answer.standing != Standing::Unsynced,
        None if is_value => false,
        _ => changed == Change::Done,
    };
    if has_store {
        write.acked = if is_value { now() } else { write.here };
    }
    write
}
