//! A value as a line of JSON: `{"key": …, "value": …, "ttl_ms": …, "tags": […]}`, the last two as one likes.

use std::io::{BufRead, Read};
use std::time::Duration;

use cache_factory::SetOptions;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::Failure;
use crate::json;

/// The longest line that is read, in bytes.
const LONGEST: u64 = 128 << 20;
/// Bad lines that are named.
const NAMED: usize = 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
}

impl Line {
    pub(crate) fn options(&self) -> SetOptions {
        let mut options = SetOptions::default();
        options.fresh_for = self.ttl_ms.map(Duration::from_millis);
        options.tags.clone_from(&self.tags);
        options
    }
}

/// All lines, before anything is stored: half a file is worse than none. If some are wrong, all are looked at.
pub(crate) fn read(mut input: impl BufRead) -> Result<Vec<Line>, Failure> {
    let (mut lines, mut number, mut text) = (Vec::new(), 0, String::new());
    let (mut named, mut more) = (Vec::new(), 0_u64);
    loop {
        number += 1;
        text.clear();
        let (is_last, found) = match Read::take(&mut input, LONGEST).read_line(&mut text) {
            Ok(0) => break,
            Ok(_) if text.trim().is_empty() => continue,
            Ok(_) => (false, line(&text)),
            Err(error) => (true, Err(error.kind().to_string())),
        };
        match found {
            Ok(line) => lines.push(line),
            Err(problem) if named.len() < NAMED => named.push(format!("line {number}: {problem}")),
            Err(_) => more += 1,
        }
        if is_last {
            break;
        }
    }
    if named.is_empty() {
        return Ok(lines);
    }
    if more > 0 {
        named.push(format!("{more} more are wrong"));
    }
    Err(Failure::bad_use(format!("{}; nothing was stored", named.join("; "))))
}

/// A line, or what is wrong with it.
fn line(text: &str) -> Result<Line, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| {
        // Its own words may repeat a value.
        let column = error.column();
        format!(
            "it is not like {{\"key\": …, \"value\": …, \"ttl_ms\": …, \"tags\": […]}}, see column {column}"
        )
    })?;
    if !json::has_exact_integers(text) {
        return Err("an integer beyond 64 bits would be stored as another: write it as a text".into());
    }
    cache_core::check_key(&line.key).map_err(|error| error.message().to_owned())?;
    line.options().validate().map_err(|error| error.message().to_owned())?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bad_lines_are_named_at_once_and_no_more_than_can_be_read() {
        let failure =
            read(&b"canary\n{\"key\":\"a\",\"value\":1}\n{\"key\":\"\",\"value\":1}\n"[..]).err().unwrap();
        for words in ["line 1: it is not like", "; line 3: the key is empty", "; nothing was stored"] {
            assert!(failure.message.contains(words), "{failure:?}");
        }
        let failure = read("canary\n".repeat(50).as_bytes()).err().unwrap();
        assert_eq!(failure.message.matches("line ").count(), 20, "{failure:?}");
        assert!(failure.message.ends_with("; 30 more are wrong; nothing was stored"), "{failure:?}");
        // What is no text at all ends it.
        let failure = read(&b"canary\n\xff\ncanary"[..]).err().unwrap();
        assert_eq!(failure.message.matches("line ").count(), 2, "{failure:?}");
    }

    #[test]
    fn an_integer_that_would_be_stored_as_another_is_refused() {
        let read = |value: &str| read(format!("{{\"key\":\"a\",\"value\":{value}}}").as_bytes());
        for bad in [
            "123456789012345678901234567890",
            "18446744073709551616",
            "-9223372036854775809",
            "{\"a\":[1,{\"b\":99999999999999999999}]}",
            "[\"\\\"\",99999999999999999999]",
        ] {
            let failure = read(bad).err().unwrap();
            assert!(failure.message.contains("line 1: an integer beyond 64 bits"), "{failure:?}");
        }
        for good in [
            "18446744073709551615",
            "-9223372036854775808",
            "\"123456789012345678901234567890\"",
            "\"\\\"99999999999999999999\"",
            "{\"99999999999999999999\":0}",
            "1.5e300",
            "123456789012345678901234567890.5",
            "[-0,0,1e2]",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_its_content_is_not() {
        let read = |text: &str| read(text.as_bytes());
        assert_eq!(read("{\"key\":\"a\",\"value\":null}\n\n{\"key\":\"b\",\"value\":[1]}").unwrap().len(), 2);
        for bad in [
            "{\"key\":\"canary\"}",
            "canary",
            "{\"key\":\"\",\"value\":1}",
            "{\"key\":\"a\",\"value\":1,\"canary\":1}",
            "{\"key\":\"a\",\"value\":1,\"ttl_ms\":0}",
        ] {
            let failure = read(&format!("{{\"key\":\"a\",\"value\":1}}\n{bad}")).err().unwrap();
            assert!(
                failure.message.starts_with("line 2: ") && !failure.message.contains("canary"),
                "{failure:?}"
            );
        }
    }
}
