//! Bytes in, the same bytes out.

use bytes::Bytes;
use cache_core::{ErrorKind, MAX_KEY_LEN, PutIf, RemoveIf};

use super::Bed;
use super::bed::long;
use super::need::namespace;

/// The largest value that the suite moves, if the store allows more.
const LARGE: usize = 8 << 20;

pub(super) async fn a_key_without_a_value_is_a_miss(bed: &Bed) {
    assert_eq!(bed.stored(&bed.key("nothing")).await, None);
}

pub(super) async fn a_value_comes_back_byte_for_byte(bed: &Bed) {
    let values: [&[u8]; 9] = [
        b"plain",
        b"\0",
        b"before\0after",
        b"line\r\nline\r\n",
        b"$-1\r\n_\r\n",
        "\u{1F980} \u{00e9} \u{202e}".as_bytes(),
        b"\xff\xfe\xfd not UTF-8",
        b"  spaces kept  \n",
        b"-1",
    ];
    let all_bytes: Vec<u8> = (0..=u8::MAX).cycle().take(70_000).collect();
    let key = bed.key("binary");
    for value in values.into_iter().chain([&all_bytes[..]]) {
        bed.put(&key, value.to_vec(), long()).await;
        let back = bed.bytes(&key).await;
        assert!(back.as_deref() == Some(value), "{} bytes come back as they went", value.len());
    }
}

pub(super) async fn an_empty_value_is_a_value(bed: &Bed) {
    let key = bed.key("empty");
    bed.put(&key, Bytes::new(), long()).await;
    assert_eq!(bed.bytes(&key).await, Some(Bytes::new()));
    assert!(bed.stored(&key).await.is_some_and(|stored| stored.remaining.is_some()));
    let absent = bed.store.put(&key, "v".into(), long(), PutIf::Absent).await.expect("put answers");
    assert!(!absent.stored, "an empty value is not an absent one");
}

pub(super) async fn a_value_of_the_longest_length_fits(bed: &Bed) {
    let length = bed.store.capability().max_value.min(LARGE);
    let value: Bytes = (0..=u8::MAX).rev().cycle().take(length).collect();
    let key = bed.key("large");
    bed.put(&key, value.clone(), long()).await;
    assert!(bed.bytes(&key).await == Some(value), "{length} bytes come back as they went");
}

pub(super) async fn a_longer_value_is_too_large(bed: &Bed) {
    let max = bed.store.capability().max_value;
    if max > LARGE * 8 {
        return;
    }
    let key = bed.key("too-large");
    bed.put(&key, "before", long()).await;
    let error = bed.store.put(&key, vec![0; max + 1].into(), long(), PutIf::Always).await;
    assert_eq!(error.expect_err("the put is refused").kind(), ErrorKind::TooLarge);
    assert_eq!(bed.bytes(&key).await.as_deref(), Some(&b"before"[..]));
}

pub(super) async fn every_key_is_a_key_of_its_own(bed: &Bed) {
    let longest = "x".repeat(MAX_KEY_LEN);
    let almost = format!("{}y", "x".repeat(MAX_KEY_LEN - 1));
    let users = [
        "k",
        "K",
        "k ",
        " k",
        "k:",
        ":k",
        "k\0",
        "k\0\0",
        "k\r\n",
        "k\n",
        "\r\n",
        "\0",
        "*",
        "?",
        "[k]",
        "\\",
        "{k}",
        "{k}1",
        "%6B",
        "\u{1F980}",
        "\u{00e9}",
        "e\u{0301}",
        "\"k\"",
        "'k'",
        "$1",
        &longest,
        &almost,
    ];
    for (i, user) in users.iter().enumerate() {
        bed.put(&bed.key(user), i.to_string(), long()).await;
    }
    for (i, user) in users.iter().enumerate() {
        assert_eq!(bed.bytes(&bed.key(user)).await, Some(i.to_string().into()), "{user:?}");
    }
}

pub(super) async fn a_later_put_replaces_an_earlier_one(bed: &Bed) {
    let key = bed.key("k");
    for value in ["a long first value", "short", "", "again"] {
        bed.put(&key, value, long()).await;
        assert_eq!(bed.bytes(&key).await, Some(value.into()));
    }
}

pub(super) async fn namespaces_do_not_see_one_another(bed: &Bed) {
    let longer = namespace(&format!("{}Abc", bed.namespace.as_str()));
    let key = bed.key("k");
    let foreign = longer.key("k").expect("a key of the suite is valid");
    bed.put(&key, "mine", long()).await;
    assert_eq!(bed.stored(&foreign).await, None);
    bed.put(&foreign, "theirs", long()).await;
    assert_eq!(bed.bytes(&key).await, Some("mine".into()));
    assert!(bed.store.remove(&foreign, RemoveIf::Always).await.expect("remove answers"));
    assert_eq!(bed.bytes(&key).await, Some("mine".into()));
}

pub(super) async fn a_removed_value_is_gone(bed: &Bed) {
    let key = bed.key("k");
    assert!(!bed.store.remove(&key, RemoveIf::Always).await.expect("remove answers"), "nothing was there");
    bed.put(&key, "v", long()).await;
    assert!(bed.store.remove(&key, RemoveIf::Always).await.expect("remove answers"), "something was there");
    assert_eq!(bed.stored(&key).await, None);
    assert!(!bed.store.remove(&key, RemoveIf::Always).await.expect("remove answers"), "it is gone already");
}
