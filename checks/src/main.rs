//! Proves the promise that a hit in tier 1 is never staler than the lease: processes with a cache each, writers whose
//! versions grow, readers that note what they see, and faults in between.

mod child;
mod clock;
mod family;
mod keys;
mod log;
mod naive;
mod options;
mod origin;
mod outside;
mod product;
mod random;
mod reader;
mod report;
mod run;
mod sabotage;
mod schedules;
mod stalls;
mod subject;
mod value;
mod verdicts;
mod writer;

use std::process::ExitCode;
use std::time::Duration;

use options::{Options, Sabotage};
use report::Row;
use schedules::{SCHEDULES, Schedule};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let outcome = if arguments.peek().is_some_and(|word| word == family::CHILD) {
        child::run().map(|()| true)
    } else {
        Options::parse(arguments)
            .and_then(|options| if options.controls { controls(&options) } else { check(&options) })
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Whether no promise was broken.
fn check(options: &Options) -> Result<bool, String> {
    let schedules = chosen(options)?;
    let say = |line: &str| {
        if !options.json {
            println!("{line}");
        }
    };
    say(&format!(
        "seed {}, {} processes, {} s each, feed {}, {}\n{}",
        options.seed,
        options.processes,
        options.time.as_secs(),
        options.feed.name(),
        if options.strict { "strict" } else { "as the presets say" },
        report::heading()
    ));
    let mut rows: Vec<Row> = Vec::new();
    for schedule in schedules {
        let row = run::run(schedule, options).map_err(|problem| format!("{}: {problem}", schedule.name))?;
        say(&report::line(&row));
        rows.push(row);
    }
    say(report::LEGEND);
    if options.json {
        println!("{}", report::json(&rows, options));
    }
    Ok(rows.iter().all(|row| row.verdicts.broken() == 0))
}

fn chosen(options: &Options) -> Result<Vec<&'static Schedule>, String> {
    let fault = match (&options.fault, options.sabotage) {
        (Some(fault), _) => fault.as_str(),
        (None, Some(sabotage)) => sabotage.fault(),
        (None, None) => "all",
    };
    if fault == "all" {
        return Ok(SCHEDULES.iter().collect());
    }
    let known = || SCHEDULES.iter();
    fault
        .split(',')
        .map(|name| {
            known().find(|schedule| schedule.name == name).ok_or_else(|| {
                let names: Vec<_> = known().map(|schedule| schedule.name).collect();
                format!("there is no fault `{name}`, but: {}", names.join(", "))
            })
        })
        .collect()
}

/// Whether every sabotage is seen.
fn controls(options: &Options) -> Result<bool, String> {
    let mut all_seen = true;
    for sabotage in Sabotage::ALL {
        let options = Options {
            sabotage: Some(sabotage),
            time: Duration::from_secs(5),
            // Without the lease nothing else may be what is seen.
            strict: true,
            ..options.clone()
        };
        for schedule in chosen(&options)? {
            let row = run::run(schedule, &options)
                .map_err(|problem| format!("{}, {}: {problem}", sabotage.name(), schedule.name))?;
            let shown = sabotage.shown(&row.verdicts);
            all_seen &= shown > 0;
            println!(
                "{} {:<13} under {:<13} {shown} times",
                if shown > 0 { "seen  " } else { "UNSEEN" },
                sabotage.name(),
                schedule.name
            );
        }
    }
    Ok(all_seen)
}
