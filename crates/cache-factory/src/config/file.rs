//! Configuration files.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use cache_core::Problems;

use super::CacheConfig;
use super::read::read;
use super::tree::Tree;
use crate::ranges;

/// The longest file, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads a file. Problems start with its name.
pub(super) fn read_file(path: &Path, problems: &mut Problems) -> CacheConfig {
    let parse = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => parse_toml,
        Some("json") => parse_json,
        _ => {
            problems.add(format!("{}: the name of the file must end in .toml or .json", path.display()));
            return CacheConfig::default();
        }
    };
    let mut found = Problems::default();
    let config = checked(text_of(path, LONGEST).and_then(|text| parse(&text)), &mut found);
    problems.add_all(found, &path.display().to_string());
    config
}

/// Reads what was parsed, and looks whether each value is in its range.
pub(super) fn checked(tree: Result<Tree, String>, problems: &mut Problems) -> CacheConfig {
    match tree {
        Ok(tree) => {
            let config = read(tree, problems);
            ranges::check(&config, problems);
            ranges::contradictions(&config, problems);
            config
        }
        Err(problem) => {
            problems.add(problem);
            CacheConfig::default()
        }
    }
}

/// The text of a file of at most `longest` bytes. Of a pipe or a device the reading might never end.
pub(crate) fn text_of(path: &Path, longest: u64) -> Result<String, String> {
    let cannot = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        kind => format!("the file cannot be read: {kind}"),
    };
    if !fs::metadata(path).map_err(cannot)?.is_file() {
        return Err("it is a folder, a pipe or a device, not a file".to_owned());
    }
    let file = File::open(path).map_err(cannot)?;
    let mut text = String::new();
    file.take(longest + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > longest {
        return Err(format!("the file is longer than {longest} bytes"));
    }
    Ok(text)
}

// The parsers' own errors go no further than their messages: they quote the text, and there may be a password in it.

pub(super) fn parse_toml(text: &str) -> Result<Tree, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        format!("line {line} is not TOML: {}", error.message().replace('\n', ", "))
    })
}

pub(super) fn parse_json(text: &str) -> Result<Tree, String> {
    serde_json::from_str(text).map_err(|error| format!("line {} is not JSON", error.line()))
}
