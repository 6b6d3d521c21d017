//! `warm`, `export`, `import`: values as JSON Lines.
//!
//! A plain line is `{"key": …, "value": …, "ttl_ms": …, "tags": […]}`, the last two as one likes. Answers of language
//! models have a form of their own with checksums, which `cache-ai` writes and reads.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use cache_core::{Error, ErrorKind};
use cache_factory::{Cache, CacheConfig, CacheFactory, OnStoreError, SetOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{ExportArgs, Global, ImportArgs, WarmArgs};
use crate::draft::Draft;
use crate::entry::State;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::{self, Target};
use crate::walk::Keys;

/// The longest line that is read, in bytes.
const LONGEST: u64 = 128 << 20;
/// Bad lines that are named.
const NAMED: usize = 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Serialize)]
struct Transferred {
    what: &'static str,
    count: u64,
    /// Those that were left out, and why.
    skipped: u64,
    why: &'static str,
}

impl Report for Transferred {
    fn show(&self, page: &mut Page) {
        page.judged(Level::Ok, &format!("{} {}", self.count, self.what));
        if self.skipped > 0 {
            page.judged(Level::Warn, &format!("{} left out: {}", self.skipped, self.why));
        }
    }
}

pub(super) async fn warm(global: &Global, args: &WarmArgs, out: Out) -> Result<Exit, Failure> {
    let lines = read(reader(&args.file)?)?;
    let all = lines.len() as u64;
    let (cache, bar) = (cache(global).await?, out.progress(all, "stored"));
    let (mut count, mut skipped) = (0, 0);
    for line in lines {
        let is_there = !args.overwrite && cache.exists(&line.key).await.map_err(broke_off(count, all))?;
        if is_there {
            skipped += 1;
        } else {
            store(&cache, line).await.map_err(broke_off(count, all))?;
            count += 1;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    out.report(&Transferred {
        what: "stored",
        count,
        skipped,
        why: "there already (--overwrite stores them)",
    })?;
    Ok(Exit::Fine)
}

pub(super) async fn import(global: &Global, args: &ImportArgs, out: Out) -> Result<Exit, Failure> {
    let mut input = reader(&args.file)?;
    let fresh_for = args.fresh_for_ms.map(Duration::from_millis);
    let is_ai = input.fill_buf().is_ok_and(|start| start.starts_with(br#"{"format":"cache-ai""#));
    let count = if is_ai {
        let ai = CacheFactory::new().ai_from_config(strict(target::store_config(global)?)).await?;
        let imported = ai.import(input, fresh_for).await.map_err(|error| {
            // What is wrong with the file is found before anything is stored.
            let is_partial = error.kind() != ErrorKind::Validation;
            let failure = Failure::from(error);
            let more =
                if is_partial { "; some answers may be stored already: import them again" } else { "" };
            Failure { message: failure.message.clone() + more, ..failure }
        });
        imported?.answers
    } else {
        let lines = read(input)?;
        let all = lines.len() as u64;
        let (cache, bar) = (cache(global).await?, out.progress(all, "stored"));
        for (line, done) in lines.into_iter().zip(0..) {
            let line = Line { ttl_ms: args.fresh_for_ms.or(line.ttl_ms), ..line };
            store(&cache, line).await.map_err(broke_off(done, all))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        all
    };
    out.report(&Transferred { what: "imported", count, skipped: 0, why: "" })?;
    Ok(Exit::Fine)
}

pub(super) async fn export(global: &Global, args: &ExportArgs, out: Out) -> Result<Exit, Failure> {
    let cannot = |error: std::io::Error| Failure::failed(of_file(&args.file, &error));
    // Connected first: a file that nothing comes into is not begun.
    let target = Target::open(global).await?;
    let mut draft = Draft::new(&args.file, args.overwrite).map_err(cannot)?;
    if args.ai {
        let ai = CacheFactory::new().ai_from_config(strict(target::store_config(global)?)).await?;
        let exported = ai.export(&mut draft).await.map_err(|error| {
            // The file's failure is not the store's.
            match error.downcast_ref::<std::io::Error>() {
                Some(failed) => cannot(failed.kind().into()),
                None => error.into(),
            }
        });
        let count = exported?.answers;
        draft.finish().map_err(cannot)?;
        out.report(&Transferred { what: "answers exported", count, skipped: 0, why: "" })?;
        return Ok(Exit::Fine);
    }
    let bar = out.progress(0, "exported");
    let keys = Keys::matching(&target, &args.pattern, u64::MAX, &bar).await?;
    let (mut count, mut skipped, mut written) = (0, keys.foreign.len() as u64, Ok(()));
    keys.each(&target, &bar, |key, entry| {
        let about = entry.about.as_ref().filter(|_| entry.state == State::Fresh);
        let value = entry.value(key).and_then(|encoded| json::whole(&encoded));
        let (Some(about), Ok(value)) = (about, value) else {
            skipped += 1;
            return;
        };
        let line = Line {
            key: entry.key.clone(),
            value,
            ttl_ms: Some(about.fresh_for_ms.max(1)),
            tags: about.tags.clone(),
        };
        let line = serde_json::to_string(&line).map_err(std::io::Error::from);
        if written.is_ok() {
            written = line.and_then(|line| writeln!(draft, "{}", shown::json(&line)));
        }
        count += 1;
    })
    .await?;
    bar.finish_and_clear();
    written.and_then(|()| draft.finish()).map_err(cannot)?;
    let why = "not fresh, or of a type that JSON does not have";
    out.report(&Transferred { what: "exported", count, skipped, why })?;
    Ok(Exit::Fine)
}

/// A cache that says so when the store did not take something.
async fn cache(global: &Global) -> Result<Cache, Failure> {
    let config = strict(target::plain_config(global)?);
    Ok(CacheFactory::new().from_config(config).await?)
}

pub(super) fn strict(mut config: CacheConfig) -> CacheConfig {
    config.on_store_error = Some(OnStoreError::Fail);
    config.redis.get_or_insert_default().fail_on_connection_error = Some(true);
    config
}

async fn store(cache: &Cache, line: Line) -> Result<(), Error> {
    cache.set(&line.key, &line.value, line.options()).await
}

/// The failure of a store that had taken some of the lines.
fn broke_off(done: u64, of: u64) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::from(error).after(done, of, "stored")
}

impl Line {
    fn options(&self) -> SetOptions {
        let mut options = SetOptions::default();
        options.fresh_for = self.ttl_ms.map(Duration::from_millis);
        options.tags.clone_from(&self.tags);
        options
    }
}

fn reader(file: &Path) -> Result<BufReader<File>, Failure> {
    let opened = File::open(file).map_err(|error| Failure::bad_use(of_file(file, &error)))?;
    Ok(BufReader::new(opened))
}

/// What is wrong with a file, in words that say what to do.
fn of_file(file: &Path, error: &std::io::Error) -> String {
    let name = file.display();
    match error.kind() {
        std::io::ErrorKind::NotFound => format!("no such file: {name}"),
        std::io::ErrorKind::AlreadyExists => format!("{name} is there already: --overwrite writes over it"),
        kind => format!("{name}: {kind}"),
    }
}

/// All lines, before anything is stored: half a file is worse than none. If some are wrong, all are looked at.
fn read(mut input: impl BufRead) -> Result<Vec<Line>, Failure> {
    let (mut lines, mut number, mut text) = (Vec::new(), 0, String::new());
    let (mut named, mut more) = (Vec::new(), 0_u64);
    loop {
        number += 1;
        text.clear();
        let (is_last, found) = match Read::take(&mut input, LONGEST).read_line(&mut text) {
            Ok(0) => break,
            Ok(_) if text.trim().is_empty() => continue,
            Ok(_) => (false, line(&text)),
            Err(error) => (true, Err(error.kind().to_string())),
        };
        match found {
            Ok(line) => lines.push(line),
            Err(problem) if named.len() < NAMED => named.push(format!("line {number}: {problem}")),
            Err(_) => more += 1,
        }
        if is_last {
            break;
        }
    }
    if named.is_empty() {
        return Ok(lines);
    }
    if more > 0 {
        named.push(format!("{more} more are wrong"));
    }
    Err(Failure::bad_use(format!("{}; nothing was stored", named.join("; "))))
}

/// A line, or what is wrong with it.
fn line(text: &str) -> Result<Line, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| {
        // Its own words may repeat a value.
        format!("it is not like {{\"key\": …, \"value\": …}}, see column {}", error.column())
    })?;
    if !json::has_exact_integers(text) {
        return Err("an integer beyond 64 bits would be stored as another: write it as a text".into());
    }
    cache_core::check_key(&line.key).map_err(|error| error.message().to_owned())?;
    line.options().validate().map_err(|error| error.message().to_owned())?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bad_lines_are_named_at_once_and_no_more_than_can_be_read() {
        let failure =
            read(&b"canary\n{\"key\":\"a\",\"value\":1}\n{\"key\":\"\",\"value\":1}\n"[..]).err().unwrap();
        for words in ["line 1: it is not like", "; line 3: the key is empty", "; nothing was stored"] {
            assert!(failure.message.contains(words), "{failure:?}");
        }
        let failure = read("canary\n".repeat(50).as_bytes()).err().unwrap();
        assert_eq!(failure.message.matches("line ").count(), 20, "{failure:?}");
        assert!(failure.message.ends_with("; 30 more are wrong; nothing was stored"), "{failure:?}");
        // What is no text at all ends it.
        let failure = read(&b"canary\n\xff\ncanary"[..]).err().unwrap();
        assert_eq!(failure.message.matches("line ").count(), 2, "{failure:?}");
    }

    #[test]
    fn an_integer_that_would_be_stored_as_another_is_refused() {
        let read = |value: &str| read(format!("{{\"key\":\"a\",\"value\":{value}}}").as_bytes());
        for bad in [
            "123456789012345678901234567890",
            "18446744073709551616",
            "-9223372036854775809",
            "{\"a\":[1,{\"b\":99999999999999999999}]}",
            "[\"\\\"\",99999999999999999999]",
        ] {
            let failure = read(bad).err().unwrap();
            assert!(failure.message.contains("line 1: an integer beyond 64 bits"), "{failure:?}");
        }
        for good in [
            "18446744073709551615",
            "-9223372036854775808",
            "\"123456789012345678901234567890\"",
            "\"\\\"99999999999999999999\"",
            "{\"99999999999999999999\":0}",
            "1.5e300",
            "123456789012345678901234567890.5",
            "[-0,0,1e2]",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_its_content_is_not() {
        let read = |text: &str| read(text.as_bytes());
        assert_eq!(read("{\"key\":\"a\",\"value\":null}\n\n{\"key\":\"b\",\"value\":[1]}").unwrap().len(), 2);
        for bad in [
            "{\"key\":\"canary\"}",
            "canary",
            "{\"key\":\"\",\"value\":1}",
            "{\"key\":\"a\",\"value\":1,\"canary\":1}",
            "{\"key\":\"a\",\"value\":1,\"ttl_ms\":0}",
        ] {
            let failure = read(&format!("{{\"key\":\"a\",\"value\":1}}\n{bad}")).err().unwrap();
            assert!(
                failure.message.starts_with("line 2: ") && !failure.message.contains("canary"),
                "{failure:?}"
            );
        }
    }
}
