//! A page with places for what is measured.

/// Puts the text between the section's two markers, in place of what is there.
///
/// # Errors
/// If the page has no such place.
pub fn replaced(page: &str, section: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- measured: {section} -->\n"), format!("<!-- end: {section} -->"));
    let place = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = place.ok_or_else(|| format!("the page has no place `{}`", begin.trim_end()))?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page =
            "# A\n<!-- measured: x -->\nold\n<!-- end: x -->\nB\n<!-- measured: y -->\n<!-- end: y -->\n";
        let once = replaced(page, "x", "new\n").unwrap();
        assert_eq!(once, page.replace("old", "\nnew\n"));
        assert_eq!(replaced(&once, "x", "new"), Ok(once.clone()));
        assert!(replaced(page, "z", "").is_err());
    }
}
