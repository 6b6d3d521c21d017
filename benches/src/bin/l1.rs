//! What a call of tier 1 costs, beside other crates, in interleaved rounds.

use std::process::ExitCode;

use benches::l1::case::CASES;
use benches::l1::measure::measure;
use benches::l1::options::Options;
use benches::l1::tail;
use benches::machine::{load, machine};

const SEED: u64 = 42;

fn main() -> ExitCode {
    match Options::read(std::env::args().skip(1)) {
        Ok(options) => run(&options),
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) {
    if options.json {
        println!("{}", machine());
    }
    if load() > 1.0 {
        eprintln!("note: the machine is busy ({} runnable threads), so the numbers are rough", load());
    }
    for case in options.cases() {
        for threads in [1, 2] {
            let results = measure(case, threads, options.rounds, SEED);
            if options.json {
                for line in results.json() {
                    println!("{line}");
                }
            } else {
                println!("{}", results.table());
            }
        }
    }
    if options.wants(tail::NAME)
        && let Some(case) = CASES.iter().find(|case| case.name == "insert")
    {
        let tails = tail::measure(case, options.rounds, SEED);
        if options.json {
            for tail in &tails {
                println!("{}", tail.json(case));
            }
        } else {
            println!("{}", tail::table(case, &tails));
        }
    }
}
