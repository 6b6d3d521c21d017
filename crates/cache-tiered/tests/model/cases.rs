//! Short cases that are easily got wrong, in every set-up. A process that there is not is played by the one there is.

use cache_tiered::StaleMode;

use crate::check;
use crate::op::{Ending, Keep, Op, Step, Wish};
use crate::rules::Setup;

const KEY: usize = 0;
const STAGED: Option<Ending> = None;
const BRINGS: Option<Ending> = Some(Ending::Bring(u8::MAX));

fn holds(ops: &[Op]) {
    for (local, store, handles) in
        [(true, false, 1), (true, true, 1), (false, true, 1), (true, true, 2), (false, true, 2)]
    {
        let setup = Setup { local, store, handles };
        if let Err(failure) = check(setup, ops) {
            panic!("{setup:?}: {failure}");
        }
    }
}

fn keep(fresh: u64, stale: u64, tags: u8) -> Keep {
    Keep { fresh: Some(fresh), stale, tags, late: false }
}

fn load(handle: usize, keep: Keep, ending: Option<Ending>) -> Op {
    Op::Load(handle, KEY, Wish { keep, mode: StaleMode::WhileRevalidate, ending })
}

fn brought() -> Op {
    Op::Finish(0, Ending::Bring(u8::MAX))
}

#[test]
fn what_is_expired_and_may_not_be_stale_is_gone() {
    holds(&[Op::Set(0, KEY, keep(5_000, 0, 0)), Op::Expire(0, KEY), Op::GetWithReceipt(0, KEY)]);
}

#[test]
fn the_time_for_being_stale_begins_when_an_entry_is_expired() {
    let millis = |millis| Op::Advance(Step::Millis(millis));
    holds(&[
        Op::Set(0, KEY, keep(30_000, 500, 0)),
        Op::Expire(0, KEY),
        millis(499),
        Op::GetWithReceipt(0, KEY),
        millis(1),
        Op::GetWithReceipt(0, KEY),
    ]);
}

#[test]
fn a_load_that_takes_too_long_failed_once() {
    holds(&[load(0, keep(5_000, 0, 0), STAGED), Op::Advance(Step::LoadTimeout(0))]);
}

#[test]
fn a_load_that_was_invalidated_and_took_too_long_is_not_held_against_the_next() {
    holds(&[
        load(0, keep(5_000, 0, 0), STAGED),
        Op::Delete(0, KEY),
        Op::Advance(Step::LoadTimeout(0)),
        load(0, keep(5_000, 0, 0), BRINGS),
    ]);
}

#[test]
fn who_asks_after_an_invalidation_gets_nothing_that_was_loaded_before_whatever_other_tags_there_are() {
    let tagged = || keep(5_000, 0, 0b111);
    for tag in 0..3 {
        holds(&[load(0, tagged(), STAGED), Op::InvalidateTag(0, tag), load(0, tagged(), BRINGS), brought()]);
    }
}

#[test]
fn who_asks_between_two_invalidations_gets_nothing_that_was_loaded_before_the_first() {
    let tagged = || keep(5_000, 0, 1);
    holds(&[
        load(0, tagged(), STAGED),
        Op::InvalidateTag(0, 0),
        load(0, tagged(), BRINGS),
        Op::InvalidateTag(0, 0),
        brought(),
    ]);
}

#[test]
fn what_was_being_refreshed_when_somebody_expired_it_again_is_not_kept() {
    holds(&[
        Op::Set(0, KEY, keep(1, 60_000, 0)),
        Op::Advance(Step::Millis(1_000)),
        load(1, keep(5_000, 0, 0), STAGED),
        Op::Expire(0, KEY),
        brought(),
        Op::GetWithReceipt(0, KEY),
        Op::GetWithReceipt(1, KEY),
    ]);
}

#[test]
fn who_waits_for_another_process_is_answered_as_soon_as_that_is_done_however_long_it_took() {
    for other in [0, 1] {
        holds(&[
            load(0, keep(5_000, 0, 0), STAGED),
            load(1, keep(5_000, 0, 0), BRINGS),
            Op::Clear(other),
            Op::Advance(Step::Millis(7_000)),
            brought(),
            Op::GetWithReceipt(1, KEY),
        ]);
    }
}
