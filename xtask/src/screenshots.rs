//! `cargo xtask screenshots`: the pictures of the live page, by the test that sees to it in a browser.

use crate::cargo::cargo;
use crate::tree::root;
use crate::{Outcome, no_arguments, process};

const FOLDER: &str = "docs/page";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let root = root();
    let mut command =
        cargo(&root, &["test", "--package", "cache-factory", "--all-features", "--test", "redis_page"]);
    command.env("CACHE_TEST_SCREENSHOTS", root.join(FOLDER));
    let made = process::shown(&mut command)?;
    if made {
        println!("\nthe pictures are in {FOLDER}");
    }
    Ok(made)
}
