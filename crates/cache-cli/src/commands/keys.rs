//! `keys`: lists keys, and how what is stored under them stands.

use serde::Serialize;

use crate::args::KeysArgs;
use crate::entry::Entry;
use crate::exit::{Exit, Failure};
use crate::out::{Out, Page, Report};
use crate::shown;
use crate::target::Target;
use crate::walk::Keys;

#[derive(Serialize)]
struct Listed {
    namespace: String,
    count: usize,
    /// Whether there are more.
    more: bool,
    keys: Vec<String>,
    /// Keys that no cache has made, their bytes escaped.
    foreign: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<Entry>>,
}

impl Report for Listed {
    fn show(&self, page: &mut Page) {
        match &self.entries {
            Some(entries) => {
                page.table(
                    ["KEY", "STATE", "AGE", "FRESH FOR", "STORED", "VALUE", "TAGS"],
                    entries.iter().map(|entry| {
                        let about = entry.about.as_ref();
                        [
                            shown::text(&entry.key),
                            entry.state.word().into(),
                            about.map_or_else(|| "-".into(), |about| shown::ms(about.age_ms)),
                            about.map_or_else(|| "-".into(), |about| shown::ms(about.fresh_for_ms)),
                            entry.stored_bytes.map_or_else(|| "-".into(), shown::size),
                            about.map_or_else(|| "-".into(), |about| shown::size(about.value_bytes)),
                            shown::text(&entry.tags().join(", ")),
                        ]
                    }),
                );
            }
            None => self.keys.iter().for_each(|key| page.line(shown::text(key))),
        }
        for key in &self.foreign {
            page.line(format!("{key}  (no key of a cache)"));
        }
        if self.more {
            page.line(format!("... and more than {}: --limit sets how many are listed", self.count));
        }
    }
}

pub(super) async fn run(target: &Target, args: &KeysArgs, out: Out) -> Result<Exit, Failure> {
    let bar = out.progress(0, "keys");
    let keys = Keys::matching(target, &args.pattern, args.limit, &bar).await?;
    let entries = if args.long {
        let mut entries = Vec::new();
        keys.each(target, &bar, |_, entry| entries.push(Entry { bytes: None, ..entry })).await?;
        Some(entries)
    } else {
        None
    };
    bar.finish_and_clear();
    let Keys { found, foreign, more } = keys;
    out.report(&Listed {
        namespace: target.namespace().as_str().into(),
        count: found.len() + foreign.len(),
        more,
        keys: found,
        foreign: foreign.iter().map(|key| shown::bytes(key)).collect(),
        entries,
    })?;
    Ok(Exit::Fine)
}
