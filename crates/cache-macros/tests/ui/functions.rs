//! Functions that cannot be cached.
use cache_factory::{Cache, Error, cached};

#[cached(cache = cache, key = "a")]
fn not_async(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

#[cached(cache = cache, key = "a:{id}")]
async fn generic<T: ToString>(cache: &Cache, id: T) -> Result<String, Error> {
    Ok(id.to_string())
}

#[cached(cache = cache, key = "a:{id}")]
async fn opaque(cache: &Cache, id: impl ToString) -> Result<String, Error> {
    Ok(id.to_string())
}

#[cached(cache = cache, key = "a")]
async fn nothing(cache: &Cache) {}

#[cached(cache = cache, key = "a:{id}")]
async fn borrowed<'a>(cache: &Cache, id: &'a str) -> Result<&'a str, Error> {
    Ok(id)
}

#[cached(cache = cache, key = "a", ignore = [ids])]
async fn borrows_within(cache: &Cache, ids: Vec<&str>) -> Result<usize, Error> {
    Ok(ids.len())
}

#[cached(cache = cache, key = "a", ignore = [out])]
async fn changes(cache: &Cache, out: &mut u8) -> Result<u8, Error> {
    Ok(*out)
}

#[cached(cache = cache, key = "a")]
async fn takes_apart(cache: &Cache, (a, b): (u8, u8)) -> Result<u8, Error> {
    Ok(a + b)
}

#[cached(cache = cache, key = "a")]
struct NoFunction;

#[derive(Clone)]
struct Service {
    cache: Cache,
}

impl Service {
    #[cached(cache = self.cache, key = "a")]
    async fn changes_itself(&mut self) -> Result<u8, Error> {
        Ok(1)
    }

    #[cached(cache = self.cache, key = "a")]
    async fn consumes_itself(self) -> Result<u8, Error> {
        Ok(1)
    }
}

fn main() {}
