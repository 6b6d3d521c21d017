//! An error that cannot say what the cache has to say.
use cache_factory::{Cache, cached};

#[derive(Debug)]
struct Mine;

#[cached(cache = cache, key = "a")]
async fn answer(cache: &Cache) -> Result<u8, Mine> {
    Err(Mine)
}

fn main() {}
