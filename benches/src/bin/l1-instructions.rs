//! Instructions of a call of tier 1, held against a baseline. With `--guest` it is the program that is counted.

use std::collections::BTreeMap;
use std::process::ExitCode;

use benches::instructions::baseline::{Baseline, Verdict};
use benches::instructions::callgrind::per_call;
use benches::instructions::guest::{CASES, CONTENDERS, run_as};
use benches::instructions::options::Options;
use benches::machine::{machine, rustc};
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((first, rest)) if first == "--guest" => guest(rest).map(|()| true),
        _ => Options::read(&arguments).and_then(|options| count(&options)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn guest(arguments: &[String]) -> Result<(), String> {
    let [contender, case, calls] = arguments else { return Err("--guest CRATE CASE CALLS".into()) };
    let case = CASES.iter().find(|known| known.name == case).ok_or("there is no such case")?;
    run_as(contender, case, calls.parse().map_err(|_| "CALLS is a number")?)
}

/// Counts, and tells whether the baseline is kept.
fn count(options: &Options) -> Result<bool, String> {
    let before = Baseline::read(&Baseline::path())?;
    let mut baseline = Baseline { rustc: rustc(), instructions: BTreeMap::new() };
    if let Some(before) = &before {
        baseline.instructions.clone_from(&before.instructions);
        if before.rustc != baseline.rustc {
            eprintln!("note: the baseline is of {}, this is {}", before.rustc, baseline.rustc);
        }
    }
    if options.json {
        println!("{}", machine());
    } else {
        println!("instructions of a call   {:>12} {:>10}", "", "baseline");
    }
    let mut kept = true;
    for case in options.cases() {
        for &contender in CONTENDERS {
            let counted = per_call(contender, case)?;
            let is_ours = contender == CONTENDERS[0];
            let known =
                before.as_ref().filter(|_| is_ours).and_then(|before| before.instructions.get(case.name));
            show(options, case.name, contender, counted, known.copied());
            if is_ours {
                baseline.instructions.insert(case.name.to_owned(), counted);
                let verdict = before.as_ref().map_or(Verdict::New, |before| before.judge(case.name, counted));
                kept &= options.bless || say(case.name, verdict);
            }
        }
    }
    if options.bless {
        baseline.write(&Baseline::path())?;
    }
    Ok(kept)
}

fn show(options: &Options, case: &str, contender: &str, counted: f64, baseline: Option<f64>) {
    if options.json {
        let line = json!({
            "bench": "instructions", "case": case, "crate": contender, "threads": 1,
            "instructions_per_op": counted, "baseline": baseline,
        });
        println!("{line}");
    } else {
        let baseline = baseline.map_or_else(String::new, |baseline| format!("{baseline:.1}"));
        println!("  {case:<10} {contender:<14} {counted:>9.1} {baseline:>10}");
    }
}

/// Says what is to be said, and whether it is well.
fn say(case: &str, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Kept => true,
        Verdict::Better => {
            eprintln!("note: {case} is better than its baseline by more than 5 %: `--bless` keeps that");
            true
        }
        Verdict::Worse => {
            eprintln!("{case} is worse than its baseline by more than 5 %; if that is meant: `--bless`");
            false
        }
        Verdict::New => {
            eprintln!("{case} has no baseline: `--bless` writes one");
            false
        }
    }
}
