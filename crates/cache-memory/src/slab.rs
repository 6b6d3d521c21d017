//! Slots that keep their index for as long as they are used: what the hash table and the queues point to.

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;

pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
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
        Self { slots: Vec::new(), first_free: NIL, used: 0 }
    }

    /// Slots in use.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Slots, used or free; every index is below.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        match self.slots.get(index as usize) {
            Some(Slot::Used(value)) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.slots.get_mut(index as usize) {
            Some(Slot::Used(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Used(value) => Some(value),
            Slot::Free { .. } => None,
        })
    }

    /// Puts `value` into a free slot. The caller sees to it that no more than `limit` are used.
    pub(crate) fn insert(&mut self, value: T, limit: usize) -> u32 {
        self.used += 1;
        let index = self.first_free;
        if let Some(slot) = self.slots.get_mut(index as usize)
            && let Slot::Free { next } = *slot
        {
            self.first_free = next;
            *slot = Slot::Used(value);
            return index;
        }
        self.grow(limit);
        self.slots.push(Slot::Used(value));
        u32::try_from(self.slots.len() - 1).unwrap_or(NIL)
    }

    /// Doubles the room, but never beyond `limit`: a plain `Vec` would overshoot it by up to half.
    fn grow(&mut self, limit: usize) {
        let len = self.slots.len();
        if len == self.slots.capacity() {
            let more = len.max(4).min(limit.saturating_sub(len)).max(1);
            self.slots.reserve_exact(more);
        }
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let slot = self.slots.get_mut(index as usize)?;
        if matches!(slot, Slot::Free { .. }) {
            return None;
        }
        let was = std::mem::replace(slot, Slot::Free { next: self.first_free });
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
        match self.slots.pop()? {
            Slot::Used(value) => {
                self.used -= 1;
                Some(Some(value))
            }
            Slot::Free { .. } => Some(None),
        }
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
        assert_eq!(slab.slots.capacity(), 1000);
    }
}
