//! What may happen, and how often.

use cache_tiered::StaleMode;
use proptest::prelude::*;

pub(crate) const KEYS: usize = 4;
pub(crate) const TAGS: usize = 3;

/// A process, taken modulo how many there are.
pub(crate) type Handle = usize;
pub(crate) type Key = usize;
pub(crate) type Tag = usize;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Get(Handle, Key),
    GetWithReceipt(Handle, Key),
    Exists(Handle, Key),
    Ttl(Handle, Key),
    Set(Handle, Key, Keep),
    Delete(Handle, Key),
    Expire(Handle, Key),
    GetMany(Handle, Vec<Key>),
    SetMany(Handle, Vec<Key>, Keep),
    DeleteMany(Handle, Vec<Key>),
    Load(Handle, Key, Wish),
    LoadMany(Handle, Vec<Key>, Wish),
    InvalidateTag(Handle, Tag),
    Clear(Handle),
    /// A read and a change of what it reads, at the same time, and a read after both.
    ReadAcross(Handle, Key, Held, Box<Op>),
    /// Somebody who is not a cache removes the key from the store.
    ForeignDelete(Key),
    /// One of the loaders that wait ends.
    Finish(usize, Ending),
    Advance(Step),
}

/// What is held where, so that a read and a change cross.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    /// The read on its way to the store.
    Question,
    /// The read on its way back.
    Reply,
    /// The change on its way to the store.
    Change,
}

/// How an entry is to be kept; times in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    /// `None` is the default of the cache.
    pub(crate) fresh: Option<u64>,
    pub(crate) stale: u64,
    /// A bit a tag.
    pub(crate) tags: u8,
    /// The loader names the tags when it is done, not the caller beforehand.
    pub(crate) late: bool,
}

/// What a caller with a loader wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) keep: Keep,
    pub(crate) mode: StaleMode,
    /// How the loader ends; `None` if it waits for [`Op::Finish`].
    pub(crate) ending: Option<Ending>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// A value, and of a batch one for each key whose bit is set.
    Bring(u8),
    Fail,
    Panic,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Millis(u64),
    /// To the moment at which the entry stops being fresh, or this much before it.
    Stale(Key, u64),
    /// To the moment at which the entry is gone, or this much before it.
    Dead(Key, u64),
    /// To the end of the time during which a failed load is remembered, or this much before it.
    Forgiven(Key, u64),
    /// To the moment at which the time of the next load is over, or this much before it.
    LoadTimeout(u64),
}

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(op(), 1..60)
}

fn op() -> impl Strategy<Value = Op> {
    let (h, k) = (0..2_usize, 0..KEYS);
    let at = (h.clone(), k.clone());
    let many = (h.clone(), proptest::collection::vec(k.clone(), 0..=KEYS));
    prop_oneof![
        6 => at.clone().prop_map(|(h, k)| Op::Get(h, k)),
        6 => at.clone().prop_map(|(h, k)| Op::GetWithReceipt(h, k)),
        1 => at.clone().prop_map(|(h, k)| Op::Exists(h, k)),
        3 => at.clone().prop_map(|(h, k)| Op::Ttl(h, k)),
        6 => (at.clone(), keep()).prop_map(|((h, k), keep)| Op::Set(h, k, keep)),
        3 => at.clone().prop_map(|(h, k)| Op::Delete(h, k)),
        3 => at.clone().prop_map(|(h, k)| Op::Expire(h, k)),
        2 => many.clone().prop_map(|(h, keys)| Op::GetMany(h, keys)),
        2 => (many.clone(), keep()).prop_map(|((h, keys), keep)| Op::SetMany(h, distinct(keys), keep)),
        1 => many.clone().prop_map(|(h, keys)| Op::DeleteMany(h, distinct(keys))),
        14 => (at, wish()).prop_map(|((h, k), wish)| Op::Load(h, k, wish)),
        4 => (many, wish()).prop_map(|((h, keys), wish)| Op::LoadMany(h, keys, wish)),
        3 => (h.clone(), 0..TAGS).prop_map(|(h, tag)| Op::InvalidateTag(h, tag)),
        1 => h.prop_map(Op::Clear),
        6 => read_across(),
        1 => k.prop_map(Op::ForeignDelete),
        10 => (any::<usize>(), ending()).prop_map(|(nth, ending)| Op::Finish(nth, ending)),
        10 => step().prop_map(Op::Advance),
    ]
}

fn read_across() -> impl Strategy<Value = Op> {
    let held = prop_oneof![Just(Held::Question), Just(Held::Reply), Just(Held::Change)];
    (0..2_usize, 0..KEYS, 0..2_usize, held, keep(), 0..TAGS).prop_flat_map(|(h, k, by, held, keep, tag)| {
        let change = prop_oneof![
            3 => Just(Op::Set(by, k, keep)),
            2 => Just(Op::Delete(by, k)),
            2 => Just(Op::Expire(by, k)),
            2 => Just(Op::InvalidateTag(by, tag)),
            1 => Just(Op::Clear(by)),
            1 => Just(Op::ForeignDelete(k)),
        ];
        change.prop_map(move |change| Op::ReadAcross(h, k, held, Box::new(change)))
    })
}

fn distinct(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn keep() -> impl Strategy<Value = Keep> {
    let fresh = prop_oneof![Just(None), Just(Some(1)), Just(Some(1_000)), Just(Some(5_000))];
    let stale = prop_oneof![2 => Just(0), 1 => Just(500), 3 => Just(5_000), 2 => Just(60_000)];
    let tags = prop_oneof![2 => Just(0), 3 => 1..(1_u8 << TAGS)];
    (fresh, stale, tags, any::<bool>()).prop_map(|(fresh, stale, tags, late)| Keep {
        fresh,
        stale,
        tags,
        late,
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let mode = prop_oneof![Just(StaleMode::WhileRevalidate), Just(StaleMode::OnError)];
    let ending = prop_oneof![1 => ending().prop_map(Some), 1 => Just(None)];
    (keep(), mode, ending).prop_map(|(keep, mode, ending)| Wish { keep, mode, ending })
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        5 => any::<u8>().prop_map(Ending::Bring),
        2 => Just(Ending::Fail),
        1 => Just(Ending::Panic),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let short_of = prop_oneof![2 => Just(0), 1 => Just(1)];
    let at = (0..KEYS, short_of.clone());
    prop_oneof![
        2 => prop_oneof![Just(1), Just(400), Just(1_000), Just(7_000), Just(90_000)].prop_map(Step::Millis),
        3 => at.clone().prop_map(|(key, before)| Step::Stale(key, before)),
        2 => at.clone().prop_map(|(key, before)| Step::Dead(key, before)),
        1 => at.prop_map(|(key, before)| Step::Forgiven(key, before)),
        1 => short_of.prop_map(Step::LoadTimeout),
    ]
}
