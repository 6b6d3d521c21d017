use super::*;

const POLICY: BreakerSettings =
    BreakerSettings { failures: 5, window: 20, open_for: Duration::from_secs(30) };

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

/// What may happen to a breaker.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// A call is asked for, which is granted or not.
    Ask(bool),
    /// A call of the present life ends.
    End(Outcome),
    /// A call ends that began before the last change of the state.
    EndOld(Outcome),
    Heartbeat,
    Wait(u64),
}

use BreakerState::{Closed, HalfOpen, Open};
use Do::{Ask, End, EndOld, Heartbeat, Wait};
use Outcome::{Bad, Good, Unknown};

fn run(steps: &[Do]) -> BreakerState {
    let (mut machine, mut now) = (Machine::NEW, at(0));
    for (i, step) in steps.iter().enumerate() {
        machine = match *step {
            Ask(expected) => {
                let (machine, granted) = machine.ask(|| now);
                assert_eq!(granted, expected, "step {i} of {steps:?}");
                machine
            }
            End(outcome) => machine.ended(machine.life, outcome, &POLICY, || now),
            EndOld(outcome) => machine.ended(machine.life.wrapping_sub(1), outcome, &POLICY, || now),
            Heartbeat => machine.heartbeat(),
            Wait(seconds) => {
                now = now + Duration::from_secs(seconds);
                machine
            }
        };
    }
    machine.name()
}

fn opened(then: &[Do]) -> Vec<Do> {
    [&[End(Bad); 5], then].concat()
}

#[test]
fn the_breaker_does_what_the_table_says() {
    let half_bad = |bad_at: fn(usize) -> bool, n| -> Vec<Do> {
        (0..n).map(|i| End(if bad_at(i) { Bad } else { Good })).collect()
    };
    let table: [(&str, Vec<Do>, BreakerState); 22] = [
        ("new", vec![Ask(true), Ask(true)], Closed),
        ("four in a row", vec![End(Bad); 4], Closed),
        ("five in a row", opened(&[Ask(false)]), Open),
        ("a success in between", [&[End(Bad); 4][..], &[End(Good)], &[End(Bad); 4]].concat(), Closed),
        ("what says nothing does not count", [&[End(Bad); 4][..], &[End(Unknown)]].concat(), Closed),
        ("nor ends a row", [&[End(Bad); 4][..], &[End(Unknown), End(Bad)]].concat(), Open),
        ("half of nineteen", half_bad(|i| i % 2 == 0, 19), Closed),
        ("half of twenty", half_bad(|i| i % 2 == 0, 20), Open),
        ("less than half of many", half_bad(|i| i % 3 == 0, 200), Closed),
        ("a late failure of before", [&[EndOld(Bad)][..], &[End(Bad); 4]].concat(), Closed),
        ("not yet", opened(&[Wait(29), Ask(false)]), Open),
        ("after its time, one", opened(&[Wait(30), Ask(true), Ask(false)]), HalfOpen),
        ("the probe succeeds", opened(&[Wait(30), Ask(true), End(Good), Ask(true), Ask(true)]), Closed),
        ("the probe fails", opened(&[Wait(30), Ask(true), End(Bad), Wait(29), Ask(false)]), Open),
        (
            "the probe is dropped",
            opened(&[Wait(30), Ask(true), End(Unknown), Ask(true), Ask(false)]),
            HalfOpen,
        ),
        (
            "the probe is not polled",
            opened(&[Wait(30), Ask(true), Wait(59), Ask(false), Wait(1), Ask(true), Ask(false)]),
            HalfOpen,
        ),
        (
            "and fails after another took its place",
            opened(&[Heartbeat, Ask(true), Wait(60), Ask(true), EndOld(Bad), Ask(false), End(Good)]),
            Closed,
        ),
        ("a heartbeat", opened(&[Heartbeat, Ask(true), Ask(false)]), HalfOpen),
        ("a heartbeat closes nothing by itself", opened(&[Heartbeat, Heartbeat]), HalfOpen),
        (
            "a heartbeat during the probe lets none through",
            opened(&[Heartbeat, Ask(true), Heartbeat, Ask(false)]),
            HalfOpen,
        ),
        (
            "an old call's success closes nothing",
            opened(&[Heartbeat, Ask(true), EndOld(Good), Ask(false)]),
            HalfOpen,
        ),
        ("a heartbeat while closed", [&[End(Bad); 4][..], &[Heartbeat, End(Bad)]].concat(), Open),
    ];
    for (label, steps, expected) in table {
        assert_eq!(run(&steps), expected, "{label}");
    }
}

fn breaker() -> Breaker {
    Breaker::new(Namespace::new("test").unwrap(), POLICY)
}

fn failed() -> Result<(), Error> {
    Err(Error::new(ErrorKind::Timeout, "late"))
}

#[test]
fn of_a_thousand_one_gets_through_and_a_dropped_one_gives_its_place_back() {
    let breaker = breaker();
    for _ in 0..5 {
        breaker.ask(|| at(0)).unwrap().end(&failed(), || at(0));
    }
    let through = |now| -> Vec<_> { (0..1000).filter_map(|_| breaker.ask(|| now)).collect() };
    assert_eq!((through(at(29)).len(), breaker.opened()), (0, 1));
    let probes = through(at(30));
    assert_eq!(probes.len(), 1);
    drop(probes);
    let probes = through(at(30));
    assert_eq!(probes.len(), 1, "the dropped probe's place");
    for probe in probes {
        probe.end(&Ok(()), || at(30));
    }
    assert_eq!((through(at(30)).len(), breaker.state()), (1000, Closed));
}

#[test]
fn only_errors_of_the_way_to_the_store_count() {
    use ErrorKind::{Codec, Configuration, Internal, TooLarge, Unavailable, Unsupported, Validation};
    for kind in [Validation, TooLarge, Codec, Unsupported, Configuration, Internal] {
        let breaker = breaker();
        for _ in 0..100 {
            breaker.ask(|| at(0)).unwrap().end(&Err::<(), _>(Error::new(kind, "x")), || at(0));
        }
        assert_eq!(breaker.state(), Closed, "{kind:?}");
    }
    for kind in [Unavailable, ErrorKind::Timeout] {
        let breaker = breaker();
        while let Some(permit) = breaker.ask(|| at(0)) {
            permit.end(&Err::<(), _>(Error::new(kind, "x")), || at(0));
        }
        assert_eq!(breaker.state(), Open, "{kind:?}");
    }
}

#[test]
fn what_is_out_of_range_is_said() {
    let mut problems = Problems::default();
    BreakerSettings { failures: 0, window: 65, open_for: Duration::ZERO }.check(&mut problems);
    let error = problems.configuration().unwrap_err();
    for part in ["failures is 0", "window is 65", "open_for is 0ns"] {
        assert!(error.message().contains(part), "{part} in {error}");
    }
}
