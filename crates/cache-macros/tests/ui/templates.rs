//! Mistakes in templates, and arguments that are not in the key.
use cache_factory::{Cache, Error, cached, key};

#[cached(cache = cache, key = "user:{id}")]
async fn not_in_the_key(cache: &Cache, id: u64, locale: &str) -> Result<String, Error> {
    Ok(format!("{id} {locale}"))
}

#[cached(cache = cache, key = "user:{uid}", tags = ["team:{team}"], ignore = [id, db])]
async fn no_such_argument(cache: &Cache, id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[cached(cache = cache, key = "user:{id}", ignore = [id])]
async fn both(cache: &Cache, id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[cached(cache = cache, key = "user:{a}{b}")]
async fn run_together(cache: &Cache, a: u64, b: u64) -> Result<u64, Error> {
    Ok(a + b)
}

#[cached(cache = cache, key = "user:{id:?}")]
async fn format(cache: &Cache, id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[cached(cache = cache, key = "user:{id")]
async fn not_closed(cache: &Cache, id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[cached(cache = cache, key = "user *:{id}")]
async fn special(cache: &Cache, id: u64) -> Result<u64, Error> {
    Ok(id)
}

#[cached(cache = cache, key = "")]
async fn empty(cache: &Cache) -> Result<u64, Error> {
    Ok(1)
}

fn main() {
    key!(7);
    key!("user:{1 + 1}");
}
