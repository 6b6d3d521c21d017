//! Texts in pieces.

/// A text in pieces of at most so many characters; whole without a limit; none of an empty one.
pub(super) fn pieces(text: &str, characters: Option<usize>) -> Vec<&str> {
    let Some(limit) = characters.filter(|_| !text.is_empty()) else {
        return if text.is_empty() { Vec::new() } else { vec![text] };
    };
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().nth(limit.max(1)).map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn pieces_make_the_text() {
        assert_eq!(pieces("", Some(2)), Vec::<&str>::new());
        assert_eq!(pieces("", None), Vec::<&str>::new());
        assert_eq!(pieces("äöüß", None), ["äöüß"]);
        assert_eq!(pieces("äöüß!", Some(2)), ["äö", "üß", "!"]);
        assert_eq!(pieces("ab", Some(0)), ["a", "b"]);
    }
}
