//! Answers as a file: to warm a cache up, and to record once and replay without a network.

use std::io::{BufRead, Write};
use std::time::Duration;

use cache_core::{Error, ErrorKind, SetOptions, check_key};
use serde::{Deserialize, Serialize};

use crate::cache::AiCache;
use crate::inventory::AnyEntry;

/// The version of the form.
const VERSION: u32 = 1;
/// The longest line that is read, in bytes.
const LONGEST_LINE: u64 = 128 << 20;

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
}

/// A line for an answer.
#[derive(Serialize, Deserialize)]
struct Line {
    /// The BLAKE3 digest of the record's text, 64 digits.
    check: String,
    record: Box<serde_json::value::RawValue>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    /// How much longer it was fresh when it was written.
    fresh_ms: u64,
    entry: AnyEntry,
}

/// The last line.
#[derive(Serialize, Deserialize)]
struct End {
    end: u64,
    /// The digest of all checks, one after the other.
    check: String,
}

/// What was written or read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// How many answers.
    pub answers: u64,
    /// How many stored answers were not written, because they are no JSON: of a type with a map whose keys are no texts.
    pub left_out: u64,
}

impl AiCache {
    /// Writes every stored answer as JSON Lines: a header, a line for each with its checksum, an end. What is no JSON is left out
    /// and counted.
    ///
    /// What stands readable in names is written too. All answers are held in memory meanwhile, and writing blocks the task's thread:
    /// give it a file or a buffer. A future that is dropped, or
    /// an error, leaves a file without its end, which [`import`](Self::import) refuses.
    ///
    /// ```
    /// # use cache_ai::{AiCache, Error};
    /// # async fn example(cache: &AiCache, another: &AiCache) -> Result<(), Error> {
    /// let mut recorded = Vec::new();
    /// let written = cache.export(&mut recorded).await?;
    /// let read = another.import(&recorded[..], None).await?;
    /// assert_eq!(read, written);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`cache_tiered::Cache::keys`]; [`ErrorKind::Unavailable`] with the writer's as the source.
    pub async fn export(&self, mut out: impl Write + Send) -> Result<Transferred, Error> {
        let mut records = Vec::new();
        let visit = |name: &str, entry: &AnyEntry, left| records.push((name.to_owned(), entry.clone(), left));
        let mut done = Transferred { left_out: self.each_stored(visit).await?, ..Transferred::default() };
        let mut all = blake3::Hasher::new();
        line(&mut out, &Header { format: "cache-ai".into(), version: VERSION })?;
        for (name, entry, left) in records {
            let fresh_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            let record =
                serde_json::value::to_raw_value(&Record { name, fresh_ms, entry }).map_err(not_json)?;
            let check = check_of(record.get());
            all.update(check.as_bytes());
            line(&mut out, &Line { check, record })?;
            done.answers += 1;
        }
        line(&mut out, &End { end: done.answers, check: all.finalize().to_hex().to_string() })?;
        out.flush().map_err(cannot_write)?;
        Ok(done)
    }

    /// Stores what [`export`](Self::export) wrote. Answers are fresh for as long as they were to be, or for `fresh_for`:
    /// 1 ms to 365 days. Their age counts from now.
    ///
    /// Everything is read and checked before anything is stored, and held in memory meanwhile; reading blocks the task's thread. A
    /// line may be 128 MiB long. An error of the store, or a future that is dropped, leaves the answers that are stored already.
    /// Whoever can change the file and its checksums can change answers: take in only what you trust.
    ///
    /// # Errors
    /// [`ErrorKind::Validation`] for what is damaged, cut, or of another version, with the number of the line; else as
    /// [`cache_tiered::Cache::set`].
    pub async fn import(
        &self,
        input: impl BufRead + Send,
        fresh_for: Option<Duration>,
    ) -> Result<Transferred, Error> {
        let records = read(input, fresh_for)?;
        let mut done = Transferred::default();
        for record in records {
            let options = record.options(fresh_for);
            self.shared.cache.set(&record.name, &record.entry, options).await?;
            done.answers += 1;
        }
        Ok(done)
    }
}

impl Record {
    fn options(&self, fresh_for: Option<Duration>) -> SetOptions {
        let ttl = fresh_for.unwrap_or(Duration::from_millis(self.fresh_ms.max(1)));
        let mut options = SetOptions::ttl(ttl);
        options.tags.clone_from(&self.entry.tags);
        options
    }
}

fn read(mut input: impl BufRead, fresh_for: Option<Duration>) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    let mut all = blake3::Hasher::new();
    let mut number = 0;
    let mut next = || -> Result<Option<(usize, String)>, Error> {
        let mut text = String::new();
        number += 1;
        let read = std::io::Read::take(&mut input, LONGEST_LINE)
            .read_line(&mut text)
            .map_err(|error| damaged(number, &error.kind().to_string()))?;
        Ok((read > 0).then_some((number, text)))
    };
    let Some((number, header)) = next()? else { return Err(damaged(1, "there is no header")) };
    match serde_json::from_str::<Header>(&header) {
        Ok(header) if header.format == "cache-ai" && header.version == VERSION => {}
        Ok(header) if header.format == "cache-ai" => {
            let problem = format!("version {} was written, {VERSION} can be read", header.version);
            return Err(damaged(number, &problem));
        }
        _ => return Err(damaged(number, "there is no header")),
    }
    loop {
        let Some((number, text)) = next()? else {
            return Err(damaged(records.len() + 2, "the end is missing"));
        };
        if let Ok(end) = serde_json::from_str::<End>(&text) {
            if end.end != records.len() as u64 || end.check != all.finalize().to_hex().as_str() {
                return Err(damaged(number, "lines are missing or were changed"));
            }
            break;
        }
        let line: Line = serde_json::from_str(&text).map_err(|_| damaged(number, "it is no record"))?;
        if check_of(line.record.get()) != line.check {
            return Err(damaged(number, "its checksum is not right"));
        }
        all.update(line.check.as_bytes());
        let record: Record =
            serde_json::from_str(line.record.get()).map_err(|_| damaged(number, "it is no record"))?;
        if !record.name.starts_with("ai:") || check_key(&record.name).is_err() {
            return Err(damaged(number, "it is not the name of an answer"));
        }
        if record.entry.is_abandoned() || record.entry.refused.is_some() {
            return Err(damaged(number, "it is an answer that is not to be kept"));
        }
        record.options(fresh_for).validate().map_err(|error| damaged(number, error.message()))?;
        records.push(record);
    }
    // Two files in one would be half a file.
    while let Some((number, text)) = next()? {
        if !text.trim().is_empty() {
            return Err(damaged(number, "there is something after the end"));
        }
    }
    Ok(records)
}

fn check_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn line(out: &mut impl Write, line: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_string(line).map_err(not_json)?;
    text.push('\n');
    out.write_all(text.as_bytes()).map_err(cannot_write)
}

fn cannot_write(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the export cannot be written: {error}")).because(error)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Codec, format!("an answer cannot be written as JSON: {error}")).because(error)
}

fn damaged(line: usize, problem: &str) -> Error {
    Error::new(ErrorKind::Validation, format!("line {line} of the import: {problem}"))
}
