//! A method of a trait's implementation: there is no place beside it.
use cache_factory::{Cache, Error, cached};

trait Answers {
    async fn answer(&self) -> Result<u8, Error>;
}

#[derive(Clone)]
struct Service {
    cache: Cache,
}

impl Answers for Service {
    #[cached(cache = self.cache, key = "a", ignore = [self])]
    async fn answer(&self) -> Result<u8, Error> {
        Ok(1)
    }
}

fn main() {}
