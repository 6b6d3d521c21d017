//! The paths that source names: `a::b::c`, and each branch of a `use`.

use super::lexer::{Kind, Token};

/// A path, its parts joined with `::`, and the line of its last part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Every path of at least two parts, and every single name that a `use` brings in.
pub(crate) fn paths(tokens: &[Token<'_>]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].is("use") {
            at = tree(tokens, at + 1, "", &mut found);
        } else if tokens[at].kind == Kind::Ident {
            let mut text = tokens[at].text.to_owned();
            at += 1;
            while at + 1 < tokens.len() && tokens[at].is("::") && tokens[at + 1].kind == Kind::Ident {
                text = format!("{text}::{}", tokens[at + 1].text);
                at += 2;
            }
            if text.contains("::") {
                found.push(Path { line: tokens[at - 1].line, text });
            }
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one branch of a `use` and all that hangs on it. Returns where it ends.
fn tree(tokens: &[Token<'_>], mut at: usize, prefix: &str, found: &mut Vec<Path>) -> usize {
    let mut text = prefix.to_owned();
    let mut line = None;
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            at += 1;
            while tokens.get(at).is_some_and(|token| !token.is("}")) {
                at = tree(tokens, at, &text, found);
                if tokens.get(at).is_some_and(|token| token.is(",")) {
                    at += 1;
                } else if !tokens.get(at).is_some_and(|token| token.is("}")) {
                    return at;
                }
            }
            return at + 1;
        } else if token.is("as") {
            at += 2;
        } else if token.is("::") {
            at += 1;
        } else if token.kind == Kind::Ident || token.is("*") {
            text = if text.is_empty() { token.text.to_owned() } else { format!("{text}::{}", token.text) };
            line = Some(token.line);
            at += 1;
        } else {
            break;
        }
    }
    found.extend(line.map(|line| Path { line, text }));
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust::tokens;

    fn texts(source: &str) -> Vec<String> {
        paths(&tokens(source)).into_iter().map(|path| path.text).collect()
    }

    #[test]
    fn paths_in_expressions_are_found_whole() {
        assert_eq!(texts("let x = std::env::var(a.b); Vec::<u8>::new()"), ["std::env::var"]);
        assert_eq!(texts("tokio :: time :: sleep (x)"), ["tokio::time::sleep"]);
    }

    #[test]
    fn every_branch_of_a_use_is_found() {
        assert_eq!(
            texts("use std::{env, fs::{self, File as F}, io::*}; use tokio; a::b"),
            ["std::env", "std::fs::self", "std::fs::File", "std::io::*", "tokio", "a::b"]
        );
        assert_eq!(texts("pub use {a::b, ::c};"), ["a::b", "c"]);
    }

    #[test]
    fn unfinished_source_ends() {
        for source in ["use", "use a::{", "use a::{b,", "a::", "use a::{b c}", "use {,"] {
            texts(source);
        }
    }
}
