//! An answer that is no `Result`.
use cache_factory::{Cache, cached};

#[cached(cache = cache, key = "a")]
async fn answer(cache: &Cache) -> u8 {
    1
}

fn main() {}
