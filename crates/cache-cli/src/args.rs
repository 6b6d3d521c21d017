//! The command line.

use std::path::PathBuf;

use cache_factory::RedisUrl;
use clap::{Parser, Subcommand, ValueEnum};
use serde::Serialize;

/// Looks at the store of a two-tier cache, checks it, and changes it with care.
#[derive(Parser)]
#[command(name = "cachectl", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  all is well
  1  a check failed, something was not found or could not be done
  2  the command line, the configuration or the credentials are wrong
  3  the store cannot be reached

The cache is the one that a service with the same environment has: CACHE_CONFIG, CACHE_REDIS_URL,
CACHE_REDIS_PASSWORD, CACHE_NAMESPACE and so on. The options --config, --url and --namespace win over it.";

/// What every command takes.
#[derive(clap::Args)]
pub(crate) struct Global {
    /// Where Redis is. Others can see a password that stands here: `CACHE_REDIS_PASSWORD` hides it.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<RedisUrl>,
    /// The configuration file of the cache, TOML or JSON.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The namespace of the cache [default: app].
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Print JSON, one line for each report.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no colours, on a terminal either.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check a deployment: connection, operations, speed, server, rights.
    Doctor(DoctorArgs),
    /// List keys by a glob pattern.
    Keys(KeysArgs),
    /// Show a value and what is known of it.
    Get(KeyArgs),
    /// Show how long a value lives.
    Ttl(KeyArgs),
    /// Show what the key of an AI request is made of.
    Explain(ExplainArgs),
    /// Void entries: by key, tag, operation or pattern. Shows what it would do, and does it with --apply.
    Invalidate(InvalidateArgs),
    /// Find out why a cache does not work, misses too often, or takes too much memory.
    Diagnose(DiagnoseArgs),
    /// Show what the cache and the server tell of themselves.
    Stats(StatsArgs),
    /// Measure values, and say which compression and which TTLs would fit.
    Advise(AdviseArgs),
    /// Show which answers of language models are stored, and what a hit of each spares.
    Ai,
    /// Store what a file has, where nothing is stored yet.
    Warm(WarmArgs),
    /// Write values to a file.
    Export(ExportArgs),
    /// Store what `export` wrote, over what is there.
    Import(ImportArgs),
    /// Show what changes, again and again.
    Watch(WatchArgs),
    /// Look at configurations.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(clap::Args)]
pub(crate) struct DoctorArgs {
    /// Round trips to measure.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(crate) round_trips: u32,
}

#[derive(clap::Args)]
pub(crate) struct KeysArgs {
    /// A glob pattern, without the namespace: `user:*`.
    #[arg(default_value = "*")]
    pub(crate) pattern: String,
    /// Most keys to list.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) limit: u64,
    /// Show state, time and size of each.
    #[arg(long)]
    pub(crate) long: bool,
}

#[derive(clap::Args)]
pub(crate) struct KeyArgs {
    /// The key, without the namespace.
    pub(crate) key: String,
}

#[derive(clap::Args)]
pub(crate) struct ExplainArgs {
    /// The text of the request; `-` reads it from the standard input.
    pub(crate) text: String,
    /// The operation.
    #[arg(long)]
    pub(crate) operation: String,
    /// The tenant; everybody if it is left out.
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// The options of the request, a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) options: String,
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Find all that is wrong with a configuration file.
    Check {
        /// The file, TOML or JSON.
        file: PathBuf,
    },
    /// Print the JSON Schema of a configuration file, for editors.
    Schema,
}

/// What entries are chosen by.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Target {
    /// The one entry of this key.
    Key,
    /// All with this tag.
    Tag,
    /// All AI answers of this operation.
    Operation,
    /// All whose keys match this glob pattern.
    Pattern,
}

#[derive(clap::Args)]
pub(crate) struct InvalidateArgs {
    /// What they are chosen by.
    pub(crate) by: Target,
    /// The key, tag, operation or pattern, without the namespace.
    pub(crate) value: String,
    /// Do it, after asking on a terminal.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Do not ask. Without a terminal, and for a production cache, there is no other way.
    #[arg(long, requires = "apply")]
    pub(crate) yes: bool,
    /// Most keys to look at.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) limit: u64,
}

#[derive(clap::Args)]
pub(crate) struct StatsArgs {
    /// Most keys to count.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) limit: u64,
}

#[derive(clap::Args)]
pub(crate) struct WatchArgs {
    /// From one tick to the next, in milliseconds.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    pub(crate) interval_ms: u64,
    /// End after so many ticks.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

#[derive(clap::Args)]
pub(crate) struct WarmArgs {
    /// JSON Lines: `{"key": "user:1", "value": …, "ttl_ms": 60000, "tags": ["team:7"]}`.
    pub(crate) file: PathBuf,
    /// Store also what is there already.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Overwrite in a production cache, too.
    #[arg(long, requires = "overwrite")]
    pub(crate) yes: bool,
}

#[derive(clap::Args)]
pub(crate) struct ExportArgs {
    /// The file to write.
    pub(crate) file: PathBuf,
    /// Only keys that match this glob pattern.
    #[arg(long, default_value = "*", conflicts_with = "ai")]
    pub(crate) pattern: String,
    /// Answers of language models instead, with checksums.
    #[arg(long)]
    pub(crate) ai: bool,
    /// Write over a file that is there.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(clap::Args)]
pub(crate) struct ImportArgs {
    /// The file, plain or of AI answers.
    pub(crate) file: PathBuf,
    /// How long everything is fresh from now, in milliseconds, instead of as long as it was to be.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=31_536_000_000))]
    pub(crate) fresh_for_ms: Option<u64>,
    /// Do it to a production cache, too.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What may be wrong with a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trouble {
    /// It does not answer, or answers with nothing.
    NotWorking,
    /// It misses too often.
    LowHitRate,
    /// It takes too much memory.
    HighMemory,
}

#[derive(clap::Args)]
pub(crate) struct DiagnoseArgs {
    /// What is wrong; all three are looked at if it is left out.
    pub(crate) trouble: Option<Trouble>,
    /// Most entries to look at.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) limit: u64,
}

#[derive(clap::Args)]
pub(crate) struct AdviseArgs {
    /// Only keys that match this glob pattern, without the namespace.
    #[arg(default_value = "*")]
    pub(crate) pattern: String,
    /// Most values to measure.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) limit: u64,
}
