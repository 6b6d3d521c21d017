//! What this process knows of the namespace's invalidations by tag and clear.
//!
//! One sequence counts them. An entry carries the sequence that stood when its load began; it is void if a mark that
//! concerns it came later. So invalidating any number of entries is one step, and a load that names its tags only when
//! it is done is caught as well.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_core::{Mark, Stamp, random_u64};
use parking_lot::RwLock;

/// The most tags whose last invalidation is remembered one by one.
const MAX_TAGS_KNOWN: usize = 100_000;

/// What the table says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soundness {
    /// No mark up to this sequence voids it.
    Sound(u64),
    /// A mark voids it.
    Void,
    /// The table does not know all its marks; the store does.
    Unknown,
}

/// What a mark meant for what was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learned {
    /// It was known: a store may tell a mark twice, and this process its own.
    Known,
    /// It is the newest.
    InOrder,
    /// A newer one was known already, and entries may have been vouched for without this one.
    Late,
    /// Everything that was known and stored is void.
    OtherIncarnation,
}

#[derive(Debug)]
struct Table {
    /// The incarnation; `None` until the store was asked.
    nonce: Option<u64>,
    /// The incarnation of what is known here, also while the store must be asked again.
    last: Option<u64>,
    clear: u64,
    /// Whether `clear` is the last one, and not only the last one of which this process heard by chance.
    clear_known: bool,
    tags: HashMap<Box<str>, u64>,
    /// Tags that are not in the map were invalidated at this position at the latest (this process is the authority).
    floor: u64,
    /// Of what came up to this position something may have been forgotten.
    forgotten: u64,
}

impl Table {
    /// Nothing but an incarnation is known.
    fn of(nonce: Option<u64>) -> Self {
        Self {
            nonce,
            last: nonce,
            clear: 0,
            clear_known: false,
            tags: HashMap::new(),
            floor: 0,
            forgotten: 0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct MarkTable {
    /// The newest sequence, readable without the lock.
    newest: AtomicU64,
    generation: AtomicU64,
    /// Whether this process makes the sequence itself; else the store does, and the table is a part of what it knows.
    authority: bool,
    table: RwLock<Table>,
}

impl MarkTable {
    /// The table of a cache without a store, which is the only one to invalidate.
    pub(crate) fn authority() -> Self {
        Self::with(true, Some(random_u64()))
    }

    /// The table of a cache whose marks are kept by its store.
    pub(crate) fn follower() -> Self {
        Self::with(false, None)
    }

    fn with(authority: bool, nonce: Option<u64>) -> Self {
        let table = Table { clear_known: authority, ..Table::of(nonce) };
        Self {
            newest: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            authority,
            table: RwLock::new(table),
        }
    }

    /// The sequence of the newest mark that is known.
    #[inline]
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// How often it has forgotten; to be taken before the store is asked.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The position that a load which starts now gets; `None` if the store must be asked.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        let table = self.table.read();
        table.nonce.filter(|_| table.clear_known).map(|nonce| Stamp { nonce, seq: self.newest() })
    }

    /// As much as is known of the position: without an incarnation if none is known.
    pub(crate) fn known(&self) -> Stamp {
        let table = self.table.read();
        Stamp { nonce: table.nonce.unwrap_or_default(), seq: self.newest() }
    }

    /// Makes a mark; for the authority only.
    pub(crate) fn bump(&self, mark: &Mark) -> Stamp {
        let mut table = self.table.write();
        let at = Stamp { nonce: table.nonce.unwrap_or_default(), seq: self.newest() + 1 };
        self.note(&mut table, mark, at.seq);
        // Published last: who sees the new sequence finds the mark.
        self.newest.store(at.seq, Ordering::Release);
        at
    }

    /// Takes in a mark that the store reported.
    pub(crate) fn learn(&self, mark: &Mark, at: Stamp) -> Learned {
        let mut table = self.table.write();
        let forgot = table.nonce.is_none() && table.last.is_some();
        let same = self.enter(&mut table, at);
        let last = match mark {
            Mark::Clear => Some(table.clear),
            Mark::Tag(tag) => table.tags.get(tag).copied(),
        };
        let known = last.is_some_and(|last| last >= at.seq);
        // One that comes late is not the last one of its tag if that was forgotten.
        if last.is_some() || at.seq > table.forgotten {
            self.note(&mut table, mark, at.seq);
        }
        let newest = self.newest.fetch_max(at.seq, Ordering::AcqRel);
        if forgot && !same {
            // Either the store went back, or this one came late: only the store knows.
            *table = Table { last: table.last, forgotten: at.seq, ..Table::of(None) };
        }
        match same {
            true if known && at.seq <= newest => Learned::Known,
            true if at.seq > newest => Learned::InOrder,
            true => Learned::Late,
            false => Learned::OtherIncarnation,
        }
    }

    /// Takes in the store's answer for these marks to a question of this [generation](Self::generation). Returns false if
    /// everything that is held is void: they are of another incarnation, or tell of a clear.
    pub(crate) fn learn_all(&self, asked_in: u64, now: Stamp, marks: &[Mark], seqs: &[u64]) -> bool {
        let mut table = self.table.write();
        if asked_in != self.generation() {
            // What made it forget may have come after the answer. Something may be held from now on all the same.
            table.last.get_or_insert(now.nonce);
            return true;
        }
        let is_first = table.last.is_none();
        let same = self.enter(&mut table, now);
        let clear = table.clear;
        for (mark, &seq) in marks.iter().zip(seqs) {
            self.note(&mut table, mark, seq);
        }
        self.newest.fetch_max(now.seq, Ordering::AcqRel);
        // Hits do not look at clears, and one that was read is known already when it is told. Before the first answer
        // nothing is held.
        same && (is_first || table.clear == clear)
    }

    /// Changes may have been missed: the store must be asked again.
    pub(crate) fn forget(&self) {
        if !self.authority {
            let mut table = self.table.write();
            (table.nonce, table.clear_known) = (None, false);
            table.tags.clear();
            table.forgotten = self.newest();
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// The tag may have been invalidated: the store must be asked about it again.
    pub(crate) fn forget_tag(&self, tag: &str) {
        if !self.authority {
            let mut table = self.table.write();
            table.tags.remove(tag);
            table.forgotten = self.newest();
        }
    }

    /// Whether an entry of this stamp and these tags is sound.
    pub(crate) fn judge(&self, stamp: Stamp, tags: Option<&[Box<str>]>) -> Soundness {
        let table = self.table.read();
        let newest = self.newest();
        let Some(nonce) = table.nonce else { return Soundness::Unknown };
        if nonce != stamp.nonce || table.clear > stamp.seq {
            return Soundness::Void;
        }
        let mut all_known = true;
        for tag in tags.unwrap_or_default() {
            let mark = table.tags.get(tag).copied();
            all_known &= mark.is_some() || self.authority;
            if mark.unwrap_or(table.floor) > stamp.seq {
                return Soundness::Void;
            }
        }
        if all_known && table.clear_known { Soundness::Sound(newest) } else { Soundness::Unknown }
    }

    /// As [`MarkTable::judge`], of an entry that only this process has. It was stamped with what this process knew, so
    /// what this process was not told of cannot void it.
    pub(crate) fn judge_local(&self, seq: u64, tags: Option<&[Box<str>]>) -> Soundness {
        let table = self.table.read();
        let newest = self.newest();
        let voided = |tag: &str| table.tags.get(tag).copied().unwrap_or(table.floor) > seq;
        if table.clear > seq || tags.unwrap_or_default().iter().any(|tag| voided(tag)) {
            Soundness::Void
        } else {
            Soundness::Sound(newest)
        }
    }

    fn enter(&self, table: &mut Table, now: Stamp) -> bool {
        // A store that was asked anew and stands earlier has lost what came since.
        let went_back = table.nonce.is_none() && now.seq < self.newest();
        let same = table.last.is_none_or(|known| known == now.nonce) && !went_back;
        if !same {
            *table = Table::of(None);
            self.newest.store(0, Ordering::Release);
        }
        (table.nonce, table.last) = (Some(now.nonce), Some(now.nonce));
        same
    }

    fn note(&self, table: &mut Table, mark: &Mark, seq: u64) {
        match mark {
            Mark::Clear => (table.clear, table.clear_known) = (table.clear.max(seq), true),
            Mark::Tag(tag) => {
                let known = table.tags.entry(tag.clone()).or_default();
                *known = seq.max(*known);
                if table.tags.len() > MAX_TAGS_KNOWN {
                    // The authority must not forget an invalidation, so it says "at the latest now" of all tags at
                    // once; a follower asks the store again.
                    table.floor = seq.max(self.newest());
                    table.tags.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<Box<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn a_mark_voids_what_began_before_it_and_nothing_else() {
        let marks = MarkTable::authority();
        let before = marks.stamp().unwrap();
        marks.bump(&Mark::tag("a").unwrap());
        let after = marks.stamp().unwrap();
        assert_eq!(marks.judge(before, Some(&tags(&["x", "a"]))), Soundness::Void);
        assert_eq!(marks.judge(before, Some(&tags(&["x"]))), Soundness::Sound(1));
        assert_eq!(marks.judge(before, None), Soundness::Sound(1));
        assert_eq!(marks.judge(after, Some(&tags(&["a"]))), Soundness::Sound(1));
        marks.bump(&Mark::Clear);
        assert_eq!(marks.judge(after, None), Soundness::Void);
    }

    #[test]
    fn the_authority_never_forgets_an_invalidation_however_many_tags_there_are() {
        let marks = MarkTable::authority();
        let stamp = marks.stamp().unwrap();
        for i in 0..=MAX_TAGS_KNOWN {
            marks.bump(&Mark::tag(&format!("t{i}")).unwrap());
        }
        assert!(marks.table.read().tags.len() <= MAX_TAGS_KNOWN);
        assert_eq!(marks.judge(stamp, Some(&tags(&["t0"]))), Soundness::Void);
        let later = marks.stamp().unwrap();
        assert_ne!(marks.judge(later, Some(&tags(&["t0"]))), Soundness::Void);
    }

    #[test]
    fn a_tags_mark_says_nothing_about_clears() {
        let marks = MarkTable::follower();
        let (before, tag) = (Stamp { nonce: 5, seq: 1 }, Mark::tag("a").unwrap());
        marks.learn(&tag, Stamp { nonce: 5, seq: 3 });
        assert_eq!(marks.judge(before, None), Soundness::Unknown, "a clear at 2 may have been missed");
        marks.learn_all(marks.generation(), Stamp { nonce: 5, seq: 3 }, &[Mark::Clear], &[2]);
        assert_eq!(marks.judge(before, None), Soundness::Void);
        marks.forget();
        marks.learn(&tag, Stamp { nonce: 5, seq: 4 });
        assert_eq!(marks.judge(Stamp { nonce: 5, seq: 3 }, None), Soundness::Unknown);
    }

    #[test]
    fn a_follower_knows_only_what_it_was_told() {
        let marks = MarkTable::follower();
        assert_eq!(marks.stamp(), None);
        let now = Stamp { nonce: 5, seq: 9 };
        assert!(marks.learn_all(marks.generation(), now, &[Mark::Clear, Mark::tag("a").unwrap()], &[3, 0]));
        assert_eq!(marks.stamp(), Some(now));
        let stamp = Stamp { nonce: 5, seq: 4 };
        assert_eq!(marks.judge(stamp, Some(&tags(&["a"]))), Soundness::Sound(9));
        assert_eq!(marks.judge(stamp, Some(&tags(&["b"]))), Soundness::Unknown);
        marks.learn(&Mark::tag("c").unwrap(), Stamp { nonce: 5, seq: 10 });
        assert_eq!(marks.judge(stamp, Some(&tags(&["b", "c"]))), Soundness::Void, "whatever else is unknown");
        let again = marks.learn(&Mark::tag("c").unwrap(), Stamp { nonce: 5, seq: 10 });
        assert_eq!(again, Learned::Known, "a mark may be told twice");
        assert_eq!(marks.learn(&Mark::tag("d").unwrap(), Stamp { nonce: 5, seq: 8 }), Learned::Late);
        assert_eq!(marks.judge(Stamp { nonce: 6, seq: 99 }, None), Soundness::Void, "another incarnation");
        let lost = marks.learn(&Mark::Clear, Stamp { nonce: 6, seq: 1 });
        assert_eq!(lost, Learned::OtherIncarnation, "the marks were lost and made anew");
        assert_eq!(marks.judge(stamp, None), Soundness::Void);
        marks.forget();
        assert_eq!(marks.judge(stamp, None), Soundness::Unknown);
    }

    #[test]
    fn a_clear_that_is_read_before_it_is_told_voids_what_is_held() {
        let marks = MarkTable::follower();
        let read = |seq, clear| {
            marks.learn_all(marks.generation(), Stamp { nonce: 5, seq }, &[Mark::Clear], &[clear])
        };
        assert!(read(4, 4), "nothing was held before the first answer");
        assert!(read(5, 4), "no clear came");
        assert!(!read(6, 6));
        assert_eq!(marks.learn(&Mark::Clear, Stamp { nonce: 5, seq: 6 }), Learned::Known);
        marks.forget();
        assert!(read(7, 6) && !read(9, 8));
        // An answer that is not believed lets its asker store something all the same.
        let marks = MarkTable::follower();
        let asked_in = marks.generation();
        marks.forget();
        assert!(marks.learn_all(asked_in, Stamp { nonce: 5, seq: 1 }, &[Mark::Clear], &[0]));
        assert!(!marks.learn_all(marks.generation(), Stamp { nonce: 5, seq: 2 }, &[Mark::Clear], &[2]));
    }

    #[test]
    fn what_is_told_late_does_not_pass_for_what_was_forgotten() {
        let tag = Mark::tag("t").unwrap();
        let at = |seq| Stamp { nonce: 5, seq };
        for own in [Mark::Clear, tag.clone()] {
            for asked in [false, true] {
                let marks = MarkTable::follower();
                marks.learn_all(marks.generation(), at(4), &[Mark::Clear], &[0]);
                marks.learn(&own, at(7));
                marks.forget();
                if asked {
                    let clear = if own == Mark::Clear { 7 } else { 0 };
                    marks.learn_all(marks.generation(), at(8), &[Mark::Clear], &[clear]);
                }
                // Another's, from before this process's own.
                let told = marks.learn(&own, at(5));
                assert_ne!(marks.judge(at(6), Some(&tags(&["t"]))), Soundness::Sound(8), "{own:?} {told:?}");
                assert_ne!(marks.judge(at(6), Some(&tags(&["t"]))), Soundness::Sound(5), "{own:?} {told:?}");
            }
        }
    }

    #[test]
    fn a_store_that_lost_its_marks_while_it_was_away_is_noticed() {
        let follower = || {
            let marks = MarkTable::follower();
            assert!(marks.learn_all(marks.generation(), Stamp { nonce: 5, seq: 9 }, &[Mark::Clear], &[3]));
            marks.forget();
            marks
        };
        let marks = follower();
        assert!(
            marks.learn_all(marks.generation(), Stamp { nonce: 5, seq: 11 }, &[Mark::Clear], &[3]),
            "nothing was lost"
        );
        for now in [Stamp { nonce: 6, seq: 0 }, Stamp { nonce: 5, seq: 4 }] {
            let marks = follower();
            assert!(!marks.learn_all(marks.generation(), now, &[Mark::Clear], &[0]), "{now:?}");
            assert_eq!(
                marks.stamp(),
                Some(now),
                "what is stored from now on is stamped with where the store stands"
            );
            let marks = follower();
            assert_eq!(marks.learn(&Mark::Clear, now), Learned::OtherIncarnation, "{now:?}");
        }
    }
}
