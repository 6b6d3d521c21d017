//! `explain`: what the key of an AI request is made of.

use std::io::Read;

use cache_factory::ai::{Explanation, Tenant};
use cache_factory::{CacheConfig, CacheFactory};
use serde::Serialize;
use serde_json::Value;

use crate::args::{ExplainArgs, Global};
use crate::exit::{Exit, Failure};
use crate::out::{Out, Page, Report};
use crate::{shown, target};

/// The longest text that is read from the standard input, in bytes.
const LONGEST: u64 = 64 << 20;

#[derive(Serialize)]
struct Explained {
    /// As it stands in the store.
    full_key: String,
    ttl_ms: u64,
    #[serde(flatten)]
    explanation: Explanation,
}

impl Report for Explained {
    fn show(&self, page: &mut Page) {
        let it = &self.explanation;
        let text =
            if it.text_is_readable { "stands readable in the key" } else { "stands in the key as a digest" };
        page.pairs([
            ("key", shown::text(&it.key)),
            ("full key", shown::text(&self.full_key)),
            ("key length", format!("{} bytes", it.key_length)),
            ("operation", shown::text(&it.operation)),
            ("text", format!("{} characters, tier {}, {text}", it.text_length, it.text_tier.as_str())),
            ("options", shown::text(&it.options)),
            ("ttl", shown::time(it.ttl)),
            ("tags", shown::text(&it.tags.join(", "))),
            ("deterministic", if it.is_deterministic { "yes" } else { "no" }.into()),
        ]);
    }
}

pub(super) async fn run(global: &Global, args: &ExplainArgs, out: Out) -> Result<Exit, Failure> {
    // The key needs no store, so there is none.
    let said = target::config(global)?;
    let mut config = CacheConfig::default();
    (config.ai, config.default_ttl, config.namespace) = (said.ai, said.default_ttl, said.namespace);
    let options: Value = serde_json::from_str(&args.options)
        .map_err(|error| Failure::bad_use(format!("--options is no JSON: column {}", error.column())))?;
    let tenant = match &args.tenant {
        Some(name) => Tenant::new(name)?,
        None => Tenant::shared(),
    };
    let text = if args.text == "-" { read()? } else { args.text.clone() };
    let cache = CacheFactory::new().ai_from_config(config).memory_only().await?.for_tenant(tenant);
    let explanation = cache.explain(&text, &args.operation, &options).await?;
    let full_key = cache.ai().cache().namespace().key(&explanation.key)?.as_str().to_owned();
    out.report(&Explained { full_key, ttl_ms: shown::millis(explanation.ttl), explanation })?;
    Ok(Exit::Fine)
}

fn read() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| Failure::bad_use(format!("the text cannot be read: {}", error.kind())))?;
    Ok(text)
}
