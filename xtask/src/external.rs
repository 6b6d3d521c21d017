//! The types of other crates that show in ours: who uses us sees them, and a new major version of theirs is one of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process;
use crate::tidy::is_library;
use crate::tree::{Package, Tree};

const PAGE: &str = "docs/external-types.md";
/// What stands around the table.
const HEAD: &str = "# Types of other crates\n\nWhat stands in the public interface of our crates though it is of others. A new \
                    major version of theirs is one of ours.\nWritten by `cargo xtask api --bless` and compared by `cargo xtask \
                    api`, with all features.\n\n| crate | what | shows in |\n|---|---|---|\n";
/// They are part of the language.
const STANDARD: &[&str] = &["std", "core", "alloc", "proc_macro"];

/// Of a crate and an item of it: those of ours that show it.
type Shown = BTreeMap<(String, String), BTreeSet<String>>;

/// Compares the page with what shows, or writes it. `None` if the documentation cannot be had as data.
pub(crate) fn check(tree: &Tree, bless: bool) -> Result<Option<bool>, String> {
    if !process::silent(nightly(&tree.root).arg("--version")) {
        return Ok(None);
    }
    let ours: BTreeSet<String> = tree.packages.iter().map(|package| package.name.replace('-', "_")).collect();
    let mut shown = Shown::new();
    for package in tree.packages.iter().filter(|package| is_shipped(package)) {
        let name = package.name.replace('-', "_");
        if !process::shown(nightly(&tree.root).args([
            "rustdoc",
            "--quiet",
            "--lib",
            "--all-features",
            "--package",
            &package.name,
            "--target-dir",
            "target/nightly",
            "--",
            "-Zunstable-options",
            "--output-format=json",
        ]))? {
            return Err(format!("the documentation of {} could not be made", package.name));
        }
        let path = tree.root.join("target/nightly/doc").join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let json = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        for item in foreign(&json).ok_or_else(|| format!("{}: its form has changed", path.display()))? {
            if !ours.contains(&item.0) && !STANDARD.contains(&item.0.as_str()) {
                shown.entry(item).or_default().insert(package.name.clone());
            }
        }
    }
    let page = page(&shown);
    if bless {
        std::fs::write(tree.root.join(PAGE), page)
            .map_err(|error| format!("cannot write {PAGE}: {error}"))?;
        return Ok(Some(true));
    }
    let is_same = tree.file(PAGE).is_some_and(|file| file.text == page);
    if !is_same {
        println!("{PAGE} is not what shows; `cargo xtask api --bless` writes it:\n\n{page}");
    }
    Ok(Some(is_same))
}

/// Whether applications link it. Tools and the test kit show what they like.
fn is_shipped(package: &Package) -> bool {
    is_library(package) && !package.is_macro()
}

/// The toolchain that gives documentation as data, which is not the one that runs this program.
pub(crate) fn nightly(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_MANIFEST_DIR").arg("+nightly");
    command
}

/// The items of other crates that public items of this one name: crate and name. `None` if the data is of another form.
fn foreign(json: &Value) -> Option<BTreeSet<(String, String)>> {
    let (paths, crates) = (json.get("paths")?.as_object()?, json.get("external_crates")?.as_object()?);
    let mut ids = BTreeSet::new();
    for item in json.get("index")?.as_object()?.values() {
        let inner = item.get("inner")?;
        // What others implement for all types says nothing of ours.
        let is_others =
            inner.get("impl").is_some_and(|it| !it["blanket_impl"].is_null() || it["is_synthetic"] == true);
        if item.get("crate_id")? == 0 && !is_others {
            collect(inner, &mut ids);
        }
    }
    let found = ids.iter().filter_map(|id| paths.get(id)).filter(|path| path["crate_id"] != 0);
    found
        .map(|path| {
            let owner = crates.get(&path["crate_id"].to_string())?["name"].as_str()?;
            Some((owner.to_owned(), path["path"].as_array()?.last()?.as_str()?.to_owned()))
        })
        .collect()
}

/// Whatever is referred to by its id.
fn collect(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Number(id) if name == "id" => drop(ids.insert(id.to_string())),
                    value => collect(value, ids),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        _ => {}
    }
}

fn page(shown: &Shown) -> String {
    let mut page = HEAD.to_owned();
    for ((owner, item), by) in shown {
        let by: Vec<String> = by.iter().map(|name| format!("`{name}`")).collect();
        page.push_str(&format!("| `{owner}` | `{item}` | {} |\n", by.join(", ")));
    }
    page
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn documented(implemented: &Value) -> Value {
        json!({
            "paths": {
                "1": {"crate_id": 0, "path": ["ours", "Own"]},
                "2": {"crate_id": 7, "path": ["bytes", "bytes", "Bytes"]},
                "3": {"crate_id": 7, "path": ["bytes", "Buf"]},
            },
            "external_crates": {"7": {"name": "bytes"}},
            "index": {
                "10": {"crate_id": 0, "inner": {"function": {"inputs": [["it", {"resolved_path": {"id": 2}}]], "output": {"id": 1}}}},
                "11": {"crate_id": 0, "inner": {"impl": implemented}},
                "12": {"crate_id": 7, "inner": {"function": {"id": 3}}},
            }
        })
    }

    #[test]
    fn what_is_named_of_others_is_found() {
        let ours = json!({"blanket_impl": null, "is_synthetic": false, "trait": {"id": 3}});
        let both = [("bytes".to_owned(), "Buf".to_owned()), ("bytes".to_owned(), "Bytes".to_owned())];
        assert_eq!(foreign(&documented(&ours)), Some(both.into()));
    }

    #[test]
    fn what_others_implement_for_everything_is_not() {
        let one = Some([("bytes".to_owned(), "Bytes".to_owned())].into());
        let blanket = json!({"blanket_impl": {"generic": "T"}, "is_synthetic": false, "trait": {"id": 3}});
        assert_eq!(foreign(&documented(&blanket)), one);
        let synthetic = json!({"blanket_impl": null, "is_synthetic": true, "trait": {"id": 3}});
        assert_eq!(foreign(&documented(&synthetic)), one);
    }

    #[test]
    fn another_form_is_not_taken_for_nothing() {
        assert_eq!(foreign(&json!({"index": {}})), None);
    }

    #[test]
    fn the_page_names_each_once() {
        let by = ["a".to_owned(), "b".to_owned()].into();
        let page = page(&[(("bytes".to_owned(), "Bytes".to_owned()), by)].into());
        assert!(page.ends_with("|---|---|---|\n| `bytes` | `Bytes` | `a`, `b` |\n"), "{page}");
    }
}
