//! `cargo xtask docs`: builds the documentation with warnings denied and the book of `docs`, and follows their links.

use std::path::Path;

use crate::cargo::cargo;
use crate::tree::Tree;
use crate::{Outcome, book, links, no_arguments, process};

pub(crate) fn run(arguments: &[String]) -> Outcome {
    no_arguments(arguments)?;
    let tree = Tree::load()?;
    let built = build(&tree.root)?;
    let bound = book::build(&tree.root)?;
    let mut broken = links::broken(&tree);
    broken.extend(book::loose_ends(&tree));
    for finding in &broken {
        println!("{finding}");
    }
    println!("\n{} broken links in the pages", broken.len());
    Ok(built && bound && broken.is_empty())
}

/// The documentation of every crate.
pub(crate) fn build(root: &Path) -> Outcome {
    let mut command = cargo(root, &["doc", "--workspace", "--no-deps", "--all-features"]);
    process::shown(command.env("RUSTDOCFLAGS", "-D warnings"))
}
