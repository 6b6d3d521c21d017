//! `warm`, `export`, `import`: values as JSON Lines.
//!
//! A plain line is `{"key": …, "value": …, "ttl_ms": …, "tags": […]}`, the last two as one likes. Answers of language
//! models have a form of their own with checksums, which `cache-ai` writes and reads.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use cache_core::{Error, ErrorKind};
use cache_factory::{Cache, CacheConfig, CacheFactory, OnStoreError};
use serde::Serialize;

use crate::args::{ExportArgs, Global, ImportArgs, WarmArgs};
use crate::draft::Draft;
use crate::entry::State;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::line::{self, Line};
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::{self, Target};
use crate::walk::Keys;

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
    let lines = line::read(reader(&args.file)?)?;
    if args.overwrite {
        target::may_overwrite(global, "--overwrite", args.yes).await?;
    }
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
        target::may_overwrite(global, "import", args.yes).await?;
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
        let lines = line::read(input)?;
        target::may_overwrite(global, "import", args.yes).await?;
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
        let exported = exported?;
        draft.finish().map_err(cannot)?;
        out.report(&Transferred {
            what: "answers exported",
            count: exported.answers,
            skipped: exported.left_out,
            why: "of a type that JSON does not have",
        })?;
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
