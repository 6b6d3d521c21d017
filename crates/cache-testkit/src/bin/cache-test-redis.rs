//! A server as the tests have it, for a person or a script: prints its address, version and way, and ends it when the
//! input ends or the program is killed.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use cache_testkit::redis::{Options, RedisServer};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match RedisServer::launch(&Options::new().arguments(arguments)) {
        Ok(server) => {
            println!("{} {} by {}", server.url(), server.version(), server.way());
            drop(io::stdout().flush());
            drop(io::stdin().read_to_end(&mut Vec::new()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
