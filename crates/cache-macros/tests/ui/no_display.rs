//! An argument that has no text.
use cache_factory::{Cache, Error, cached};

#[derive(Clone)]
struct Id(u8);

#[cached(cache = cache, key = "a:{id}")]
async fn answer(cache: &Cache, id: Id) -> Result<u8, Error> {
    Ok(id.0)
}

fn main() {}
