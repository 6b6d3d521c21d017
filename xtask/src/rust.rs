//! Reads Rust source well enough for the rules: tokens without comments, tests told from the rest, paths.

mod lexer;
mod paths;
mod split;

pub(crate) use lexer::{Token, tokens};
pub(crate) use paths::{Path, paths};
pub(crate) use split::split;
