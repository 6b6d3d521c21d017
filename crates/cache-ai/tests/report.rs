//! What an AI cache says of itself to a dashboard.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod common;

use cache_ai::{AiSettings, Control};
use cache_testkit::FakeClock;
use common::{Model, ask, private};

#[tokio::test]
async fn a_report_holds_the_ledger_and_the_statistics_and_nothing_of_a_request() {
    let cache = private(&FakeClock::new(), AiSettings::new());
    for _ in 0..3 {
        let model = Model::default();
        for text in ["a private question", "another"] {
            cache.get_or_generate(&ask(text), Control::new(), model.says("a private answer")).await.unwrap();
        }
        let other = ask("x").model("m-2");
        cache.get_or_generate(&other, Control::new(), model.says("x")).await.unwrap();
    }
    let report = serde_json::to_value(cache.report(1)).unwrap();
    assert_eq!(report["cache"], "test");
    assert_eq!(report["ledger"]["lines"].as_array().unwrap().len(), 1, "the largest only");
    assert_eq!(report["ledger"]["lines"][0]["model"], "m-1");
    assert_eq!(report["ledger"]["total"]["calls_saved"], 6, "of all");
    assert_eq!(report["stats"]["operations"]["qa"]["hits"], 6);
    assert!(!report.to_string().contains("private"));
}
