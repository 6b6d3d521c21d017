//! What a page shows of Rust can be read and copied as it stands. rustdoc and the book hide the lines of a snippet that
//! begin with `# `; a code host shows them, and they are a syntax error where they are pasted.

use super::Finding;
use crate::tree::Tree;

/// Hidden lines in the Rust of pages that are read on a code host.
pub(super) fn lines(tree: &Tree) -> Vec<Finding> {
    let pages = tree.files.iter().filter(|file| is_page(&file.path));
    pages.flat_map(|page| hidden(&page.text).map(|line| Finding::at(&page.path, line, HIDDEN))).collect()
}

const HIDDEN: &str = "a hidden line: show it, or do without";

/// `README.md` at the root, of a crate and of an example; what is in `docs` and in `docs/guide`.
fn is_page(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["README.md"] | ["crates" | "examples", _, "README.md"] => true,
        ["docs", page] | ["docs", "guide", page] => page.ends_with(".md"),
        _ => false,
    }
}

/// The numbers of the lines that rustdoc would hide.
fn hidden(text: &str) -> impl Iterator<Item = usize> {
    let mut open: Option<Fence<'_>> = None;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let line = line.trim();
        let fence = Fence::read(line);
        match (&open, fence) {
            (Some(it), Some(fence)) if it.is_closed_by(&fence) => open = None,
            (Some(it), _) => return (it.is_rust() && is_hidden(line)).then_some(at + 1),
            (None, fence) => open = fence,
        }
        None
    })
}

fn is_hidden(line: &str) -> bool {
    line == "#" || line.starts_with("# ")
}

/// A line of back-ticks or tildes, and what is said of the code behind it.
struct Fence<'a> {
    sign: char,
    length: usize,
    label: &'a str,
}

impl<'a> Fence<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let sign = line.chars().next().filter(|sign| ['`', '~'].contains(sign))?;
        let label = line.trim_start_matches(sign);
        let length = line.len() - label.len();
        // Code within a line may have as many back-ticks, and more of them behind it.
        (length >= 3 && !label.contains('`')).then_some(Self { sign, length, label: label.trim() })
    }

    fn is_closed_by(&self, other: &Self) -> bool {
        other.label.is_empty() && other.sign == self.sign && other.length >= self.length
    }

    /// Code without a label is Rust for rustdoc too.
    fn is_rust(&self) -> bool {
        let mut words = self.label.split([',', ' ', '{']).filter(|word| !word.is_empty());
        words.next().is_none_or(|word| word == "rust" || ATTRIBUTES.contains(&word))
    }
}

/// What rustdoc knows of Rust without the word itself.
const ATTRIBUTES: &[&str] =
    &["no_run", "should_panic", "compile_fail", "ignore", "test_harness", "standalone_crate"];

#[cfg(test)]
mod tests {
    use super::*;

    fn found_in(path: &str, text: &str) -> Vec<String> {
        lines(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    fn found(text: &str) -> Vec<String> {
        found_in("docs/guide/a.md", text)
    }

    #[test]
    fn a_hidden_line_is_found() {
        for fence in ["```rust", "```rust,no_run", "``` rust", "~~~rust", "````rust", "```no_run", "```"] {
            let end: String = fence.chars().filter(|sign| "`~".contains(*sign)).collect();
            for line in ["# use x::y;", "#", "    # Ok(())", "# #[tokio::main]"] {
                let found = found(&format!("# A page\n\n{fence}\nlet x = 1;\n{line}\n{end}\n\n# More\n"));
                assert_eq!(found, [format!("docs/guide/a.md:5: {HIDDEN}")], "{fence} {line}");
            }
        }
    }

    #[test]
    fn a_snippet_of_a_list_is_looked_at_too() {
        let page = "1. So:\n\n   ```rust\n   # use x::y;\n   y();\n   ```\n\n2. And:\n\n   ```rust\n   # fn main() {}\n   ```\n";
        assert_eq!(found(page).len(), 2);
    }

    #[test]
    fn what_is_shown_is_fine() {
        let page = "# A page\n\n# `#` and ```# x```\n\n\
                    ```rust\n#[derive(Debug)]\n#![allow(x)]\nlet x = r#\"y\"#;\n    #[test]\n## x\n```\n\n\
                    ```sh\n# a comment\n```\n\n```toml\n# another\n#\n```\n\n```text\n```rust\n# no snippet\n```\n\n\
                    # The end\n";
        assert_eq!(found(page), Vec::<String>::new());
    }

    #[test]
    fn pages_that_are_read_on_a_code_host_are_looked_at() {
        let page = "```rust\n# fn main() {}\n```\n";
        for path in
            ["README.md", "crates/x/README.md", "examples/x/README.md", "docs/x.md", "docs/guide/x.md"]
        {
            assert_eq!(found_in(path, page).len(), 1, "{path}");
        }
        for path in ["crates/x/src/lib.rs", "crates/x/tests/README.md", "docs/adr/0001-x.md", "docs/x.rs"] {
            assert_eq!(found_in(path, page), Vec::<String>::new(), "{path}");
        }
    }
}
