//! What a call of tier 1 costs, beside other crates, in interleaved rounds.

use std::process::ExitCode;

use benches::l1::measure::measure;
use benches::l1::options::Options;

const SEED: u64 = 42;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::FAILURE;
        }
    };
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
    ExitCode::SUCCESS
}
