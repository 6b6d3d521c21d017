//! What an entry of tier 1 takes beside its key and value, beside other crates. In a program of its own, because
//! counting slows every allocation down.

use std::alloc::System;
use std::process::ExitCode;

use benches::l1::memory::{NAME, measure, table};
use benches::l1::options::Options;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::FAILURE;
        }
    };
    if options.wants(NAME) {
        let lines = measure(&allocated);
        if options.json {
            for line in &lines {
                println!("{line}");
            }
        } else {
            println!("{}", table(&lines));
        }
    }
    ExitCode::SUCCESS
}

/// Bytes that are held at the moment. What `realloc` adds is among those allocated, what it takes away among those given
/// back.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}
