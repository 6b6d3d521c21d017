//! From what was understood to code.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Block, Expr, FnArg, Ident, ItemFn, LitStr, Pat, Path, Stmt, parse_quote, parse2};

use crate::arguments::{Arguments, Length, Wrong};
use crate::function::{Argument, Function};
use crate::template::{Template, root};

/// The function, cached.
pub(crate) fn cached(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let item = parse2::<ItemFn>(item).map_err(|error| {
        syn::Error::new(error.span(), "`#[cached]` stands before an `async fn` with a body")
    })?;
    let function = Function::understand(item);
    let arguments = parse2::<Arguments>(arguments);
    let mut wrong = Wrong::default();
    match (wrong.take(arguments), wrong.take(function)) {
        (Some(arguments), Some(function)) => {
            check(&arguments, &function)?;
            Ok(expand(&arguments, function))
        }
        _ => wrong.into_result().map(|()| TokenStream::new()),
    }
}

/// The function as it was, for when it cannot be cached: whoever calls it gets no further errors, and what only the
/// attribute would have used no warnings.
pub(crate) fn uncached(item: TokenStream) -> TokenStream {
    let Ok(mut function) = parse2::<ItemFn>(item.clone()) else { return item };
    let names = function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(pattern) => Some(&pattern.ident),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    });
    count_as_used(names, &mut function.block);
    function.into_token_stream()
}

/// The key that a template makes.
pub(crate) fn key(input: TokenStream) -> syn::Result<TokenStream> {
    let literal = parse2::<LitStr>(input).map_err(|error| {
        syn::Error::new(error.span(), "a key is a text, as in key!(\"user:profile:{id}\")")
    })?;
    Ok(Template::parse(&literal)?.expand(&parse_quote!(::cache_factory)))
}

/// Whether the templates and the function fit together: above all, that two calls that may have different answers have
/// different keys.
fn check(arguments: &Arguments, function: &Function) -> syn::Result<()> {
    let mut wrong = Wrong::default();
    let names: Vec<&Ident> = function.arguments.iter().map(|argument| &argument.name).collect();
    let this = function.receiver.as_ref().map(|receiver| Ident::from(receiver.self_token));
    let is_known = |name: &Ident| names.contains(&name) || this.as_ref() == Some(name);
    let list = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let templates =
        [(&arguments.key, arguments.key_span)].into_iter().chain(arguments.tags.iter().map(|(t, s)| (t, *s)));
    for (template, span) in templates {
        for name in template.variables().filter(|name| !is_known(name)) {
            let known = if names.is_empty() { "none".to_owned() } else { list() };
            wrong.add(span, format!("`{name}` is no argument of the function: it has {known}"));
        }
    }
    for name in arguments.ignored.iter().filter(|name| !is_known(name)) {
        wrong.add(name.span(), format!("`{name}` is no argument of the function, so it cannot be ignored"));
    }
    // What only holds the cache may differ in all else that it holds.
    let cache = whole(&arguments.cache)
        .filter(|name| function.arguments.iter().any(|it| it.is_cache && it.name == **name));
    for name in names.into_iter().chain(&this) {
        let is_in_key = arguments.key.variables().any(|variable| variable == name);
        let is_ignored = arguments.ignored.contains(name);
        if is_in_key && is_ignored {
            wrong.add(
                name.span(),
                format!("`{name}` is in the key and in `ignore`: it can be only one of them"),
            );
        }
        if !is_in_key && !is_ignored && cache != Some(name) {
            let holds_cache = root(&arguments.cache) == Some(name);
            let put = match holds_cache || name == "self" {
                true => format!("put what differs in as `{{{name}.…}}`"),
                false => format!("put it in as `{{{name}}}`"),
            };
            wrong.add(
                name.span(),
                format!(
                    "`{name}` is not in the key, so calls that differ in it would get one answer: {put}, or say that it makes \
                     no difference by `ignore = [{name}]`"
                ),
            );
        }
    }
    wrong.into_result()
}

/// The argument that an expression is. A receiver is none: it is never a cache itself.
fn whole(expression: &Expr) -> Option<&Ident> {
    match expression {
        Expr::Path(_) => root(expression).filter(|name| *name != "self"),
        _ => None,
    }
}

fn expand(arguments: &Arguments, function: Function) -> TokenStream {
    let Function { item, receiver, arguments: given, output } = function;
    let factory = &arguments.factory;
    let private = quote!(#factory::__private);
    // Names of our own, which the function's do not meet.
    let own = |name: &str| Ident::new(name, Span::mixed_site());
    let (cache, options, name, this) = (own("cache"), own("options"), own("key"), own("this"));

    // What is to be computed, as a function of its own.
    let mut body = item.clone();
    // Items have no names of their own, unlike variables.
    body.sig.ident = format_ident!("__cached_{}", item.sig.ident);
    body.vis = syn::Visibility::Inherited;
    body.attrs.retain(is_lint);
    body.attrs.push(parse_quote!(#[doc(hidden)]));
    // What only the attribute needs is used, though not in the body.
    let names = given.iter().map(|argument| &argument.name);
    count_as_used(names.filter(|name| !arguments.key.variables().any(|it| it == *name)), &mut body.block);
    let inner = &body.sig.ident;

    let mut outer = item.sig;
    for input in &mut outer.inputs {
        if let FnArg::Typed(typed) = input
            && let Pat::Ident(pattern) = &mut *typed.pat
        {
            pattern.mutability = None;
        }
    }
    let copies = given
        .iter()
        .filter(|argument| argument.is_reference)
        .map(|Argument { name, .. }| quote!(let #name = #private::ToOwned::to_owned(#name);));
    let passed = given.iter().map(|Argument { name, is_reference, .. }| match is_reference {
        true => quote!(#private::Borrow::borrow(&#name)),
        false => quote!(#name),
    });
    let (take_this, call, nested, beside) = match &receiver {
        None => (quote!(), quote!(#inner(#(#passed),*)), Some(&body), None),
        Some(receiver) => {
            // `&self` and `self: &Arc<Self>` are copied, `self: Arc<Self>` is owned already.
            let is_reference =
                receiver.reference.is_some() || matches!(&*receiver.ty, syn::Type::Reference(_));
            let owned = if is_reference { quote!(#private::Clone::clone(self)) } else { quote!(self) };
            let take = at(receiver.span(), quote!(let #this = #owned;));
            (take, quote!(#this.#inner(#(#passed),*)), None, Some(&body))
        }
    };
    let key = arguments.key.expand(factory);
    let expression = &arguments.cache;
    let said = said(arguments, factory);
    let (attrs, vis) = (&item.attrs, &item.vis);
    let load = quote!(move || async move { #call.await });
    // What is wrong with the type is said where it stands.
    let ask = quote!(#private::cached::<#output, _, _>(&#cache, #name, #options, #load).await);
    let ask = at(output.span(), ask);
    quote! {
        #(#attrs)* #vis #outer {
            #nested
            let #cache = #factory::Cache::clone(&#expression);
            let #options = #said;
            let #name = #key;
            #take_this
            #(#copies)*
            #ask
        }
        #beside
    }
}

/// The options of the load.
fn said(arguments: &Arguments, factory: &Path) -> TokenStream {
    let length = |length: &Length| match length {
        Length::Millis(millis) => quote!(#factory::__private::millis(#millis)),
        Length::Expression(expression) => quote!(#expression),
    };
    let ttl = arguments.ttl.as_ref().map_or_else(|| quote!(()), length);
    let stale_for = arguments.stale_for.as_ref().map(length).map(|length| quote!(.stale_for(#length)));
    let tags = arguments.tags.iter().map(|(tag, _)| {
        let tag = tag.expand(factory);
        quote!(.tag(#tag))
    });
    quote!(<#factory::LoadOptions as #factory::__private::From<_>>::from(#ttl) #stale_for #(#tags)*)
}

/// Arguments that a body need not use are no mistake.
fn count_as_used<'names>(names: impl Iterator<Item = &'names Ident>, body: &mut Block) {
    let uses = names.map(|name| -> Stmt { parse_quote!(let _ = &#name;) });
    body.stmts.splice(0..0, uses);
}

/// The same tokens, with what the compiler says of them said there.
pub(crate) fn at(place: Span, tokens: TokenStream) -> TokenStream {
    let moved = |mut token: TokenTree| {
        token.set_span(token.span().located_at(place));
        match token {
            TokenTree::Group(group) => {
                let mut moved = Group::new(group.delimiter(), at(place, group.stream()));
                moved.set_span(group.span());
                TokenTree::Group(moved)
            }
            other => other,
        }
    };
    tokens.into_iter().map(moved).collect()
}

/// Whether an attribute is about lints, which concern the body too.
fn is_lint(attribute: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid"].iter().any(|lint| attribute.path().is_ident(lint))
}
