//! What the process takes while hostile traffic fills a cache with a bound in bytes.

use std::alloc::System;
use std::process::ExitCode;

use benches::machine::machine;
use benches::rss::options::Options;
use benches::rss::run::run;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let measured = Options::read(std::env::args().skip(1)).and_then(|options| {
        let seen = run(&options, &allocated)?;
        if options.json {
            println!("{}\n{}", machine(), seen.json());
        } else {
            println!("{}", seen.table());
        }
        // What others hold is theirs.
        Ok(options.subject != "cache-memory" || seen.is_within_bound())
    });
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("the cache holds more than its bound, by its own weigher");
            ExitCode::FAILURE
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Bytes that are held at the moment. The two numbers are not read at one moment, so the first is taken first.
fn allocated() -> usize {
    let given_back = ALLOCATOR.stats().bytes_deallocated;
    ALLOCATOR.stats().bytes_allocated.saturating_sub(given_back)
}
