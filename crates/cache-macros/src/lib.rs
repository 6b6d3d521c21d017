#![doc = include_str!("../README.md")]

mod arguments;
mod expand;
mod function;
mod length;
mod template;

use proc_macro::TokenStream;

/// Caches what an asynchronous function answers. See the [crate] for all that it takes.
#[proc_macro_attribute]
pub fn cached(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match expand::cached(arguments.into(), item.clone().into()) {
        Ok(expanded) => expanded.into(),
        Err(error) => {
            // The function stays, so that whoever calls it gets no further errors.
            let mut output = TokenStream::from(error.into_compile_error());
            output.extend(item);
            output
        }
    }
}

/// A key from a template: `key!("user:profile:{id}")`. Values are escaped, so that different values never make one key.
#[proc_macro]
pub fn key(input: TokenStream) -> TokenStream {
    expand::key(input.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
