//! Whether a key matches a pattern, by the rules that Redis has for its own patterns.

/// Whether `text` is as `pattern` says: `*` any text, `?` any character, `[ab]`, `[a-c]` and `[^ab]` one of these or none of
/// these, `\` before a character that is to mean itself. Takes no longer than the product of both lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // The last star, and where the text goes on if the star takes one character more.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        let one = text.get(t).and_then(|&c| one(&pattern[p..], c));
        match (one, star) {
            (Some(length), _) => (p, t) = (p + length, t + 1),
            _ if p == pattern.len() && t == text.len() => return true,
            (None, Some((at, from))) if from < text.len() => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// How many characters of the pattern stand for this one, if they do.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        [] => None,
        ['?', ..] => Some(1),
        ['[', set @ ..] => one_of(set, c).map(|length| length + 1),
        ['\\', literal, ..] => (*literal == c).then_some(2),
        [literal, ..] => (*literal == c).then_some(1),
    }
}

/// As [`one`], behind the `[`. A set that is not closed ends with the pattern.
fn one_of(set: &[char], c: char) -> Option<usize> {
    let negated = set.first() == Some(&'^');
    let (mut at, mut found) = (usize::from(negated), false);
    loop {
        at += match set[at..] {
            [] => break,
            [']', ..] => {
                at += 1;
                break;
            }
            ['\\', literal, ..] => {
                found |= literal == c;
                2
            }
            [from, '-', to, ..] => {
                found |= (from.min(to)..=from.max(to)).contains(&c);
                3
            }
            [literal, ..] => {
                found |= literal == c;
                1
            }
        };
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("user:*", "user:1:x", true),
            ("user:*", "users:1", false),
            ("*:1", "user:1", true),
            ("*a*b*c", "xaybzbc", true),
            ("*a*b*c", "xaybzb", false),
            ("**", "a", true),
            ("u?er", "user", true),
            ("u?er", "uer", false),
            ("?", "é", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-c]llo", "hdllo", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[\\]]", "]", true),
            ("[a", "a", true),
            ("[a", "b", false),
            ("a", "ab", false),
            ("ab", "a", false),
            ("\\", "\\", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches(&"*a".repeat(500), &"a".repeat(499)));
        assert!(matches(&"*a".repeat(500), &"a".repeat(1000)));
    }
}
