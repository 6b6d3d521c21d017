//! What goes wrong next, and what was called.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use cache_core::{Error, ErrorKind};
use parking_lot::Mutex;

use super::gate::{Gate, Latches};

/// A method of the [`Store`](cache_core::Store) that asks the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// [`get`](cache_core::Store::get).
    Get,
    /// [`get_many`](cache_core::Store::get_many), as one call.
    GetMany,
    /// [`put`](cache_core::Store::put).
    Put,
    /// [`remove`](cache_core::Store::remove).
    Remove,
    /// [`claim`](cache_core::Store::claim).
    Claim,
    /// [`read_marks`](cache_core::Store::read_marks).
    ReadMarks,
    /// [`bump_mark`](cache_core::Store::bump_mark).
    BumpMark,
    /// [`scan`](cache_core::Store::scan).
    Scan,
    /// [`suspect`](cache_core::Store::suspect). Cannot fail or be held.
    Suspect,
}

impl Op {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetMany => "get_many",
            Self::Put => "put",
            Self::Remove => "remove",
            Self::Claim => "claim",
            Self::ReadMarks => "read_marks",
            Self::BumpMark => "bump_mark",
            Self::Scan => "scan",
            Self::Suspect => "suspect",
        }
    }
}

/// Where a call can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Point {
    BeforeEffect,
    BeforeReply,
}

/// The script of one client, or of a server for all its clients.
#[derive(Debug, Default)]
pub(super) struct Faults {
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    calls: HashMap<Op, u64>,
    failures: HashMap<Op, VecDeque<ErrorKind>>,
    gates: HashMap<(Op, Point), VecDeque<Arc<Latches>>>,
}

impl Faults {
    pub(super) fn fail_next(&self, op: Op, n: usize, kind: ErrorKind) {
        self.script.lock().failures.entry(op).or_default().extend(std::iter::repeat_n(kind, n));
    }

    pub(super) fn hold(&self, op: Op, point: Point) -> Gate {
        let (gate, latches) = Gate::new();
        self.script.lock().gates.entry((op, point)).or_default().push_back(latches);
        gate
    }

    pub(super) fn calls(&self, op: Op) -> u64 {
        self.script.lock().calls.get(&op).copied().unwrap_or_default()
    }

    pub(super) fn count(&self, op: Op) {
        *self.script.lock().calls.entry(op).or_default() += 1;
    }

    pub(super) fn failure(&self, op: Op) -> Option<Error> {
        let kind = self.script.lock().failures.get_mut(&op)?.pop_front()?;
        Some(Error::new(kind, "the test wants this call to fail"))
    }

    pub(super) fn gate(&self, op: Op, point: Point) -> Option<Arc<Latches>> {
        self.script.lock().gates.get_mut(&(op, point))?.pop_front()
    }
}
