//! `cachectl`: looks at the store of a two-tier cache, checks it, and changes it with care.
//!
//! `args` is the command line, `commands` has a file for each command, `target` is the store that they are about.
//! Commands return a report, which `out` prints as a table or as JSON.

mod args;
mod commands;
mod draft;
mod entry;
mod exit;
mod group;
mod info;
mod json;
mod line;
mod out;
mod quantile;
mod screen;
mod shown;
mod target;
mod walk;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::out::Out;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::usage(error).into(),
    };
    let out = Out::new(args.global.json, args.global.no_color);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return out.failure(&Failure::failed(format!("no runtime: {error}"))).into(),
    };
    let exit = match runtime.block_on(commands::run(&args, &out)) {
        Ok(exit) => exit,
        Err(failure) => out.failure(&failure),
    };
    // Whoever still waits for the terminal is not waited for.
    runtime.shutdown_background();
    Exit::into(exit)
}
