//! `cargo xtask docs`: builds the documentation with warnings denied and follows the links of the pages.

use std::path::Path;

use crate::cargo::cargo;
use crate::tree::Tree;
use crate::{Outcome, links, no_arguments, process};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let tree = Tree::load()?;
    let built = build(&tree.root)?;
    let broken = links::broken(&tree);
    for finding in &broken {
        println!("{finding}");
    }
    println!("\n{} broken links", broken.len());
    Ok(built && broken.is_empty())
}

/// The documentation of every crate.
pub(crate) fn build(root: &Path) -> Outcome {
    let mut command = cargo(root, &["doc", "--workspace", "--no-deps", "--all-features"]);
    process::shown(command.env("RUSTDOCFLAGS", "-D warnings"))
}
