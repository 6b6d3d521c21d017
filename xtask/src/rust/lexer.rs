//! Tokens of Rust source. Comments are dropped, and what stands in a string is only a literal.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Ident,
    /// `'a`
    Lifetime,
    /// A string, character or number.
    Literal,
    /// `::`, or any other single character.
    Punct,
}

/// A token, and the first and last line that it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) line: usize,
    pub(crate) last_line: usize,
}

impl Token<'_> {
    /// Whether it is this name, keyword or sign. A literal never is.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.kind != Kind::Literal && self.text == text
    }
}

/// All tokens, in order. Source that does not compile gives some tokens, never an error.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let (kind, len) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, block_comment(rest))
        } else if let Some(len) = string(rest) {
            (Some(Kind::Literal), len)
        } else if first == '\'' {
            quote(rest)
        } else if first.is_ascii_digit() {
            (Some(Kind::Literal), number(rest))
        } else if is_word(first) {
            (Some(Kind::Ident), word(rest))
        } else if rest.starts_with("::") {
            (Some(Kind::Punct), 2)
        } else {
            (Some(Kind::Punct), first.len_utf8())
        };
        let text = &rest[..len];
        let last_line = line + text.matches('\n').count();
        if let Some(kind) = kind {
            tokens.push(Token { kind, text, line, last_line });
        }
        line = last_line;
        at += len;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn word(rest: &str) -> usize {
    // A raw name, `r#type`, is one word.
    let start = if rest.starts_with("r#") { 2 } else { 0 };
    rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |end| start + end)
}

/// A number, without the dots of a range or of a method call.
fn number(rest: &str) -> usize {
    let whole = word(rest);
    let after = &rest[whole..];
    match after.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + word(fraction),
        _ => whole,
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of the string that starts here, if one does: `"…"`, `b"…"`, `c"…"`, `r#"…"#` and their mixtures.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    if prefix > 2 {
        return None;
    }
    let body = &rest[prefix..];
    if rest[..prefix].ends_with('r') {
        let hashes = body.find(|c| c != '#')?;
        if !body[hashes..].starts_with('"') {
            return None;
        }
        let end = format!("\"{}", &body[..hashes]);
        let start = hashes + 1;
        return Some(prefix + body[start..].find(&end).map_or(body.len(), |at| start + at + end.len()));
    }
    body.starts_with('"').then(|| prefix + escaped(body, '"'))
}

/// A character literal, with or without `b`'s prefix, or a lifetime.
fn quote(rest: &str) -> (Option<Kind>, usize) {
    let mut after = rest[1..].chars();
    let is_character = match (after.next(), after.next()) {
        (Some('\\'), _) => true,
        (Some(c), second) => second == Some('\'') || !is_word(c),
        (None, _) => false,
    };
    if is_character {
        (Some(Kind::Literal), escaped(rest, '\''))
    } else {
        (Some(Kind::Lifetime), 1 + word(&rest[1..]))
    }
}

/// The length of a literal up to its closing quote; a backslash hides one character.
fn escaped(rest: &str, quote: char) -> usize {
    let mut hidden = false;
    for (at, c) in rest.char_indices().skip(1) {
        if hidden {
            hidden = false;
        } else if c == '\\' {
            hidden = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<&str> {
        tokens(source).iter().map(|token| token.text).collect()
    }

    fn words(source: &str) -> Vec<&str> {
        tokens(source).iter().filter(|token| token.kind == Kind::Ident).map(|token| token.text).collect()
    }

    #[test]
    fn comments_are_dropped_even_nested_ones() {
        assert_eq!(words("a // b\n/* c /* d */ e */ f /// g\n//! h\ni"), ["a", "f", "i"]);
    }

    #[test]
    fn strings_hide_what_they_hold() {
        assert_eq!(
            words(r##"a "b \" c" d r#"e " f"# g br"h" i b"j" k c"l" m"##),
            ["a", "d", "g", "i", "k", "m"]
        );
        assert_eq!(words(r#"a "// no comment" b"#), ["a", "b"]);
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        let source = r"fn f<'a>(x: &'a str) { ['x', '\'', '\\', b'y', '(', '\u{1F600}'] }";
        let kinds: Vec<_> =
            tokens(source).iter().filter(|t| t.kind == Kind::Lifetime).map(|t| t.text).collect();
        assert_eq!(kinds, ["'a", "'a"]);
        assert_eq!(tokens(source).last().unwrap().text, "}");
        assert!(words("&'static str").iter().all(|word| *word != "static"));
    }

    #[test]
    fn numbers_keep_their_dots_to_themselves() {
        assert_eq!(texts("0..5"), ["0", ".", ".", "5"]);
        assert_eq!(texts("1.5e3 0x1f_u8 7.max"), ["1.5e3", "0x1f_u8", "7", ".", "max"]);
    }

    #[test]
    fn raw_names_and_paths_are_whole() {
        assert_eq!(texts("r#type::x"), ["r#type", "::", "x"]);
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let found = tokens("a\n/* \n */ b \"\n\" c");
        let lines: Vec<_> = found.iter().map(|token| (token.line, token.last_line)).collect();
        assert_eq!(lines, [(1, 1), (3, 3), (3, 4), (4, 4)]);
    }

    #[test]
    fn unfinished_source_ends() {
        for source in ["\"abc", "r#\"abc", "/* abc", "'", "b'", "r#", "'\\", "1."] {
            tokens(source);
        }
    }
}
