//! Entries and marks that see one another: a map with deadlines, without locks, pushes or clients.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cache_core::{Mark, Marks, Moment, Namespace, Page, Stamp, Stored, random_u64};

#[derive(Debug, Default)]
pub(super) struct Space {
    entries: HashMap<Arc<str>, Entry>,
    /// Keys in the order in which they came, so that the cursor of a scan means something while keys come and go.
    order: BTreeMap<u64, Arc<str>>,
    next_id: u64,
    marks: HashMap<Box<str>, MarkTable>,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    bytes: Bytes,
    deadline: Option<Moment>,
}

#[derive(Debug)]
struct MarkTable {
    now: Stamp,
    seqs: HashMap<Mark, u64>,
}

impl Space {
    pub(super) fn get(&self, key: &str, now: Moment) -> Option<Stored> {
        let entry = self.entries.get(key).filter(|entry| !entry.is_over(now))?;
        let remaining = entry.deadline.map(|deadline| deadline.since(now));
        Some(Stored { bytes: entry.bytes.clone(), remaining })
    }

    pub(super) fn set(&mut self, key: &str, bytes: Bytes, ttl: Option<Duration>, now: Moment) {
        let deadline = ttl.map(|ttl| now + ttl);
        if let Some(entry) = self.entries.get_mut(key) {
            entry.bytes = bytes;
            entry.deadline = deadline;
            return;
        }
        self.next_id += 1;
        let key: Arc<str> = key.into();
        self.order.insert(self.next_id, Arc::clone(&key));
        self.entries.insert(key, Entry { id: self.next_id, bytes, deadline });
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let removed = self.entries.remove(key);
        removed.is_some_and(|entry| self.order.remove(&entry.id).is_some())
    }

    /// The keys whose time is over.
    pub(super) fn over(&self, now: Moment) -> Vec<Arc<str>> {
        self.entries.iter().filter(|(_, e)| e.is_over(now)).map(|(key, _)| Arc::clone(key)).collect()
    }

    pub(super) fn is_over(&self, key: &str, now: Moment) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.is_over(now))
    }

    /// Looks at `count` keys of all namespaces, so pages are short or empty where others' keys lie between.
    pub(super) fn page(&self, namespace: &Namespace, cursor: u64, count: usize, now: Moment) -> Page {
        let mut rest = self.order.range(cursor.saturating_add(1)..);
        let mut page = Page { keys: Vec::new(), next: None };
        let mut last = cursor;
        for (id, key) in rest.by_ref().take(count.max(1)) {
            last = *id;
            if key.starts_with(namespace.prefix()) && !self.is_over(key, now) {
                page.keys.push(key.to_string());
            }
        }
        page.next = rest.next().map(|_| last);
        page
    }

    pub(super) fn keys(&self, now: Moment) -> Vec<String> {
        self.order.values().filter(|key| !self.is_over(key, now)).map(ToString::to_string).collect()
    }

    pub(super) fn read_marks(&mut self, namespace: &Namespace, marks: &[Mark]) -> Marks {
        let table = self.table(namespace);
        let seqs = marks.iter().map(|mark| table.seqs.get(mark).copied().unwrap_or_default()).collect();
        Marks { now: table.now, seqs }
    }

    pub(super) fn bump_mark(&mut self, namespace: &Namespace, mark: &Mark) -> Stamp {
        let table = self.table(namespace);
        table.now.seq += 1;
        table.seqs.insert(mark.clone(), table.now.seq);
        table.now
    }

    pub(super) fn lose_marks(&mut self) {
        self.marks.clear();
    }

    fn table(&mut self, namespace: &Namespace) -> &mut MarkTable {
        self.marks
            .entry(namespace.as_str().into())
            .or_insert_with(|| MarkTable { now: Stamp { nonce: random_u64(), seq: 0 }, seqs: HashMap::new() })
    }
}

impl Entry {
    fn is_over(&self, now: Moment) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}
