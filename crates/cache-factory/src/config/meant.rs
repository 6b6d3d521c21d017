//! What somebody who mistyped a name, or put it into another table, may have meant.

use super::paths::Path;

/// Names that are less alike than this are no help.
const ALIKE: f64 = 0.6;

/// `; did you mean …?` with the known name that is most like this one, or nothing if none is like it. Of two that are
/// equally like it the later one is meant.
pub(super) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    // Where it stands may be what is wrong with it.
    let name = name.replace('.', "_");
    let alike = known.map(|known| (strsim::sorensen_dice(&name, &known.replace('.', "_")), known));
    let nearest = alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, known)| format!("; did you mean {known}?"))
}

/// The same among what a table knows, and all that stands elsewhere.
pub(super) fn meant_here_or_elsewhere(name: &str, here: &[&'static str]) -> String {
    let elsewhere: Vec<String> = Path::all().into_iter().map(Path::dotted).collect();
    meant(name, elsewhere.iter().map(String::as_str).chain(here.iter().copied()))
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

    #[test]
    fn a_name_in_the_wrong_table_is_known_by_the_right_one() {
        for (name, hint) in [
            ("redis_url", "redis.url"),
            ("fail_on_connection_error", "redis.fail_on_connection_error"),
            ("text_hash_threshold", "ai.text_hash_threshold"),
            ("operation_ttls", "ai.operation_ttls"),
            ("hit_ratio_warning", "performance_monitor.hit_ratio_warning"),
            ("defualt_ttl", "default_ttl"),
        ] {
            assert_eq!(
                meant_here_or_elsewhere(name, &["default_ttl", "redis"]),
                format!("; did you mean {hint}?")
            );
        }
        assert_eq!(meant_here_or_elsewhere("l1_cache_size", &["url"]), "; did you mean l1_cache_size?");
    }
}
