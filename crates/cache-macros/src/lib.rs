#![doc = include_str!("../README.md")]

mod arguments;
mod expand;
mod function;
mod length;
mod template;

use proc_macro::TokenStream;

/// Caches what an asynchronous function answers. See the [crate] for all that it takes.
///
/// The function runs only if nobody has the answer, as a task of its own and once for all who ask at a time: a caller may leave at
/// any time. Times are a whole number and a unit, `ms`, `s`, `m`, `h` or `d`.
///
/// ```
/// use cache_factory::{Cache, CacheFactory, Error, cached};
///
/// #[cached(cache = cache, key = "square:{of}", ttl = "90s")]
/// async fn square(cache: &Cache, of: u64) -> Result<u64, Error> {
///     Ok(of * of)
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
/// let cache = CacheFactory::new().for_testing().memory_only().await?;
/// assert_eq!(square(&cache, 12).await?, 144);
/// assert!(cache.exists("square:12").await?);
/// # Ok(()) }
/// ```
#[proc_macro_attribute]
pub fn cached(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match expand::cached(arguments.into(), item.clone().into()) {
        Ok(expanded) => expanded.into(),
        Err(error) => {
            let mut output = error.into_compile_error();
            output.extend(expand::uncached(item.into()));
            output.into()
        }
    }
}

/// A key from a template, as a `String`. Values are escaped, so that different values never make one key.
///
/// ```
/// use cache_factory::key;
///
/// let (id, place) = (42, "a:b");
/// assert_eq!(key!("user:profile:{id}"), "user:profile:42");
/// assert_eq!(key!("weather:{place}"), "weather:a%3Ab");
/// ```
#[proc_macro]
pub fn key(input: TokenStream) -> TokenStream {
    expand::key(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
