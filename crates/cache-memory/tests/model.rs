//! Random calls, held against a plain map. `fuzz/` does the same with calls that a fuzzer chooses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

#[path = "model/plain.rs"]
mod plain;
mod support;

use plain::{Call, KEYS, TOKENS, Test};
use proptest::prelude::*;

fn call() -> impl Strategy<Value = Call> {
    let (key, weight, ttl) = (0..KEYS, 0..12u64, 1..40u64);
    prop_oneof![
        12 => (key.clone(), weight.clone(), ttl.clone()).prop_map(|(key, weight, ttl)| Call::Insert { key, weight, ttl }),
        4 => (0..TOKENS, weight, ttl).prop_map(|(token, weight, ttl)| Call::Fill { token, weight, ttl }),
        4 => (key.clone(), 0..TOKENS).prop_map(|(key, slot)| Call::Token { key, slot }),
        8 => key.clone().prop_map(Call::Get),
        3 => key.prop_map(Call::Remove),
        3 => (1..20u64).prop_map(Call::Advance),
        1 => (1..4u64).prop_map(Call::RetainMultiplesOf),
        1 => Just(Call::Retire),
        1 => Just(Call::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_behaves_like_a_plain_map_that_forgets_only_what_it_must(
        max_entries in 1..20usize,
        max_weight in prop_oneof![Just(10u64), Just(60), Just(1000)],
        shards in prop_oneof![3 => Just(1usize), 1 => Just(2), 1 => Just(4)],
        calls in prop::collection::vec(call(), 1..150),
    ) {
        let mut test = Test::new(max_entries.max(shards), max_weight, shards);
        for call in &calls {
            test.run(call);
        }
        test.cache.clear();
        assert_eq!((test.cache.weight(), test.cache.len()), (0, 0));
    }
}
