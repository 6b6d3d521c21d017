//! `get`: a value, and what is known of it.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::args::KeyArgs;
use crate::entry::{Entry, State};
use crate::exit::{Exit, Failure};
use crate::json;
use crate::out::{Out, Page, Report};
use crate::shown;
use crate::target::Target;

/// Foreign bytes that are shown.
const SHOWN: usize = 64;

#[derive(Serialize)]
struct Got {
    #[serde(flatten)]
    entry: Entry,
    /// The value; what JSON does not have is described in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    /// Why it is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_shown: Option<String>,
    /// The first bytes of what is no value of this cache, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts: Option<String>,
}

impl Report for Got {
    fn show(&self, page: &mut Page) {
        let entry = &self.entry;
        let mut pairs = vec![("key", shown::text(&entry.key)), ("state", entry.state.word().into())];
        pairs.extend(entry.reason.as_ref().map(|reason| ("reason", shown::text(reason))));
        let removed =
            entry.remaining_ms.map_or_else(|| "never".into(), |left| format!("in {}", shown::ms(left)));
        if let Some(about) = &entry.about {
            let packed = match about.compression {
                Some(name) => format!(
                    "{name}, {} as {}",
                    shown::size(about.value_bytes),
                    shown::size(about.packed_bytes)
                ),
                None => "none".into(),
            };
            pairs.extend([
                ("age", shown::ms(about.age_ms)),
                ("fresh for", shown::ms(about.fresh_for_ms)),
                ("removed", removed),
                ("serializer", about.serializer.into()),
                ("compression", packed),
                ("sealed", if about.sealed { "yes" } else { "no" }.into()),
                ("value", shown::size(about.value_bytes)),
                ("stored", entry.stored_bytes.map_or_else(|| "-".into(), shown::size)),
                ("tags", shown::text(&about.tags.join(", "))),
                ("loader took", shown::time(Duration::from_micros(about.cost_us))),
            ]);
        } else {
            pairs.push(("removed", removed));
            pairs.extend(entry.stored_bytes.map(|bytes| ("stored", shown::size(bytes))));
        }
        pairs.extend(self.starts.as_ref().map(|starts| ("starts with", starts.clone())));
        pairs.extend(self.not_shown.as_ref().map(|why| ("not shown", shown::text(why))));
        page.pairs(pairs);
        if let Some(value) = &self.value {
            page.line("");
            // JSON escapes control characters; what turns the direction of writing it does not.
            let text = serde_json::to_string_pretty(value).unwrap_or_default();
            text.lines().for_each(|line| page.line(shown::text(line)));
        }
    }
}

pub(super) async fn run(target: &Target, args: &KeyArgs, out: Out) -> Result<Exit, Failure> {
    let key = target.key(&args.key)?;
    let Some(entry) = Entry::read(target, &key).await? else { return Err(missing(target, &args.key)) };
    let (mut value, mut not_shown, mut starts) = (None, None, None);
    if entry.about.is_some() {
        match entry.value(&key).and_then(|encoded| json::of(&encoded)) {
            Ok(json) => value = Some(json),
            Err(why) => not_shown = Some(why),
        }
    } else if let (State::Foreign, Some(bytes)) = (entry.state, &entry.bytes) {
        starts = Some(shown::bytes(&bytes[..bytes.len().min(SHOWN)]));
    }
    let exit = match entry.state {
        State::Fresh | State::Stale => Exit::Fine,
        _ => Exit::Failed,
    };
    out.report(&Got { entry, value, not_shown, starts })?;
    Ok(exit)
}

/// That nothing is stored under a key.
pub(super) fn missing(target: &Target, key: &str) -> Failure {
    let namespace = target.namespace().as_str();
    Failure::failed(format!("nothing is stored under `{key}` in the namespace `{namespace}`"))
}
