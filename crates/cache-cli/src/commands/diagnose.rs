//! `diagnose`: why a cache does not work, misses too often, or takes too much memory.
//!
//! `sample` looks at entries, `findings` says what the numbers mean.

mod findings;
mod sample;

use cache_core::{LinkStatus, Store};
use serde::Serialize;

use self::findings::{Finding, Seen};
use self::sample::{Group, Sample};
use super::doctor::operations;
use super::stats::Server;
use crate::args::{DiagnoseArgs, Trouble};
use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::Target;
use crate::walk::Keys;

/// Groups of keys that are shown.
const GROUPS: usize = 10;

#[derive(Serialize)]
struct Diagnosis {
    namespace: String,
    findings: Vec<Finding>,
    /// Entries that were looked at.
    looked_at: u64,
    more: bool,
    states: Vec<(&'static str, u64)>,
    /// How long entries were to be fresh.
    ttls: Vec<(&'static str, u64)>,
    /// By the first part of their keys, the largest first.
    groups: Vec<Group>,
}

impl Report for Diagnosis {
    fn show(&self, page: &mut Page) {
        for finding in &self.findings {
            page.judged(finding.level, &format!("{}: {}", finding.about.word(), finding.found));
            if let Some(advice) = &finding.advice {
                page.line(format!("     -> {advice}"));
            }
        }
        let more = if self.more { ", there are more" } else { "" };
        page.line("");
        page.heading(&format!("{} entries looked at{more}", self.looked_at));
        let counts = |counts: &[(&'static str, u64)]| {
            let rows = counts.iter().map(|(name, count)| {
                [(*name).to_owned(), count.to_string(), shown::part(*count, self.looked_at)]
            });
            rows.collect::<Vec<_>>()
        };
        page.table(["STATE", "ENTRIES", "PART"], counts(&self.states));
        page.table(["TTL", "ENTRIES", "PART"], counts(&self.ttls));
        page.table(
            ["KEYS", "ENTRIES", "STORED", "VALUES", "LARGEST", "MEDIAN TTL", "MEDIAN AGE"],
            self.groups.iter().map(|group| {
                [
                    shown::text(&group.name),
                    group.entries.to_string(),
                    shown::size(group.stored_bytes),
                    shown::size(group.value_bytes),
                    shown::size(group.largest),
                    group.median_ttl_ms.map_or_else(|| "-".into(), shown::ms),
                    group.median_age_ms.map_or_else(|| "-".into(), shown::ms),
                ]
            }),
        );
    }
}

pub(super) async fn run(target: &Target, args: &DiagnoseArgs, out: Out) -> Result<Exit, Failure> {
    let bar = out.progress(0, "entries");
    let keys = Keys::matching(target, "*", args.limit, &bar).await?;
    let mut sample = Sample::default();
    keys.each(target, &bar, |_, entry| sample.add(&entry)).await?;
    bar.finish_and_clear();
    let link = target.store().link_state();
    let seen = Seen {
        is_up: link.status == LinkStatus::Up,
        feed: link.feed,
        reason: link.reason.as_deref().unwrap_or("no reason known").to_owned(),
        foreign_keys: keys.foreign.len() as u64,
        threshold: cache_codec::Compression::DEFAULT_THRESHOLD as u64,
        server: Server::ask(target).await?,
        trouble: match args.trouble {
            None | Some(Trouble::NotWorking) => operations::trouble(target).await,
            Some(_) => None,
        },
    };
    let mut found = findings::of(&sample, &seen);
    found.retain(|finding| args.trouble.is_none_or(|trouble| trouble == finding.about));
    let (states, ttls) = (sample.states(), sample.ttls());
    let failed = found.iter().any(|finding| finding.level == Level::Fail);
    out.report(&Diagnosis {
        namespace: target.namespace().as_str().into(),
        findings: found,
        looked_at: sample.entries(),
        more: keys.more,
        states,
        ttls,
        groups: sample.groups(GROUPS),
    })?;
    Ok(if failed { Exit::Failed } else { Exit::Fine })
}

impl Trouble {
    fn word(self) -> &'static str {
        match self {
            Self::NotWorking => "not working",
            Self::LowHitRate => "low hit rate",
            Self::HighMemory => "high memory",
        }
    }
}
