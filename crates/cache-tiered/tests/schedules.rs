//! The protocol of fills, links and flights in every order that threads may take, as models: what stands in the code in
//! several files stands here in a few lines each. Each model has a protection that can be taken away, and is then seen to
//! fail, so that it is known to look.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

const SCHEDULES: usize = 3_000;

/// Fails in some schedule without the protection, in none with it.
fn protects(model: impl Fn(bool) + Send + Sync + Copy + 'static) {
    shuttle::check_random(move || model(true), SCHEDULES);
    let broken = AssertUnwindSafe(move || shuttle::check_random(move || model(false), SCHEDULES));
    let broken = catch_unwind(broken);
    assert!(broken.is_err(), "no schedule shows what the protection is for");
}

/// One key of tier 1, with what fences its fills.
#[derive(Clone, Copy, Default)]
struct Tier {
    generation: u64,
    epoch: u64,
    copy: Option<u64>,
}

/// What the server holds, and what it has said and was not taken in yet, in the order of the wire.
#[derive(Default)]
struct Server {
    value: u64,
    tracked: bool,
    announced: usize,
}

/// A reader that read before a change must not keep what it read, whenever the announcement is taken in.
fn fill(protected: bool) {
    let (server, tier) = (Arc::new(Mutex::new(Server::default())), Arc::new(Mutex::new(Tier::default())));
    let reader = {
        let (server, tier) = (Arc::clone(&server), Arc::clone(&tier));
        thread::spawn(move || {
            // The token comes before the question.
            let token = tier.lock().unwrap().generation;
            let read = {
                let mut server = server.lock().unwrap();
                server.tracked = true;
                server.value
            };
            let mut tier = tier.lock().unwrap();
            if !protected || tier.generation == token {
                tier.copy = Some(read);
            }
        })
    };
    let writer = {
        let server = Arc::clone(&server);
        thread::spawn(move || {
            let mut server = server.lock().unwrap();
            server.value += 1;
            server.announced += usize::from(std::mem::take(&mut server.tracked));
        })
    };
    let listener = {
        let (server, tier) = (Arc::clone(&server), Arc::clone(&tier));
        thread::spawn(move || take_in(&server, &tier))
    };
    for thread in [reader, writer, listener] {
        thread.join().unwrap();
    }
    take_in(&server, &tier);
    let copy = tier.lock().unwrap().copy;
    assert!(
        copy.is_none_or(|copy| copy == server.lock().unwrap().value),
        "a copy that nothing will ever void"
    );
}

fn take_in(server: &Mutex<Server>, tier: &Mutex<Tier>) {
    if std::mem::take(&mut server.lock().unwrap().announced) > 0 {
        let mut tier = tier.lock().unwrap();
        tier.generation += 1;
        tier.copy = None;
    }
}

#[test]
fn a_fill_that_crossed_an_announcement_is_refused() {
    protects(fill);
}

/// What was read over a link that was lost is announced to nobody: its fill must not go in after the next one is up.
fn epoch(protected: bool) {
    let (server, tier) = (Arc::new(Mutex::new(Server::default())), Arc::new(Mutex::new(Tier::default())));
    let reader = {
        let (server, tier) = (Arc::clone(&server), Arc::clone(&tier));
        thread::spawn(move || {
            let token = tier.lock().unwrap().epoch;
            let read = server.lock().unwrap().value;
            let mut tier = tier.lock().unwrap();
            if !protected || tier.epoch == token {
                tier.copy = Some(read);
            }
        })
    };
    let link = {
        let (server, tier) = (Arc::clone(&server), Arc::clone(&tier));
        thread::spawn(move || {
            // The link is lost, the value changes, nobody is told; then there is another one.
            server.lock().unwrap().value += 1;
            let mut tier = tier.lock().unwrap();
            tier.epoch += 1;
            tier.copy = None;
        })
    };
    reader.join().unwrap();
    link.join().unwrap();
    let copy = tier.lock().unwrap().copy;
    assert!(copy.is_none_or(|copy| copy == server.lock().unwrap().value), "a copy from before the new link");
}

#[test]
fn a_fill_of_an_earlier_link_is_refused() {
    protects(epoch);
}

/// A flight under way, which callers may join.
#[derive(Default)]
struct Flight {
    number: u64,
    answer: Option<u64>,
}

/// Who asks after an acknowledged invalidation must not join a load that began before it.
fn flight(protected: bool) {
    let (value, flight) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Flight::default())));
    let leader = {
        let (value, flight) = (Arc::clone(&value), Arc::clone(&flight));
        thread::spawn(move || {
            let number = flight.lock().unwrap().number;
            let loaded = *value.lock().unwrap();
            let mut flight = flight.lock().unwrap();
            // A flight that was fenced belongs to those who joined it before.
            if !protected || flight.number == number {
                flight.answer = Some(loaded);
            }
        })
    };
    let invalidator = {
        let (value, flight) = (Arc::clone(&value), Arc::clone(&flight));
        thread::spawn(move || {
            *value.lock().unwrap() = 1;
            let mut flight = flight.lock().unwrap();
            (flight.number, flight.answer) = (flight.number + 1, None);
            drop(flight);
            // Acknowledged: this caller asks now.
        })
    };
    invalidator.join().unwrap();
    let joined = flight.lock().unwrap().answer;
    leader.join().unwrap();
    let later = flight.lock().unwrap().answer;
    for answer in [joined, later].into_iter().flatten() {
        assert_eq!(answer, 1, "what was loaded before the invalidation");
    }
}

#[test]
fn nobody_joins_a_load_that_began_before_an_invalidation() {
    protects(flight);
}

/// A link that hears nothing must not be taken for one that lives: a sign of life is passed on only after everything that
/// was published before it has been heard over the other connection.
fn sign_of_life(protected: bool) {
    let channel = Arc::new(Mutex::new((0_u64, 0_u64)));
    let (copy, alive) = (Arc::new(Mutex::new(true)), Arc::new(Mutex::new(false)));
    let listener = {
        let (channel, copy) = (Arc::clone(&channel), Arc::clone(&copy));
        thread::spawn(move || {
            let mut channel = channel.lock().unwrap();
            if channel.1 < channel.0 {
                channel.1 = channel.0;
                *copy.lock().unwrap() = false;
            }
        })
    };
    // Before the heartbeat, a change was published.
    channel.lock().unwrap().0 = 1;
    let heartbeat = {
        let (channel, alive) = (Arc::clone(&channel), Arc::clone(&alive));
        thread::spawn(move || {
            let (published, heard) = *channel.lock().unwrap();
            if !protected || heard >= published {
                *alive.lock().unwrap() = true;
            }
        })
    };
    heartbeat.join().unwrap();
    let served = *copy.lock().unwrap() && *alive.lock().unwrap();
    assert!(!served, "a copy that was changed before the sign of life answers after it");
    listener.join().unwrap();
}

#[test]
fn a_sign_of_life_comes_after_what_was_published_before_it() {
    protects(sign_of_life);
}
