//! A receiver that cannot go with the load.
use cache_factory::{Cache, Error, cached};

struct Service {
    cache: Cache,
}

impl Service {
    #[cached(cache = self.cache, key = "a", ignore = [self])]
    async fn answer(&self) -> Result<u8, Error> {
        Ok(1)
    }
}

fn main() {}
