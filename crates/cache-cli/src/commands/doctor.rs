//! `doctor`: whether a deployment is as a cache needs it.
//!
//! Each file below has the checks of one kind. What is found is judged by pure functions.

pub(super) mod operations;
mod rights;
mod server;

use std::time::Instant;

use serde::Serialize;

use crate::args::{DoctorArgs, Global};
use crate::exit::{Exit, Failure};
use crate::out::{Level, Out, Page, Report};
use crate::shown;
use crate::target::Target;

/// What was looked at, how it stands, and what to do about it.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    name: &'static str,
    level: Level,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, level: Level::Ok, found: found.into(), advice: None }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, level: Level::Warn, found: found.into(), advice: Some(advice.into()) }
    }

    fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, level: Level::Fail, found: found.into(), advice: Some(advice.into()) }
    }
}

#[derive(Serialize)]
struct Examined {
    status: Level,
    checks: Vec<Check>,
}

impl Report for Examined {
    fn show(&self, page: &mut Page) {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
        for check in &self.checks {
            page.judged(check.level, &format!("{:<width$}  {}", check.name, shown::text(&check.found)));
            if let Some(advice) = &check.advice {
                page.line(format!("     {:<width$}  -> {advice}", ""));
            }
        }
        let count = |level| self.checks.iter().filter(|check| check.level == level).count();
        let (warned, failed) = (count(Level::Warn), count(Level::Fail));
        page.line(format!("{} checks, {warned} warnings, {failed} failed", self.checks.len()));
    }
}

pub(super) async fn run(global: &Global, args: &DoctorArgs, out: Out) -> Result<Exit, Failure> {
    let began = Instant::now();
    let target = match Target::open(global).await {
        Ok(target) => target,
        Err(failure) => {
            let advice = "see that the server runs, and that address, user, password and database are right";
            let check = Check::fail("connection", failure.message, advice);
            out.report(&Examined { status: Level::Fail, checks: vec![check] })?;
            return Ok(failure.exit);
        }
    };
    let took = shown::time(began.elapsed());
    let found = format!("{}, connected in {took}", target.inspection.url);
    let mut checks = vec![Check::ok("connection", found)];
    operations::check(&target, args, out, &mut checks).await;
    server::check(&target, &mut checks).await?;
    rights::check(&target, &mut checks).await?;
    let status = checks.iter().map(|check| check.level).max().unwrap_or(Level::Ok);
    out.report(&Examined { status, checks })?;
    Ok(if status == Level::Fail { Exit::Failed } else { Exit::Fine })
}
