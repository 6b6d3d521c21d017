//! Calls of tier 1 that the fuzzer chooses, held against a plain map.
#![no_main]

#[path = "../../crates/cache-memory/tests/model/plain.rs"]
mod plain;
#[path = "../../crates/cache-memory/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use plain::{Call, KEYS, TOKENS, Test};

/// Four bytes are a call.
fn call([kind, a, b, c]: [u8; 4]) -> Call {
    let (key, weight, ttl) = (u32::from(a) % KEYS, u64::from(b) % 12, 1 + u64::from(c) % 40);
    let slot = usize::from(a) % TOKENS;
    match kind % 12 {
        0..=3 => Call::Insert { key, weight, ttl },
        4 => Call::Fill { token: slot, weight, ttl },
        5 => Call::Token { key, slot: usize::from(b) % TOKENS },
        6 | 7 => Call::Get(key),
        8 => Call::Remove(key),
        9 => Call::Advance(1 + u64::from(a) % 20),
        10 => Call::RetainMultiplesOf(1 + u64::from(a) % 3),
        _ if a % 2 == 0 => Call::Retire,
        _ => Call::Clear,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&[entries, weight, shards], calls)) = bytes.split_first_chunk() else { return };
    let shards = 1 << (shards % 3);
    let entries = (1 + usize::from(entries) % 40).max(shards);
    let mut test = Test::new(entries, [10, 60, 1000][usize::from(weight) % 3], shards);
    for chunk in calls.chunks_exact(4) {
        if let Ok(chunk) = chunk.try_into() {
            test.run(&call(chunk));
        }
    }
    test.cache.clear();
    assert_eq!((test.cache.weight(), test.cache.len()), (0, 0));
});
