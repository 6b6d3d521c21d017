//! Slots that keep their index for as long as they are used: what the hash table and the queues point to.

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;

/// Slots that are allocated together.
const ROW: usize = 8;

/// Begins with a cache line, so that slots of 64 bytes have one each; and a multiple of 64 bytes long whatever a slot
/// takes, so that nothing is lost.
#[repr(align(64))]
struct Row<T>([Slot<T>; ROW]);

pub(crate) struct Slab<T> {
    rows: Vec<Row<T>>,
    /// Slots that were ever used; those behind them in the last row are not.
    slots: usize,
    first_free: u32,
    used: usize,
}

enum Slot<T> {
    Used(T),
    Free { next: u32 },
}

impl<T> Slab<T> {
    /// Bytes of a slot.
    pub(crate) const SLOT: usize = size_of::<Slot<T>>();

    pub(crate) const fn new() -> Self {
        Self { rows: Vec::new(), slots: 0, first_free: NIL, used: 0 }
    }

    /// Slots in use.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Slots, used or free; every index is below.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let index = index as usize;
        match &self.rows.get(index / ROW)?.0[index % ROW] {
            Slot::Used(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.slot(index)? {
            Slot::Used(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    #[inline]
    fn slot(&mut self, index: u32) -> Option<&mut Slot<T>> {
        let index = index as usize;
        Some(&mut self.rows.get_mut(index / ROW)?.0[index % ROW])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().flat_map(|row| &row.0).filter_map(|slot| match slot {
            Slot::Used(value) => Some(value),
            Slot::Free { .. } => None,
        })
    }

    /// Puts `value` into a free slot. Up to `share` used ones no more memory is taken than they need, beyond them little
    /// more.
    pub(crate) fn insert(&mut self, value: T, share: usize) -> u32 {
        self.used += 1;
        let index = self.first_free;
        if let Some(slot) = self.slot(index)
            && let Slot::Free { next } = *slot
        {
            *slot = Slot::Used(value);
            self.first_free = next;
            return index;
        }
        let index = u32::try_from(self.slots).unwrap_or(NIL);
        self.slots += 1;
        if self.slots > self.rows.len() * ROW {
            self.grow(share.div_ceil(ROW));
        }
        if let Some(slot) = self.slot(index) {
            *slot = Slot::Used(value);
        }
        index
    }

    /// Another row. The room doubles up to `share` rows, which a plain `Vec` would overshoot by up to half.
    fn grow(&mut self, share: usize) {
        let len = self.rows.len();
        if len == self.rows.capacity() {
            let more = if len < share { len.max(1).min(share - len) } else { len / 32 + 1 };
            self.rows.reserve_exact(more);
        }
        self.rows.push(Row([const { Slot::Free { next: NIL } }; ROW]));
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let next = self.first_free;
        let slot = self.slot(index)?;
        if matches!(slot, Slot::Free { .. }) {
            return None;
        }
        let was = std::mem::replace(slot, Slot::Free { next });
        self.first_free = index;
        self.used -= 1;
        match was {
            Slot::Used(value) => Some(value),
            Slot::Free { .. } => None,
        }
    }

    /// Takes out whatever the last slot holds and gives the slot up. For a slab that is only being emptied:
    /// nothing may be inserted afterwards. `None` at the end.
    pub(crate) fn pop(&mut self) -> Option<Option<T>> {
        self.slots = self.slots.checked_sub(1)?;
        let last = u32::try_from(self.slots).unwrap_or(NIL);
        let value = self.remove(last);
        self.rows.truncate(self.slots.div_ceil(ROW));
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_slot_is_used_again_and_indexes_stay() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a', 3), slab.insert('b', 3));
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        assert_eq!(slab.insert('c', 3), a);
        assert_eq!(slab.get(b), Some(&'b'));
        assert_eq!((slab.len(), slab.slots()), (2, 2));
    }

    #[test]
    fn room_is_not_taken_beyond_the_limit() {
        let mut slab = Slab::new();
        for n in 0..1000 {
            slab.insert(n, 1000);
        }
        assert_eq!(slab.rows.capacity() * ROW, 1000);
        for n in 0..100 {
            slab.insert(n, 1000);
        }
        assert!(slab.rows.capacity() * ROW < 1150, "{}", slab.rows.capacity());
    }
}
