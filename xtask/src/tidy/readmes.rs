//! The README of a crate is its documentation as well as its page on a code host, and stands alone for whoever has just
//! that crate. Its links must be of use in all three places.

use super::Finding;
use crate::links::resolve;
use crate::tree::Tree;

/// Links that only rustdoc can follow, because they name items, and links that leave the crate.
pub(super) fn dead_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(folder) = folder_of_crate(&file.path) else { continue };
        let links = links(&without_fences(&file.text));
        let defined = |label: &str| {
            links
                .iter()
                .any(|link| matches!(&link.to, To::Defined(named, _) if named.eq_ignore_ascii_case(label)))
        };
        for link in &links {
            let problem = match &link.to {
                To::Place(place) | To::Defined(_, place) => problem_of(tree, &file.path, folder, place),
                To::Label(label) => (!defined(label)).then_some(ITEM),
            };
            findings
                .extend(problem.map(|problem| Finding::at(&file.path, link.line, link.to.shown(problem))));
        }
    }
    findings
}

const ITEM: &str = "only rustdoc can follow: write the item as code, without a link";
const OUTSIDE: &str = "leaves the crate: name the page instead";

/// `crates/x/`, if this is the README of the crate `x`.
fn folder_of_crate(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("README.md")?;
    let name = folder.strip_prefix("crates/")?.strip_suffix('/')?;
    (!name.contains('/')).then_some(folder)
}

fn problem_of(tree: &Tree, from: &str, folder: &str, place: &str) -> Option<&'static str> {
    let is_elsewhere = place.contains("://") || place.starts_with("mailto:");
    let path = place.split('#').next().unwrap_or_default();
    if is_elsewhere || path.is_empty() {
        return None;
    }
    let target = resolve(from, path);
    if path.starts_with('/') || (path.contains('/') && !format!("{target}/").starts_with(folder)) {
        return Some(OUTSIDE);
    }
    let is_file = tree.file(&target).is_some()
        // What is no text is no file of the tree, but still a file.
        || (!tree.root.as_os_str().is_empty() && tree.root.join(&target).exists());
    (!is_file).then_some(ITEM)
}

struct Link {
    line: usize,
    to: To,
}

enum To {
    /// `[text](place)`.
    Place(String),
    /// `[label]: place`.
    Defined(String, String),
    /// `[label]`, `[label][]` or `[text][label]`.
    Label(String),
}

impl To {
    fn shown(&self, problem: &str) -> String {
        match self {
            Self::Place(it) | Self::Defined(_, it) => format!("the link to `{it}` {problem}"),
            Self::Label(it) => format!("the link `[{it}]` {problem}"),
        }
    }
}

/// All that is a link, or would be one for rustdoc.
fn links(text: &str) -> Vec<Link> {
    let (bytes, mut found, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'`' => at = after_code(text, at),
            b'[' => {
                if let Some(to) = closing(text, at).and_then(|end| link_at(text, at, end)) {
                    found.push(Link { line: text[..at].matches('\n').count() + 1, to });
                }
                // What stands in the brackets may hold a link too, as a picture that is one.
                at += 1;
            }
            _ => at += 1,
        }
    }
    found
}

/// What the brackets at `open` and `end` are, given what follows them.
fn link_at(text: &str, open: usize, end: usize) -> Option<To> {
    let (label, rest) = (&text[open + 1..end], &text[end + 1..]);
    let is_first = open == 0 || text[..open].ends_with('\n');
    if let Some(place) = rest.strip_prefix('(') {
        let place = place.split([')', ' ', '\n']).next().unwrap_or_default();
        return Some(To::Place(place.trim_matches(['<', '>']).to_owned()));
    }
    if let Some(place) = rest.strip_prefix(':').filter(|_| is_first) {
        let place = place.split_whitespace().next()?;
        return Some(To::Defined(label.to_owned(), place.trim_matches(['<', '>']).to_owned()));
    }
    if let Some((named, _)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return Some(To::Label(if named.is_empty() { label } else { named }.to_owned()));
    }
    // The second part of the form before.
    if text[..open].ends_with(']') {
        return None;
    }
    may_be_an_item(label).then(|| To::Label(label.to_owned()))
}

/// Whether rustdoc would look for an item of this name: `` `Cache::get` ``, `crate`, `macro!`.
fn may_be_an_item(label: &str) -> bool {
    let name = label.trim_matches('`');
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_:!()<>@&".contains(c))
}

/// Where the code that begins at this back-tick has ended; right behind the ticks if it never does.
fn after_code(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let ticks = rest.len() - rest.trim_start_matches('`').len();
    let paragraph = rest.find("\n\n").unwrap_or(rest.len()).max(ticks);
    rest[ticks..paragraph].find(&rest[..ticks]).map_or(at + ticks, |length| at + ticks + length + ticks)
}

/// The bracket that closes the one at `open`, in the same paragraph.
fn closing(text: &str, open: usize) -> Option<usize> {
    let (bytes, mut at, mut depth) = (text.as_bytes(), open, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'`' => {
                at = after_code(text, at);
                continue;
            }
            b'\n' if bytes.get(at + 1) == Some(&b'\n') => return None,
            b'[' => depth += 1,
            b']' if depth == 1 => return Some(at),
            b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The same lines, those of fenced code empty.
fn without_fences(text: &str) -> String {
    let mut is_code = false;
    let prose = text.lines().map(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if is_code || is_fence { "" } else { line }
    });
    prose.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, text), ("crates/x/notes.md", ""), ("docs/page.md", "")]);
        dead_links(&tree).iter().map(ToString::to_string).collect()
    }

    fn found(text: &str) -> Vec<String> {
        found_in("crates/x/README.md", text)
    }

    #[test]
    fn a_link_that_names_an_item_is_found_in_every_spelling() {
        for dead in [
            "[`Cache`]",
            "[`Cache::get`]",
            "[Cache]",
            "[crate]",
            "[`cached!`][]",
            "[the cache][Cache]",
            "[the\ncache][`Cache`]",
            "[`Cache`](crate::Cache)",
            "[open](Cache::open)",
            "[open](struct.Cache.html)",
            "[open](Cache#method.open)",
            "[open\nit](Cache)",
            "[`Cache`]: crate::Cache",
            "[![`Cache`]](https://example.org/x)",
        ] {
            let found = found(&format!("# x\n\nSee {dead}.\n").replace("See [`Cache`]:", "[`Cache`]:"));
            assert_eq!(found.len(), 1, "{dead}: {found:?}");
            assert!(found[0].starts_with("crates/x/README.md:3: the link"), "{found:?}");
        }
    }

    #[test]
    fn a_link_that_leaves_the_crate_is_found() {
        for outside in ["../../docs/page.md", "../y/README.md#x", "../../README.md", "/docs/page.md"] {
            let found = found(&format!("![x]({outside})\n"));
            assert!(found.len() == 1 && found[0].contains("leaves the crate"), "{outside}: {found:?}");
        }
    }

    #[test]
    fn what_all_can_follow_is_fine() {
        let fine = "# A page\n[up](#a-page) [web](https://example.org/x) <https://example.org>\n\
                    [notes](notes.md) [again](./notes.md#x) [it] [the text][it]\n\n\
                    [it]: https://example.org/y\n[mail](mailto:x@example.org)\n";
        assert_eq!(found(fine), Vec::<String>::new());
    }

    #[test]
    fn code_and_brackets_are_no_links() {
        let fine = "`Cache` and ``[`Cache`]`` and `a[0](b)`, `[x]`\n\n\
                    ```rust\n/// [`Cache`](crate::Cache)\n```\n\n\
                    say `user:[a-c]` or \\[Cache\\], cachectl keys [--limit N], a [ ] and a lone ` tick [a, b]\n";
        assert_eq!(found(fine), Vec::<String>::new());
    }

    #[test]
    fn only_readmes_of_crates_are_looked_at() {
        for path in ["README.md", "docs/README.md", "crates/x/notes.md", "crates/x/tests/README.md"] {
            assert_eq!(found_in(path, "[`Cache`](crate::Cache)\n"), Vec::<String>::new(), "{path}");
        }
    }
}
