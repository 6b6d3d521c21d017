//! How many reads find something in tier 1, beside other crates, exact LRU and the best possible.

use std::process::ExitCode;

use benches::hit_ratio::options::Options;
use benches::hit_ratio::replay::everybody;
use benches::hit_ratio::summary::{Pair, summary};
use benches::hit_ratio::trace::Trace;
use benches::hit_ratio::{belady, generate, lru, table};
use benches::machine::machine;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let traces = if options.traces.is_empty() {
        generate::all(generate::REQUESTS)
    } else {
        options.traces.iter().map(|path| Trace::read(path)).collect::<Result<_, _>>()?
    };
    if options.json {
        println!("{}", machine());
    } else {
        println!("{}", table::heading());
    }
    let mut pairs = Vec::new();
    for trace in &traces {
        for pair in measure(trace, options) {
            if options.json {
                for line in pair.json() {
                    println!("{line}");
                }
            } else {
                println!("{}", table::line(&pair));
            }
            pairs.push(pair);
        }
    }
    if options.json {
        for line in summary(&pairs) {
            println!("{line}");
        }
    } else {
        println!("\n{}", table::summary(&summary(&pairs)));
    }
    Ok(())
}

fn measure<'a>(trace: &'a Trace, options: &Options) -> impl Iterator<Item = Pair> + 'a {
    let numbered = trace.numbered();
    options.capacities(numbered.distinct, trace.is_loop).into_iter().map(move |capacity| {
        let caches = everybody(trace, capacity);
        // Those of several shards round up.
        for cache in caches.iter().filter(|cache| cache.entries > capacity + capacity / 50 + 10) {
            eprintln!("note: {} holds {} entries of {capacity}", cache.name, cache.entries);
        }
        let ratio = |hits: usize| hits as f64 / trace.keys.len() as f64;
        Pair {
            trace: trace.name.clone(),
            capacity,
            is_loop: trace.is_loop,
            lru: ratio(lru::hits(&numbered, capacity)),
            belady: ratio(belady::hits(&numbered, capacity)),
            crates: caches.iter().map(|cache| (cache.name, cache.hit_ratio)).collect(),
        }
    })
}
