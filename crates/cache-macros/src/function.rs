//! The function that is to be cached, and whether it can be.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{
    FnArg, GenericArgument, GenericParam, Ident, ItemFn, Pat, PatType, PathArguments, Receiver, ReturnType,
    Type, TypeParamBound,
};

use crate::arguments::Wrong;

/// What the function is given, as far as caching it is concerned.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Type,
}

pub(crate) struct Argument {
    pub(crate) name: Ident,
    /// Whether it is a plain reference, so that what it refers to is copied for the load.
    pub(crate) is_reference: bool,
    /// Whether it is a cache by its type, and nothing that only holds one.
    pub(crate) is_cache: bool,
}

impl Function {
    /// # Errors
    /// All that keeps the function from being cached.
    pub(crate) fn understand(item: ItemFn) -> syn::Result<Self> {
        let mut wrong = Wrong::default();
        let signature = &item.sig;
        if signature.asyncness.is_none() {
            if let ReturnType::Type(_, output) = &signature.output
                && is_boxed_future(output)
            {
                // All else that is wrong with it was not written so.
                return Err(syn::Error::new(
                    signature.fn_token.span,
                    "`#[cached]` cannot stand before what answers with a boxed future, as every method below `#[async_trait]` \
                     does: put it before an `async fn` in an `impl` without a trait, and call that from here",
                ));
            }
            wrong.add(signature.fn_token.span, "only an `async fn` can be cached: the cache is asked in it");
        }
        if let Some(unsafety) = signature.unsafety {
            wrong.add(unsafety.span, "an unsafe function cannot be cached");
        }
        for parameter in &signature.generics.params {
            if !matches!(parameter, GenericParam::Lifetime(_)) {
                wrong.add(
                    parameter.span(),
                    "a cached function has no type parameters: answers of all types would share one key. Write a function \
                     for each type that calls a common one",
                );
            }
        }
        let mut receiver = None;
        let mut arguments = Vec::new();
        for input in &signature.inputs {
            match input {
                FnArg::Receiver(it) => {
                    wrong.take(check_receiver(it));
                    receiver = Some(it.clone());
                }
                FnArg::Typed(typed) => arguments.extend(wrong.take(argument(typed))),
            }
        }
        let output = match &signature.output {
            ReturnType::Type(_, output) => {
                if let Some(span) = borrow_in(output) {
                    wrong.add(span, "a cached function answers with owned data: `String`, not `&str`");
                }
                if let Some(span) = opaque_in(output) {
                    wrong.add(span, "a cached function names the type that it answers with: no `impl …`");
                }
                Some((**output).clone())
            }
            ReturnType::Default => {
                wrong.add(
                    signature.ident.span(),
                    "a cached function answers with a `Result`: there is nothing to cache otherwise",
                );
                None
            }
        };
        wrong.into_result()?;
        match output {
            Some(output) => Ok(Self { receiver, arguments, output, item }),
            None => Err(syn::Error::new(Span::call_site(), "a cached function answers with a `Result`")),
        }
    }
}

fn check_receiver(receiver: &Receiver) -> syn::Result<()> {
    let message = if receiver.mutability.is_some() {
        "a cached method takes `&self`: what it changed would not be changed on a hit"
    } else if receiver.reference.is_none() && receiver.colon_token.is_none() {
        "a cached method takes `&self`: on a hit nothing is done with what it would consume"
    } else {
        return Ok(());
    };
    Err(syn::Error::new(receiver.self_token.span, message))
}

fn argument(typed: &PatType) -> syn::Result<Argument> {
    let Pat::Ident(pattern) = &*typed.pat else {
        return Err(syn::Error::new(
            typed.pat.span(),
            "give this argument a name, and take it apart in the body: its name goes into the key",
        ));
    };
    if let Some(span) = opaque_in(&typed.ty) {
        return Err(syn::Error::new(
            span,
            "a cached function names the types of its arguments: the load needs them as its own",
        ));
    }
    let (target, is_reference) = match &*typed.ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            return Err(syn::Error::new(
                reference.span(),
                "a cached function cannot change its arguments: on a hit it would not be called",
            ));
        }
        Type::Reference(reference) => (&*reference.elem, true),
        owned => (owned, false),
    };
    if let Some(span) = borrow_in(target) {
        return Err(syn::Error::new(
            span,
            "the load may outlive its callers, so arguments are owned or plain references (`&str`, `&[T]`, `&T` with `T: \
             Clone`): nothing that borrows within",
        ));
    }
    Ok(Argument { name: pattern.ident.clone(), is_reference, is_cache: is_cache(target) })
}

/// Whether a type is a `Pin<Box<dyn Future>>`, by whatever paths.
fn is_boxed_future(ty: &Type) -> bool {
    let Some(Type::TraitObject(object)) = within("Pin", ty).and_then(|pinned| within("Box", pinned)) else {
        return false;
    };
    object.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == "Future"),
        _ => false,
    })
}

/// Whether a type is `Cache`, or an `Arc` of it, by whatever paths.
fn is_cache(ty: &Type) -> bool {
    let is = |ty: &Type| matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|it| it.ident == "Cache"));
    is(ty) || within("Arc", ty).is_some_and(is)
}

/// The type in `name<…>`.
fn within<'ty>(name: &str, ty: &'ty Type) -> Option<&'ty Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(given) = &last.arguments else { return None };
    given.args.iter().find_map(|given| match given {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Where a type first borrows: a reference or a lifetime that is not `'static`.
fn borrow_in(ty: &Type) -> Option<Span> {
    let mut tokens = tokens(ty.to_token_stream()).into_iter().peekable();
    while let Some(token) = tokens.next() {
        let TokenTree::Punct(punct) = &token else { continue };
        let is_lifetime = punct.as_char() == '\'';
        if is_lifetime || punct.as_char() == '&' {
            // A reference is judged by its lifetime, if it has one.
            let next = tokens.peek().map(ToString::to_string).unwrap_or_default();
            let is_judged_next = !is_lifetime && next == "'";
            if !(is_judged_next || is_lifetime && next == "static") {
                return Some(token.span());
            }
        }
    }
    None
}

/// Where a type first says `impl`.
fn opaque_in(ty: &Type) -> Option<Span> {
    let mut tokens = tokens(ty.to_token_stream()).into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word == "impl")).map(|token| token.span())
}

/// All tokens, those in groups among them.
fn tokens(stream: TokenStream) -> Vec<TokenTree> {
    let of = |token| match token {
        TokenTree::Group(group) => tokens(group.stream()),
        other => vec![other],
    };
    stream.into_iter().flat_map(of).collect()
}
