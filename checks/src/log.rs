//! What processes note down, to be judged when all have ended. Times are those of [`crate::clock::now`], 0 for never.

use serde::{Deserialize, Serialize};

use crate::clock::now;
use crate::subject::{Answer, Standing};

/// From one time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// A new version of a key.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) key: usize,
    pub(crate) version: u32,
    /// The version is that there is nothing.
    pub(crate) gone: bool,
    pub(crate) sent: u64,
    /// When its writer was told that it holds in the writer's process.
    pub(crate) here: u64,
    /// When its writer was told that the store has taken it.
    pub(crate) acked: u64,
}

/// Reads of one handle that followed one another and brought the same version of a key.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) version: u32,
    pub(crate) sent: u64,
    /// When the first of them began.
    pub(crate) first: u64,
    /// When the last began whose receipt said nothing of being possibly out of step.
    pub(crate) last: u64,
    /// When the last began whose receipt said so.
    pub(crate) marked: u64,
}

/// A call that took longer than it may.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Slow {
    pub(crate) operation: String,
    pub(crate) span: Span,
    /// What it may take, in nanoseconds.
    pub(crate) bound: u64,
}

/// What one handle read, by key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct HandleLog {
    pub(crate) name: String,
    pub(crate) runs: Vec<Vec<Run>>,
    pub(crate) reads: u64,
    pub(crate) marked_reads: u64,
    pub(crate) misses: u64,
    pub(crate) slow: Vec<Slow>,
    /// Answers that belong to another key.
    pub(crate) wrong_key: Vec<String>,
    /// Answers that nobody ever gave to the cache.
    pub(crate) impossible: Vec<String>,
}

/// What one process noted down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ProcessLog {
    pub(crate) process: usize,
    pub(crate) handles: Vec<HandleLog>,
    pub(crate) writes: Vec<Write>,
    pub(crate) stalls: Vec<Span>,
    pub(crate) coarse_lag: u64,
    /// When the store could be reached, and when not: each change.
    pub(crate) reach: Vec<(u64, bool)>,
    pub(crate) loads: Vec<u32>,
}

impl HandleLog {
    pub(crate) fn new(name: impl Into<String>, keys: usize) -> Self {
        Self { name: name.into(), runs: vec![Vec::new(); keys], ..Self::default() }
    }

    /// Notes what a read of `name`, the key with this index, brought that began at `start`.
    pub(crate) fn note(&mut self, key: usize, name: &str, start: u64, answer: Option<&Answer>) {
        self.reads += 1;
        let Some(Answer { value, standing }) = answer else {
            self.misses += 1;
            return;
        };
        if value.key != name {
            self.wrong_key.push(format!("{}: asked for {name}, got {}", self.name, value.key));
            return;
        }
        if !value.is_sound() || value.sent > now() {
            self.impossible.push(format!("{}: {name} version {} is damaged", self.name, value.version));
            return;
        }
        let marked = *standing != Standing::InStep;
        self.marked_reads += u64::from(marked);
        let runs = &mut self.runs[key];
        if runs.last().is_none_or(|run| run.version != value.version || run.sent != value.sent) {
            runs.push(Run { version: value.version, sent: value.sent, first: start, ..Run::default() });
        }
        if let Some(run) = runs.last_mut() {
            if marked {
                run.marked = start;
            } else {
                run.last = start;
            }
        }
    }

    /// Notes a call that took longer than `bound`.
    pub(crate) fn time(&mut self, operation: &str, start: u64, bound: u64) {
        let span = Span { from: start, to: now() };
        if span.to - span.from > bound {
            self.slow.push(Slow { operation: operation.to_owned(), span, bound });
        }
    }
}
