//! Where it was measured: numbers mean little without it.

use std::fs::read_to_string;
use std::process::Command;
use std::thread::available_parallelism;

use serde_json::{Value, json};

/// The machine as one object for the report.
pub fn machine() -> Value {
    json!({
        "bench": "machine",
        "processor": processor(),
        "cores": available_parallelism().map_or(0, usize::from),
        "system": system(),
        "rustc": rustc(),
        "load": load(),
    })
}

/// Runnable threads, the mean of a minute: above one the numbers are rough. 0 where it cannot be had.
pub fn load() -> f64 {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// The compiler that is on the path, which is the one that built this.
pub fn rustc() -> String {
    first_line("rustc", &["--version"])
}

fn processor() -> String {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.into(), |(_, name)| name.into())
}

fn system() -> String {
    first_line("uname", &["-sr"])
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| output.stdout);
    let text = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}
