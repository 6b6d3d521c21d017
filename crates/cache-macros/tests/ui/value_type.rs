//! An answer that cannot be stored.
use cache_factory::{Cache, Error, cached};

#[derive(Clone)]
struct Opaque;

#[cached(cache = cache, key = "a")]
async fn answer(cache: &Cache) -> Result<Opaque, Error> {
    Ok(Opaque)
}

fn main() {}
