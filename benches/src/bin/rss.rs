//! What the process takes while hostile traffic fills a cache with a bound in bytes.

use std::process::ExitCode;

use benches::machine::machine;
use benches::rss::options::Options;
use benches::rss::run::run;

fn main() -> ExitCode {
    let measured = Options::read(std::env::args().skip(1)).and_then(|options| {
        let seen = run(&options)?;
        if options.json {
            println!("{}\n{}", machine(), seen.json());
        } else {
            println!("{}", seen.table());
        }
        Ok(seen.is_within_bound())
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
