//! Names under which people look for things here: those of the older system's guide. Each has to be found in the search of
//! the documentation, as a name of ours or as a `#[doc(alias)]`. That of an item in a private module stands on the `pub use`
//! that shows it: rustdoc loses those of the item itself.

use std::path::Path;

const SYMBOLS: &[&str] = &[
    // The factory and what it takes.
    "CacheFactory",
    "for_web_app",
    "for_ai_app",
    "for_testing",
    "create_cache_from_config",
    "create_production_cache",
    "create_environment_cache",
    "create_high_performance_cache",
    "CACHE_CONFIG",
    "CACHE_CONFIGS",
    "redis_url",
    "default_ttl",
    "fail_on_connection_error",
    "l1_cache_size",
    "enable_l1_cache",
    "compression_threshold",
    "compression_level",
    "text_hash_threshold",
    "operation_ttls",
    "performance_monitor",
    "use_memory_cache",
    "max_size",
    "connect",
    "validate_cache_config",
    // Caches and their calls.
    "InMemoryCache",
    "GenericRedisCache",
    "AIResponseCache",
    "get",
    "set",
    "delete",
    "ttl",
    "get_multiple_cached",
    "cache_multiple_users",
    "gather",
    "robust_cache_get",
    "robust_cache_set",
    "invalidate_all",
    "get_active_keys",
    "preload_hot_data",
    // Keys, times, options of operations.
    "user_cache_key",
    "session_cache_key",
    "cache_key",
    "TTL_STRATEGIES",
    "base_ttls",
    "calculate_dynamic_ttl",
    "OPERATION_SCHEMAS",
    "normalize_options",
    // Answers of models.
    "cache_response",
    "get_cached_response",
    "CacheKeyGenerator",
    "generate_cache_key",
    "debug_ai_cache_key",
    // Watching.
    "get_cache_stats",
    "hit_ratio",
    "total_operations",
    "memory_usage",
    "total_mb",
    "utilization",
    "cache_health_check",
    "debug_cache_operations",
    "CachePerformanceMonitor",
    "configure_thresholds",
    "memory_warning",
    "memory_critical",
    "hit_ratio_warning",
    "operation_slow",
    "diagnose_cache_issues",
    "investigate_low_hit_rates",
    "optimize_memory_usage",
    // Errors and the breaker.
    "InfrastructureError",
    "ValidationError",
    "CircuitBreaker",
    "CacheWithCircuitBreaker",
    "failure_threshold",
    "recovery_timeout",
    "is_open",
    "record_success",
    "record_failure",
    // Development and tests.
    "DevCacheUtils",
    "clear_all_cache",
    "inspect_cache_keys",
    "cache_warmup",
    "test_cache",
    "redis_test_cache",
    "CacheTestHelpers",
    "assert_cache_hit",
    "assert_cache_miss",
    "populate_test_cache",
];

/// Those that the built documentation below `target/doc` does not know.
///
/// # Errors
/// If the index of its search cannot be read.
pub(crate) fn missing_in_index(root: &Path) -> Result<Vec<&'static str>, String> {
    let documentation = root.join("target/doc");
    // One file in older versions of rustdoc, a folder in newer ones.
    let (file, folder) = (documentation.join("search-index.js"), documentation.join("search.index/name"));
    let mut index = std::fs::read_to_string(file).unwrap_or_default();
    for part in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        index.push_str(&std::fs::read_to_string(part.path()).unwrap_or_default());
    }
    if index.is_empty() {
        return Err("the documentation has no index that this knows how to read".into());
    }
    Ok(SYMBOLS.iter().filter(|symbol| !is_in(&index, symbol)).copied().collect())
}

/// Whether an index has a name: in quotes, or with its length before it.
fn is_in(index: &str, symbol: &str) -> bool {
    index.contains(&format!("\"{symbol}\"")) || index.contains(&(length(symbol.len()) + symbol))
}

/// A length as the index writes it: a letter for each hexadecimal digit, a small one for the last.
fn length(mut rest: usize) -> String {
    let mut letters = Vec::new();
    let mut case = b'`';
    loop {
        letters.push(char::from(case + u8::try_from(rest % 16).unwrap_or_default()));
        (rest, case) = (rest / 16, b'@');
        if rest == 0 {
            return letters.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust::split;
    use crate::tree::Tree;

    /// Those that no public item of the crates has as its name or alias.
    fn missing_in_source(tree: &Tree) -> Vec<&'static str> {
        let mut missing = SYMBOLS.to_vec();
        for file in tree.below("crates", ".rs").iter().filter(|file| file.path.contains("/src/")) {
            let shipped = split(&file.path, &file.text).shipped;
            let texts: Vec<&str> = shipped.iter().map(|token| token.text).collect();
            for (at, text) in texts.iter().enumerate() {
                let before = |back: usize| at.checked_sub(back).map_or("", |at| texts[at]);
                let is_alias = before(1) == "=" && before(2) == "alias";
                let is_item = matches!(before(1), "fn" | "struct" | "enum" | "trait" | "type")
                    || before(1) == "pub"
                    || (before(1) == "!" && before(2) == "macro_rules");
                if is_alias || is_item {
                    missing.retain(|symbol| text.trim_matches('"') != *symbol);
                }
            }
        }
        missing
    }

    #[test]
    fn every_symbol_of_the_guide_is_a_name_or_an_alias() {
        let missing = missing_in_source(&Tree::load().unwrap());
        assert!(missing.is_empty(), "nothing has these as `#[doc(alias)]`: {missing:?}");
    }

    #[test]
    fn a_comment_or_a_test_makes_no_name() {
        let source =
            "// #[doc(alias = \"gather\")]\n#[cfg(test)] mod tests { fn gather() {} } fn f() { gather() }";
        let tree = Tree::of(&[("crates/x/src/lib.rs", source)]);
        assert!(missing_in_source(&tree).contains(&"gather"));
        let tree = Tree::of(&[("crates/x/src/lib.rs", "#[doc(alias = \"gather\")] pub fn f() {}")]);
        assert!(!missing_in_source(&tree).contains(&"gather"));
    }

    #[test]
    fn a_name_is_found_in_an_index_of_either_form() {
        // As rustdoc 1.95 and one of before wrote them.
        let index = "rd_(\"atb()dkeysmInMemoryCacheAafailure_threshold\")";
        assert!(["keys", "InMemoryCache", "failure_threshold"].iter().all(|name| is_in(index, name)));
        assert!(!is_in(index, "Memory") && !is_in(index, "key"));
        assert!(is_in("[\"a\",\"get_active_keys\"]", "get_active_keys"));
        assert_eq!((length(1), length(16), length(17)), ("a".into(), "A`".into(), "Aa".into()));
    }
}
