//! Calls, made ready before the clock starts.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use super::case::Step;
use crate::contender::{Contender, Name};
use crate::cpu_time::cpu_time;

/// A value: 256 bytes behind an `Arc`, as tier 1 hands out its values. A clone is one addition for everybody, so that
/// copying does not hide what the caches do.
pub type Bytes = Arc<[u8; 256]>;

/// The key with this number: 16 to 24 bytes, and no byte of memory more.
pub fn name(number: u64) -> Name {
    let width = 8 + (number % 9) as usize;
    let mut name = String::with_capacity(8 + width);
    name.push_str("session:");
    // Writing to a string cannot fail.
    let _ = write!(name, "{number:0width$}");
    name
}

/// A fresh value.
pub fn body() -> Bytes {
    Arc::new([7; 256])
}

/// A read, or an insert if there is a value. The key is at hand, as it is for a caller who has just made it.
#[derive(Debug)]
pub struct Call {
    name: Name,
    body: Option<Bytes>,
}

/// What is called, with keys and values of its own: an insert takes them, and making them is not timed.
pub fn ready(steps: &[Step]) -> Vec<Call> {
    steps.iter().map(|step| Call { name: name(step.key), body: step.insert.then(body) }).collect()
}

/// What calls came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Time that passed, in nanoseconds.
    pub wall_ns: f64,
    /// Time that the thread ran, in nanoseconds: other programs of the machine do not show in it, waiting does not
    /// either.
    pub cpu_ns: f64,
    /// Reads that found something.
    pub hits: usize,
    /// Reads.
    pub reads: usize,
}

/// Runs the calls one after the other and times them together. What an insert pushes out is dropped in its time.
pub fn run<C: Contender<Name, Bytes>>(contender: &C, calls: &mut [Call]) -> Tally {
    let (start, cpu) = (Instant::now(), cpu_time());
    let (reads, hits) = play(contender, calls);
    let cpu_ns = (cpu_time() - cpu).as_nanos() as f64;
    Tally { wall_ns: start.elapsed().as_nanos() as f64, cpu_ns, hits, reads }
}

/// The same without a look at the clock. Tells how many were reads, and how many of them found something.
#[inline(never)]
pub fn play<C: Contender<Name, Bytes>>(contender: &C, calls: &mut [Call]) -> (usize, usize) {
    let (mut reads, mut hits) = (0, 0);
    for call in calls {
        match call.body.take() {
            None => {
                reads += 1;
                hits += usize::from(contender.see(&call.name, |body| black_box(body[0])).is_some());
            }
            Some(body) => contender.insert(std::mem::take(&mut call.name), body),
        }
    }
    (reads, hits)
}

/// Runs the inserts among the calls and times each: nanoseconds, with those that it takes to look at the clock.
#[inline(never)]
pub fn run_each<C: Contender<Name, Bytes>>(contender: &C, calls: &mut [Call]) -> Vec<f64> {
    let mut took = Vec::with_capacity(calls.len());
    for call in calls {
        if let Some(body) = call.body.take() {
            let name = std::mem::take(&mut call.name);
            let start = Instant::now();
            contender.insert(name, body);
            took.push(start.elapsed().as_nanos() as f64);
        }
    }
    took
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_16_to_24_bytes_and_differ() {
        let mut names: Vec<Name> = (0..5000).chain(90_000_000..90_005_000).map(name).collect();
        assert!(names.iter().all(|name| (16..=24).contains(&name.len())));
        assert!(names.iter().all(|name| name.len() == name.capacity()));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 10_000);
    }
}
