//! The commands, a file each.

mod advise;
mod ai;
mod config;
mod diagnose;
mod doctor;
mod explain;
mod get;
mod invalidate;
mod keys;
mod stats;
mod transfer;
mod ttl;
mod watch;

use crate::args::{Args, Command, ConfigCommand};
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::target::Target;

/// Runs the command that was given.
pub(crate) async fn run(args: &Args, out: &Out) -> Result<Exit, Failure> {
    let (global, out) = (&args.global, *out);
    match &args.command {
        Command::Doctor(args) => doctor::run(global, args, out).await,
        Command::Keys(args) => keys::run(&Target::open(global).await?, args, out).await,
        Command::Get(args) => get::run(&Target::open(global).await?, args, out).await,
        Command::Ttl(args) => ttl::run(&Target::open(global).await?, args, out).await,
        Command::Explain(args) => explain::run(global, args, out).await,
        Command::Invalidate(args) => invalidate::run(&Target::open(global).await?, args, out).await,
        Command::Stats(args) => stats::run(global, args, out).await,
        Command::Warm(args) => transfer::warm(global, args, out).await,
        Command::Export(args) => transfer::export(global, args, out).await,
        Command::Import(args) => transfer::import(global, args, out).await,
        Command::Ai => ai::run(global, out).await,
        Command::Diagnose(args) => diagnose::run(&Target::open(global).await?, args, out).await,
        Command::Advise(args) => advise::run(&Target::open(global).await?, args, out).await,
        Command::Watch(args) => watch::run(&Target::open(global).await?, args, out).await,
        Command::Config(ConfigCommand::Check { file }) => config::check(file, out),
        Command::Config(ConfigCommand::Schema) => config::schema(out),
    }
}
