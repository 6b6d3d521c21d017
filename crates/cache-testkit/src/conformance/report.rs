//! Running cases.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::{Bed, Case, all};

/// The longest that a case may take, in real time.
const LIMIT: Duration = Duration::from_secs(60);

/// How the cases ended, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Cases whose promise is kept.
    pub passed: Vec<&'static str>,
    /// Cases that do not apply, where the store refused as it should.
    pub not_applicable: Vec<&'static str>,
    /// Cases that failed, with what they said.
    pub failed: Vec<(&'static str, String)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, not_applicable, failed } = self;
        write!(f, "{} passed, {} not applicable", passed.len(), not_applicable.len())?;
        write!(f, " {not_applicable:?}, {} failed", failed.len())?;
        failed.iter().try_for_each(|(name, said)| write!(f, "\n  {name}: {said}"))
    }
}

/// Runs every case, each on a bed of its own, and insists that all pass.
///
/// # Panics
/// If a case fails, with the report of all of them, or if none applied.
pub async fn run_all<F, Fut>(make_bed: F) -> Report
where
    F: Fn() -> Fut,
    Fut: Future<Output = Bed>,
{
    let report = check(make_bed).await;
    assert!(report.failed.is_empty(), "{report}");
    assert!(!report.passed.is_empty(), "no case ran: {report}");
    report
}

/// Runs every case, each on a bed of its own, and tells how they ended. Needs a tokio runtime with its timer.
pub async fn check<F, Fut>(make_bed: F) -> Report
where
    F: Fn() -> Fut,
    Fut: Future<Output = Bed>,
{
    let mut report = Report::default();
    for case in all() {
        let bed = make_bed().await;
        let applies = case.applies(&bed.store.capability());
        match case.check(bed).await {
            Err(said) => report.failed.push((case.name, said)),
            Ok(()) if applies => report.passed.push(case.name),
            Ok(()) => report.not_applicable.push(case.name),
        }
    }
    report
}

/// Runs the case of this name in a runtime of its own.
///
/// # Panics
/// If the case fails, or there is none of this name, or no runtime can be made.
pub fn run_one<F, Fut>(name: &str, make_bed: F)
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Bed>,
{
    let case = all().iter().find(|case| case.name == name).expect("the case is in the list");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result =
        runtime.expect("a runtime can be made").block_on(async { case.check(make_bed().await).await });
    assert_eq!(result, Ok(()));
}

impl Case {
    /// As [`run`](Case::run), with the panic as a result: what it said. Ends after a minute at the latest. Needs a tokio
    /// runtime with its timer.
    ///
    /// # Errors
    /// If the store breaks the promise.
    pub async fn check(&self, bed: Bed) -> Result<(), String> {
        // A bed that saw a panic is dropped and never looked at again.
        let outcome = AssertUnwindSafe(self.run(&bed)).catch_unwind();
        match tokio::time::timeout(LIMIT, outcome).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(panic)) => Err(said(&*panic)),
            Err(_) => Err(format!("did not end within {LIMIT:?}")),
        }
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}
