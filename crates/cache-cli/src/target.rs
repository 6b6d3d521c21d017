//! The store that a command is about, and how it is found.

use std::ffi::OsString;

use cache_core::{Error, Key, Namespace};
use cache_factory::{CacheConfig, CacheFactory, Environment, Inspection};
use cache_redis::{RedisServer, RedisStore};

use crate::args::Global;
use crate::exit::Failure;

/// A cache's store, opened.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) inspection: Inspection,
    /// Why it counts as production, if it does.
    pub(crate) production: Option<String>,
}

impl Target {
    /// Connects to the store that options, environment and configuration name.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        let config = store_config(global)?;
        let (said, environment) = (config.production, config.environment);
        let inspection = CacheFactory::new().inspect(config).await?;
        let production = production(said, environment, &inspection.namespace);
        Ok(Self { inspection, production })
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.inspection.namespace
    }

    pub(crate) fn store(&self) -> &RedisStore {
        &self.inspection.store
    }

    pub(crate) fn server(&self) -> RedisServer {
        self.inspection.store.server()
    }

    pub(crate) fn key(&self, user: &str) -> Result<Key, Error> {
        self.namespace().key(user)
    }
}

/// The configuration of the cache: the environment's, the options over it.
pub(crate) fn config(global: &Global) -> Result<CacheConfig, Failure> {
    let file = global.config.as_ref().map(|file| file.clone().into_os_string());
    let url = global.url.as_ref().map(|url| OsString::from(url.expose()));
    let namespace = global.namespace.as_ref().map(OsString::from);
    let given = [("CACHE_CONFIG", file), ("CACHE_REDIS_URL", url), ("CACHE_NAMESPACE", namespace)];
    let given: Vec<(OsString, OsString)> =
        given.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect();
    let is_given = |name: &OsString| given.iter().any(|(given, _)| given == name);
    let environment: Vec<_> = std::env::vars_os().filter(|(name, _)| !is_given(name)).collect();
    Ok(CacheConfig::from_variables(environment.into_iter().chain(given))?)
}

/// The same, with a store: nothing is guessed.
pub(crate) fn store_config(global: &Global) -> Result<CacheConfig, Failure> {
    let config = config(global)?;
    if config.redis.is_none() && config.r#type.is_none() {
        return Err(Failure::bad_use(
            "no Redis is named: give --url, CACHE_REDIS_URL, or a configuration that has one",
        ));
    }
    Ok(config)
}

/// The same for a cache of any values, of a configuration that may be an AI cache's. Where its Redis is and whether it is in
/// production stays.
pub(crate) fn plain_config(global: &Global) -> Result<CacheConfig, Failure> {
    let mut config = store_config(global)?;
    config.ai = None;
    if config.environment == Some(Environment::AiProduction) {
        config.environment = None;
        config.production.get_or_insert(true);
    }
    Ok(config)
}

/// Refuses to write over what a production cache has, unless somebody said so.
pub(crate) async fn may_overwrite(global: &Global, what: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    match Target::open(global).await?.production {
        Some(why) => Err(Failure::bad_use(format!(
            "a production cache ({why}): {what} needs --yes; nothing was changed"
        ))),
        None => Ok(()),
    }
}

/// What counts as production: what the configuration says is, or what its environment is; and where neither says anything, a
/// namespace that has `prod`, `production` or `live` as one of its words.
fn production(said: Option<bool>, environment: Option<Environment>, namespace: &Namespace) -> Option<String> {
    if let Some(said) = said {
        return said.then(|| "the configuration says `production = true`".to_owned());
    }
    if let Some(environment) = environment.filter(|it| it.is_production()) {
        return Some(format!("its environment is `{environment}`"));
    }
    namespace
        .as_str()
        .split(|character: char| !character.is_ascii_alphanumeric())
        .find(|word| ["prod", "production", "live"].contains(&word.to_ascii_lowercase().as_str()))
        .map(|word| format!("`{word}` stands in the namespace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_is_what_is_said_to_be_or_is_called_so() {
        for (said, name, is) in [
            (None, "app", false),
            (None, "shop-prod", true),
            (None, "PROD:shop", true),
            (None, "live.shop", true),
            (None, "products", false),
            (None, "delivery", false),
            (Some(true), "app", true),
            (Some(false), "shop-prod", false),
        ] {
            let namespace = Namespace::new(name).unwrap();
            assert_eq!(production(said, None, &namespace).is_some(), is, "{name}");
        }
    }
}
