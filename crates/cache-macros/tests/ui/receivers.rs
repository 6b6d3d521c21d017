//! Receivers, and arguments that hold the cache, that are not in the key.
use std::sync::Arc;

use cache_factory::{Cache, Error, cached};

#[derive(Clone)]
struct Reports {
    cache: Cache,
    tenant: String,
}

impl Reports {
    #[cached(cache = self.cache, key = "report:{year}")]
    async fn not_in_the_key(&self, year: u32) -> Result<String, Error> {
        Ok(format!("{} {year}", self.tenant))
    }

    #[cached(cache = self.cache, key = "report", tags = ["tenant:{self.tenant}"])]
    async fn in_a_tag_only(self: &Arc<Self>) -> Result<String, Error> {
        Ok(self.tenant.clone())
    }

    #[cached(cache = self.cache, key = "{self.tenant}:report", ignore = [self])]
    async fn both(&self) -> Result<String, Error> {
        Ok(self.tenant.clone())
    }
}

#[cached(cache = reports.cache, key = "report:{year}")]
async fn holds_the_cache(reports: &Reports, year: u32) -> Result<String, Error> {
    Ok(format!("{} {year}", reports.tenant))
}

impl std::ops::Deref for Reports {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        &self.cache
    }
}

#[cached(cache = reports, key = "report:{year}")]
async fn stands_for_the_cache(reports: &Reports, year: u32) -> Result<String, Error> {
    Ok(format!("{} {year}", reports.tenant))
}

#[cached(cache = cache, key = "report", ignore = [self])]
async fn no_receiver(cache: &Cache) -> Result<u8, Error> {
    Ok(1)
}

fn main() {}
