//! Below `#[async_trait]`, which has made another function of an `async fn` before it is seen.
use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use cache_factory::{Cache, Error, cached};

#[async_trait]
trait Users {
    async fn user(&self, id: u64) -> Result<String, Error>;
}

#[derive(Clone)]
struct Service {
    cache: Cache,
    tenant: String,
}

#[async_trait]
impl Users for Service {
    #[cached(cache = self.cache, key = "{self.tenant}:user:{id}")]
    async fn user(&self, id: u64) -> Result<String, Error> {
        Ok(format!("{} {id}", self.tenant))
    }
}

#[cached(cache = cache, key = "user:{id}")]
fn by_hand(cache: &Cache, id: u64) -> Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>> {
    Box::pin(async move { Ok(id) })
}

fn main() {}
