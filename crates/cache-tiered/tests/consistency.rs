//! Runs the table of `docs/consistency.md`, line by line as it stands there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cache_testkit::{FakeClock, ReferenceServer, settle};
use cache_tiered::{Cache, OnStoreError, SetOptions, Settings};
use common::{MINUTE, Process, SECOND, process_with};

const PAGE: &str = include_str!("../../../docs/consistency.md");

/// The cells of the table's lines.
fn lines() -> Vec<[&'static str; 6]> {
    let table = PAGE.lines().skip_while(|line| !line.starts_with("| entry | link |"));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().expect("six cells")
    })
    .collect()
}

struct Case {
    clock: Arc<FakeClock>,
    process: Process,
}

impl Case {
    fn new(max_age: &str, on_error: &str) -> Self {
        let clock = FakeClock::new();
        let server = ReferenceServer::new(clock.clone());
        let mut settings = Settings::default();
        settings.disconnected_max_age = match max_age {
            "0" => Duration::ZERO,
            "60 s" => MINUTE,
            other => panic!("unknown age {other}"),
        };
        settings.on_store_error = match on_error {
            "degrade" => OnStoreError::Degrade,
            "fail" => OnStoreError::Fail,
            other => panic!("unknown mode {other}"),
        };
        let process = process_with(&clock, &server, settings);
        Self { clock, process }
    }

    fn cache(&self) -> &Cache {
        &self.process.cache
    }

    /// Brings the link into this state; the entry is written before or during.
    async fn stage(&self, entry: &str, link: &str) -> bool {
        let fresh_for = if entry == "expired" { SECOND / 4 } else { 10 * MINUTE };
        let set = async || self.cache().set("k", &1u32, SetOptions::ttl(fresh_for)).await;
        if entry != "written during" {
            set().await.unwrap();
        }
        if link != "up" {
            self.process.link.disconnect();
        }
        self.clock.advance(match link {
            "lease runs out" | "up" => SECOND / 2,
            _ => 2 * SECOND,
        });
        let written = entry != "written during" || set().await.is_ok();
        if link == "back" {
            self.process.link.reconnect();
            settle().await;
        }
        written
    }
}

#[tokio::test]
async fn the_table_of_the_document_holds() {
    let mut seen = HashSet::new();
    for line in lines() {
        let [entry, link, max_age, on_error, answers, coherence] = line;
        assert!(["from before", "written during", "expired"].contains(&entry), "{line:?}");
        assert!(["up", "lease runs out", "away", "back"].contains(&link), "{line:?}");
        assert!(seen.insert((entry, link, max_age, on_error)), "twice: {line:?}");
        let case = Case::new(max_age, on_error);
        let written = case.stage(entry, link).await;
        let got = case.cache().get_with_receipt::<u32>("k").await;
        let (answer, receipt) = match got {
            Ok((value, receipt)) => {
                let answer = match value {
                    Some(_) => "the value",
                    None if written => "nothing",
                    None => "nothing: `set` fails",
                };
                (answer, format!("{:?}", receipt.coherence))
            }
            Err(_) => ("an error", "-".to_owned()),
        };
        assert_eq!((answer, receipt.as_str()), (answers, coherence), "{line:?}");
    }
    // An entry cannot be written during an outage while the link is up.
    assert_eq!(seen.len(), (3 * 4 - 1) * 2 * 2, "every case is in the table");
}
