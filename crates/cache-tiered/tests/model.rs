//! Random operations, loads that run while others happen, and time that passes: a cache must answer exactly as a plain
//! map with rules does, whether it has one tier or two, and whichever of two processes is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "model/cases.rs"]
mod cases;
#[path = "model/crossing.rs"]
mod crossing;
#[path = "model/driver.rs"]
mod driver;
#[path = "model/flights.rs"]
mod flights;
#[path = "model/op.rs"]
mod op;
#[path = "model/real.rs"]
mod real;
#[path = "model/reference.rs"]
mod reference;
#[path = "model/rules.rs"]
mod rules;

use driver::Driver;
use op::{Op, ops};
use proptest::prelude::*;
use rules::Setup;

fn check(setup: Setup, ops: &[Op]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut driver = Driver::new(setup);
        for op in ops {
            driver.run(op).await?;
            if driver.is_uncertain() {
                return Ok(());
            }
        }
        driver.end().await
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_alone_answers_as_the_model_does(ops in ops()) {
        check(Setup { local: true, store: false, handles: 1 }, &ops)?;
    }

    #[test]
    fn two_tiers_answer_as_the_model_does(ops in ops()) {
        check(Setup { local: true, store: true, handles: 1 }, &ops)?;
    }

    #[test]
    fn a_store_alone_answers_as_the_model_does(ops in ops()) {
        check(Setup { local: false, store: true, handles: 1 }, &ops)?;
    }

    #[test]
    fn two_processes_answer_as_one_model_does(ops in ops()) {
        check(Setup { local: true, store: true, handles: 2 }, &ops)?;
    }
}
