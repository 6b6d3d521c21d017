//! Tells the tests in a file from the code that is shipped.

use super::lexer::{Token, tokens};

/// The tokens of a file in two parts, each in order.
#[derive(Debug, Default)]
pub(crate) struct Split<'a> {
    pub(crate) shipped: Vec<Token<'a>>,
    /// Items under `#[cfg(test)]`.
    pub(crate) tests: Vec<Token<'a>>,
}

/// Splits a file. One that is called `tests`, or lies in a folder of that name, is a test as a whole.
pub(crate) fn split<'a>(path: &str, text: &'a str) -> Split<'a> {
    let all = tokens(text);
    if path.ends_with("/tests.rs") || path.starts_with("tests/") || path.contains("/tests/") {
        return Split { tests: all, ..Split::default() };
    }
    let mut split = Split::default();
    let mut at = 0;
    while at < all.len() {
        if is_test_attribute(&all[at..]) {
            let end = item_end(&all, at);
            split.tests.extend_from_slice(&all[at..end]);
            at = end;
        } else {
            split.shipped.push(all[at]);
            at += 1;
        }
    }
    split
}

/// `#[cfg(test)]`, `#[cfg(all(test, …))]`; not `#[cfg(not(test))]`.
fn is_test_attribute(rest: &[Token<'_>]) -> bool {
    if rest.len() < 4 || !rest[0].is("#") || !rest[1].is("[") || !rest[2].is("cfg") {
        return false;
    }
    let inside = &rest[3..group_end(rest, 1)];
    inside.iter().any(|token| token.is("test"))
        && !inside.iter().any(|token| token.is("not") || token.is("any"))
}

/// The end of the item whose attribute starts at `start`: its `;`, or the end of its first `{…}`.
fn item_end(all: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    while at < all.len() {
        if all[at].is(";") || all[at].is(",") {
            return at + 1;
        } else if all[at].is("{") {
            return group_end(all, at);
        } else if all[at].is("(") || all[at].is("[") {
            at = group_end(all, at);
        } else if all[at].is("}") {
            return at;
        } else {
            at += 1;
        }
    }
    at
}

/// The index after the bracket that closes the one at `open`.
fn group_end(all: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in all.iter().enumerate().skip(open) {
        if ["(", "[", "{"].iter().any(|sign| token.is(sign)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|sign| token.is(sign)) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    all.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(source: &str) -> (String, String) {
        let split = split("crates/x/src/lib.rs", source);
        let join = |tokens: &[Token<'_>]| tokens.iter().map(|t| t.text).collect::<Vec<_>>().join(" ");
        (join(&split.shipped), join(&split.tests))
    }

    #[test]
    fn a_module_of_tests_is_not_shipped() {
        let (shipped, tests) = parts("fn a() {} #[cfg(test)] mod tests { fn b() { { } } } fn c() {}");
        assert_eq!(shipped, "fn a ( ) { } fn c ( ) { }");
        assert!(tests.contains("fn b"));
    }

    #[test]
    fn single_items_and_further_attributes_belong_to_the_tests() {
        let (shipped, _) =
            parts("#[cfg(test)] use a; #[cfg(all(test, unix))] #[derive(Debug)] pub(crate) struct B; c");
        assert_eq!(shipped, "c");
    }

    #[test]
    fn code_for_everything_but_tests_is_shipped() {
        let (shipped, tests) = parts("#[cfg(not(test))] fn a() {} #[cfg(unix)] fn b() {}");
        assert!(shipped.contains("fn a") && shipped.contains("fn b") && tests.is_empty());
    }

    #[test]
    fn a_file_of_tests_is_not_shipped() {
        assert!(split("crates/x/src/engine/tests.rs", "fn a() {}").shipped.is_empty());
    }
}
