//! Mistakes in the parentheses.
use cache_factory::{Cache, Error, cached};

#[cached(cache = cache, key = "a", tll = "30m")]
async fn unknown(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

#[cached(cache = cache, key = "a", key = "b")]
async fn twice(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

#[cached(key = "a")]
async fn no_cache() -> Result<u8, Error> {
    Ok(1)
}

#[cached(cache = cache)]
async fn no_key(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

#[cached(cache = cache, key = user)]
async fn key_is_no_text(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

#[cached(cache = cache, key = "a", ttl = 1800, stale_for = "ten minutes")]
async fn lengths(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

#[cached(cache = cache, key = "a", ttl = "0s", stale_for = "366d")]
async fn out_of_range(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

#[cached(cache = cache, key = "a", tags = "users")]
async fn tags_are_no_list(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

fn main() {}
