//! `cargo xtask docs`: builds the documentation with warnings denied and the book of `docs`, follows their links, and looks up
//! in the index of the search what people will look for.

use std::path::Path;

use crate::cargo::cargo;
use crate::tree::Tree;
use crate::{Outcome, book, links, no_arguments, process, symbols};

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
    let unknown = if built { symbols::missing_in_index(&tree.root)? } else { Vec::new() };
    for symbol in &unknown {
        println!(
            "`{symbol}` is not in the index of the documentation: give it to an item as `#[doc(alias)]`"
        );
    }
    println!("\n{} broken links in the pages, {} unknown names", broken.len(), unknown.len());
    Ok(built && bound && broken.is_empty() && unknown.is_empty())
}

/// The documentation of every crate.
pub(crate) fn build(root: &Path) -> Outcome {
    let mut command = cargo(root, &["doc", "--workspace", "--no-deps", "--all-features"]);
    process::shown(command.env("RUSTDOCFLAGS", "-D warnings"))
}
