//! `config check`: all that is wrong with a configuration file.

use std::path::Path;

use cache_factory::{CacheConfig, Environment};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};

#[derive(Serialize)]
struct Checked {
    file: String,
    problems: Vec<String>,
    /// What is right here and may not be where the file is used.
    warnings: Vec<String>,
}

impl Report for Checked {
    fn show(&self, page: &mut Page) {
        if self.problems.is_empty() {
            page.judged(Level::Ok, &format!("{}: nothing is wrong", self.file));
        }
        for problem in &self.problems {
            page.judged(Level::Fail, problem);
        }
        for warning in &self.warnings {
            page.judged(Level::Warn, warning);
        }
    }
}

pub(super) fn check(file: &Path, out: Out) -> Result<Exit, Failure> {
    let problems = CacheConfig::problems_of_file(file);
    let exit = if problems.is_empty() { Exit::Fine } else { Exit::Failed };
    let warnings = CacheConfig::from_file(file).map_or_else(|_| Vec::new(), |config| warnings(&config));
    out.report(&Checked { file: file.display().to_string(), problems, warnings })?;
    Ok(exit)
}

/// What depends on the program that uses the file, and on the machine that it runs on.
fn warnings(config: &CacheConfig) -> Vec<String> {
    let mut warnings = Vec::new();
    // Environments with another level than the preset's that needs it are those of production.
    let by_environment = config.environment.is_some_and(Environment::is_production);
    if config.compression_level.map_or(by_environment, |level| level > 3) {
        warnings.push("compression above level 3 needs a program with the feature `zstd`".to_owned());
    }
    if config.ai.is_some() || config.environment == Some(Environment::AiProduction) {
        warnings.push("it is for AI caches: `ai_from_config` takes it, `from_config` does not".to_owned());
    }
    let redis = config.redis.clone().unwrap_or_default();
    for (name, file) in [
        ("password_file", redis.password_file),
        ("ca_file", redis.ca_file),
        ("cert_file", redis.cert_file),
        ("key_file", redis.key_file),
    ] {
        if let Some(file) = file.filter(|file| !file.exists()) {
            warnings.push(format!("{name} {}: there is no such file on this machine", file.display()));
        }
    }
    warnings
}

pub(super) fn schema(out: Out) -> Result<Exit, Failure> {
    let schema = CacheConfig::json_schema();
    out.print(&if out.is_json() { format!("{schema}\n") } else { format!("{schema:#}\n") })?;
    Ok(Exit::Fine)
}
