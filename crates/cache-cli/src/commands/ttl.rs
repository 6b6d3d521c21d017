//! `ttl`: how long a value lives.

use serde::Serialize;

use crate::args::KeyArgs;
use crate::entry::{Entry, State};
use crate::exit::{Exit, Failure};
use crate::out::{Out, Page, Report};
use crate::shown;
use crate::target::Target;

#[derive(Serialize)]
struct Lives {
    key: String,
    state: State,
    ttl_ms: Option<u64>,
    age_ms: Option<u64>,
    fresh_for_ms: Option<u64>,
    remaining_ms: Option<u64>,
}

impl Report for Lives {
    fn show(&self, page: &mut Page) {
        let time = |millis: Option<u64>, none: &str| millis.map_or_else(|| none.to_owned(), shown::ms);
        page.pairs([
            ("key", shown::text(&self.key)),
            ("state", self.state.word().into()),
            ("ttl", time(self.ttl_ms, "-")),
            ("age", time(self.age_ms, "-")),
            ("fresh for", time(self.fresh_for_ms, "-")),
            ("removed in", time(self.remaining_ms, "never")),
        ]);
    }
}

pub(super) async fn run(target: &Target, args: &KeyArgs, out: Out) -> Result<Exit, Failure> {
    let key = target.key(&args.key)?;
    let Some(entry) = Entry::read(target, &key).await? else {
        return Err(super::get::missing(target, &args.key));
    };
    let about = entry.about.as_ref();
    out.report(&Lives {
        state: entry.state,
        ttl_ms: about.map(|about| about.ttl_ms),
        age_ms: about.map(|about| about.age_ms),
        fresh_for_ms: about.map(|about| about.fresh_for_ms),
        remaining_ms: entry.remaining_ms,
        key: entry.key,
    })?;
    Ok(Exit::Fine)
}
