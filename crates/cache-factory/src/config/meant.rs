//! What somebody who mistyped a name may have meant.

/// Names that are less alike than this are no help.
const ALIKE: f64 = 0.6;

/// `; did you mean …?` with the known name that is most like this one, or nothing if none is like it.
pub(super) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let alike = known.map(|known| (strsim::sorensen_dice(name, known), known));
    let nearest = alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_right_is_known_and_another_is_not() {
        let known = ["type", "default_ttl", "l1_cache_size", "l1_max_bytes"];
        for (name, hint) in [
            ("default_tll", "; did you mean default_ttl?"),
            ("l1_size", "; did you mean l1_cache_size?"),
            ("hunter2", ""),
            ("", ""),
        ] {
            assert_eq!(meant(name, known.into_iter()), hint);
        }
    }
}
