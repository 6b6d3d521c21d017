//! Bytes of a store that nobody knows: they are opened, decoded or refused, and nothing else happens.
#![no_main]

use cache_codec::{Limits, Opened, decode, open};
use cache_core::Namespace;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(key) = Namespace::new("fuzz").and_then(|namespace| namespace.key("k")) else { return };
    let stored = bytes.to_vec().into();
    if let Ok(Opened::Value(_, payload)) = open(&stored, &key, &Limits::default()) {
        drop(decode::<Vec<(u64, String)>>(&payload));
    }
});
