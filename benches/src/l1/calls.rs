//! Calls, made ready before the clock starts.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use super::case::Step;
use crate::contender::{Contender, Name};

/// A value: 256 bytes behind an `Arc`, as tier 1 hands out its values. A clone is one addition for everybody, so that
/// copying does not hide what the caches do.
pub type Bytes = Arc<[u8; 256]>;

/// The key with this number: 16 to 24 bytes.
pub fn name(number: u64) -> Name {
    let width = 8 + (number % 9) as usize;
    format!("session:{number:0width$}")
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
    /// Time of all of them, in nanoseconds.
    pub ns: f64,
    /// Reads that found something.
    pub hits: usize,
    /// Reads.
    pub reads: usize,
}

/// Runs the calls one after the other and times them together. What an insert pushes out is dropped in its time.
#[inline(never)]
pub fn run<C: Contender<Name, Bytes>>(contender: &C, mut calls: Vec<Call>) -> Tally {
    let (mut hits, mut reads) = (0, 0);
    let start = Instant::now();
    for call in &mut calls {
        match call.body.take() {
            None => {
                reads += 1;
                hits += usize::from(contender.see(&call.name, |body| black_box(body[0])).is_some());
            }
            Some(body) => contender.insert(std::mem::take(&mut call.name), body),
        }
    }
    let ns = start.elapsed().as_nanos() as f64;
    Tally { ns, hits, reads }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_16_to_24_bytes_and_differ() {
        let mut names: Vec<Name> = (0..5000).chain(90_000_000..90_005_000).map(name).collect();
        assert!(names.iter().all(|name| (16..=24).contains(&name.len())));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 10_000);
    }
}
