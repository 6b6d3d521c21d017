//! The pages of `docs` as a book: what its table of contents must hold, and how it is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tidy::Finding;
use crate::tree::Tree;
use crate::{Outcome, process};

const FOLDER: &str = "docs/";
const CONTENTS: &str = "docs/SUMMARY.md";
const BUILT: &str = "target/book";

/// Pages that the table of contents does not list once, and links that leave the book: its reader has only the book.
pub(crate) fn loose_ends(tree: &Tree) -> Vec<Finding> {
    let Some(contents) = tree.file(CONTENTS) else { return vec![Finding::of(CONTENTS, "is missing")] };
    let mut findings = Vec::new();
    for page in tree.files.iter().filter(|file| file.path.starts_with(FOLDER) && file.path.ends_with(".md")) {
        let within = &page.path[FOLDER.len()..];
        let listed = contents.text.matches(&format!("]({within})")).count();
        if page.path != CONTENTS && listed != 1 {
            findings.push(Finding::of(&page.path, format!("stands {listed} times in {CONTENTS}, not once")));
        }
        for (line, link) in crate::links::links(&page.text) {
            let path = link.split('#').next().unwrap_or_default();
            let is_here = !path.is_empty() && !link.contains("://") && !link.starts_with("mailto:");
            if is_here && !crate::links::resolve(&page.path, path).starts_with(FOLDER.trim_end_matches('/')) {
                findings.push(Finding::at(
                    &page.path,
                    line,
                    format!("the link `{link}` leaves the book: name the file instead"),
                ));
            }
        }
    }
    findings
}

/// Builds the book and follows the links of what came out.
pub(crate) fn build(root: &Path) -> Outcome {
    if !process::silent(Command::new("mdbook").arg("--version")) {
        println!(
            "\nSKIPPED mdbook: it is not installed (`cargo install --locked mdbook`), so the book was not built"
        );
        return Ok(true);
    }
    if !process::shown(Command::new("mdbook").current_dir(root).args(["build", "docs"]))? {
        return Ok(false);
    }
    let folder = root.join(BUILT);
    let (pages, broken) =
        follow(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    for (page, link) in &broken {
        println!("{}: the link `{link}` leads nowhere", page.display());
    }
    println!("\n{pages} pages of the book, {} broken links", broken.len());
    Ok(broken.is_empty() && pages > 0)
}

/// How many pages there are, and which of their links lead nowhere. The page that a server shows for one that is missing
/// has the links of wherever it is put.
fn follow(folder: &Path) -> std::io::Result<(usize, Vec<(PathBuf, String)>)> {
    let (mut pages, mut broken) = (0, Vec::new());
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "html") && !path.ends_with("404.html") {
                pages += 1;
                let text = std::fs::read_to_string(&path)?;
                broken.extend(
                    targets(&text)
                        .filter(|link| !leads_somewhere(&path, link))
                        .map(|link| (path.clone(), link.to_owned())),
                );
            }
        }
    }
    Ok((pages, broken))
}

/// What `href` and `src` say, without addresses elsewhere.
fn targets(html: &str) -> impl Iterator<Item = &str> {
    ["href=\"", "src=\""]
        .into_iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| !link.is_empty() && !link.contains(':'))
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let mut target = match path {
        "" => page.to_path_buf(),
        path => page.with_file_name("").join(path),
    };
    if target.is_dir() {
        target.push("index.html");
    }
    // The printed book has the anchors of all pages, renamed.
    let is_page = target.extension().is_some_and(|end| end == "html") && !page.ends_with("print.html");
    match (is_page && !anchor.is_empty()).then(|| std::fs::read_to_string(&target)) {
        Some(text) => text.is_ok_and(|text| text.contains(&format!("id=\"{anchor}\""))),
        None => target.is_file(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[(&str, &str)] = &[
        ("docs/SUMMARY.md", "- [A](a.md)\n  - [B](deep/b.md)\n"),
        ("docs/a.md", "[b](deep/b.md) [web](https://example.org/x) [deep](deep/)\n"),
        ("docs/deep/b.md", "[a](../a.md#top)\n"),
        ("README.md", "[a](docs/a.md)\n"),
    ];

    fn with(path: &str, text: &str) -> Vec<String> {
        let mut tree = Tree::of(FILES);
        tree.files.retain(|file| file.path != path);
        tree.files.push(crate::tree::File { path: path.into(), text: text.into() });
        loose_ends(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_book_whose_pages_are_listed_is_fine() {
        assert_eq!(loose_ends(&Tree::of(FILES)), []);
    }

    #[test]
    fn a_page_that_is_not_listed_once_is_found() {
        assert_eq!(with("docs/c.md", "").len(), 1);
        assert_eq!(with("docs/SUMMARY.md", "[A](a.md) [A](a.md) [B](deep/b.md)").len(), 1);
    }

    #[test]
    fn a_link_out_of_the_book_is_found() {
        let found = with("docs/deep/b.md", "text\n[x](../../README.md)\n");
        assert!(found.len() == 1 && found[0].starts_with("docs/deep/b.md:2: "), "{found:?}");
    }

    #[test]
    fn links_of_built_pages_are_followed() {
        let folder = std::env::temp_dir().join(format!("cache-book-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        let index =
            "<a href=\"deep/b.html#x\">b</a> <a href=\"deep/\">d</a> <a href=\"https://example.org/\">w</a>";
        std::fs::write(folder.join("index.html"), index).unwrap();
        std::fs::write(folder.join("deep/index.html"), "<a href=\"../index.html\">up</a>").unwrap();
        std::fs::write(
            folder.join("deep/b.html"),
            "<h1 id=\"x\">x</h1><a href=\"#y\">y</a><img src=\"no.png\">",
        )
        .unwrap();
        let (pages, broken) = follow(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let links: Vec<&str> = broken.iter().map(|(_, link)| link.as_str()).collect();
        assert_eq!((pages, links), (3, vec!["#y", "no.png"]));
    }
}
