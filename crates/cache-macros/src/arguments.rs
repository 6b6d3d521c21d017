//! What stands in the parentheses of `#[cached(…)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Path, Token, bracketed, parse_quote};

use crate::length;
use crate::template::Template;

const ALLOWED: [&str; 7] = ["cache", "key", "ttl", "stale_for", "tags", "ignore", "crate"];

/// The arguments, each as far as it can be understood without the function.
pub(crate) struct Arguments {
    /// The cache to use.
    pub(crate) cache: Expr,
    pub(crate) key: Template,
    /// Where the key stands, for errors.
    pub(crate) key_span: Span,
    pub(crate) ttl: Option<Length>,
    pub(crate) stale_for: Option<Length>,
    pub(crate) tags: Vec<(Template, Span)>,
    /// Arguments of the function that make no difference to the answer.
    pub(crate) ignored: Vec<Ident>,
    /// Where `cache_factory` is.
    pub(crate) factory: Path,
}

/// A length of time.
pub(crate) enum Length {
    Millis(u64),
    Expression(Box<Expr>),
}

/// As written, each once.
#[derive(Default)]
struct Written {
    cache: Option<Expr>,
    key: Option<LitStr>,
    ttl: Option<Expr>,
    stale_for: Option<Expr>,
    tags: Option<Vec<LitStr>>,
    ignored: Option<Vec<Ident>>,
    factory: Option<Path>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut written = Written::default();
        while !input.is_empty() {
            written.take(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        written.understand()
    }
}

impl Written {
    fn take(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let name = Ident::parse_any(input)?;
        let known = name.to_string();
        if !ALLOWED.contains(&known.as_str()) {
            let meant = ALLOWED.iter().find(|allowed| strsim::damerau_levenshtein(allowed, &known) <= 2);
            let meant = meant.map_or_else(String::new, |meant| format!(", did you mean `{meant}`?"));
            let message = format!("`{known}` is unknown{meant} (allowed are {})", ALLOWED.join(", "));
            return Err(syn::Error::new(name.span(), message));
        }
        input.parse::<Token![=]>()?;
        let is_new = match known.as_str() {
            "cache" => self.cache.replace(input.parse()?).is_none(),
            "key" => self.key.replace(text(input, "the key", "\"user:{id}\"")?).is_none(),
            "ttl" => self.ttl.replace(input.parse()?).is_none(),
            "stale_for" => self.stale_for.replace(input.parse()?).is_none(),
            "tags" => self.tags.replace(list(input, |it| text(it, "a tag", "\"user:{id}\""))?).is_none(),
            "ignore" => self.ignored.replace(list(input, Ident::parse_any)?).is_none(),
            _ => self.factory.replace(input.call(Path::parse_mod_style)?).is_none(),
        };
        if is_new { Ok(()) } else { Err(syn::Error::new(name.span(), format!("`{known}` is given twice"))) }
    }

    fn understand(self) -> syn::Result<Arguments> {
        let here = Span::call_site();
        let mut wrong = Wrong::default();
        let cache = self.cache.ok_or_else(|| {
            syn::Error::new(
                here,
                "which cache is to be used is not said: write `cache = …`, as in `cache = self.cache`",
            )
        });
        let key = self.key.ok_or_else(|| {
            syn::Error::new(
                here,
                "the key is not said: write `key = \"…\"`, as in `key = \"user:profile:{id}\"`",
            )
        });
        let cache = wrong.take(cache);
        let key = wrong.take(key.and_then(|key| Ok((Template::parse(&key)?, key.span()))));
        let ttl = wrong.take(self.ttl.map(|ttl| length(ttl, 1)).transpose());
        let stale_for = wrong.take(self.stale_for.map(|stale_for| length(stale_for, 0)).transpose());
        let tags = self.tags.unwrap_or_default();
        let tags: Vec<_> = tags
            .iter()
            .filter_map(|tag| wrong.take(Template::parse(tag).map(|parsed| (parsed, tag.span()))))
            .collect();
        wrong.into_result()?;
        match (cache, key) {
            (Some(cache), Some((key, key_span))) => Ok(Arguments {
                cache,
                key,
                key_span,
                ttl: ttl.flatten(),
                stale_for: stale_for.flatten(),
                tags,
                ignored: self.ignored.unwrap_or_default(),
                factory: self.factory.unwrap_or_else(|| parse_quote!(::cache_factory)),
            }),
            _ => Err(syn::Error::new(here, "cache and key are needed")),
        }
    }
}

/// Collects errors, so that they are all said at once.
#[derive(Default)]
pub(crate) struct Wrong(Option<syn::Error>);

impl Wrong {
    pub(crate) fn add(&mut self, span: Span, message: impl std::fmt::Display) {
        self.take::<()>(Err(syn::Error::new(span, message)));
    }

    pub(crate) fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        match (result, &mut self.0) {
            (Ok(value), _) => return Some(value),
            (Err(error), Some(others)) => others.combine(error),
            (Err(error), none) => *none = Some(error),
        }
        None
    }

    pub(crate) fn into_result(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn text(input: ParseStream<'_>, what: &str, example: &str) -> syn::Result<LitStr> {
    input.parse().map_err(|error| syn::Error::new(error.span(), format!("{what} is a text, as in {example}")))
}

fn list<T>(input: ParseStream<'_>, item: impl Fn(ParseStream<'_>) -> syn::Result<T>) -> syn::Result<Vec<T>> {
    if !input.peek(syn::token::Bracket) {
        return Err(input.error("a list is expected, in `[` and `]`"));
    }
    let content;
    bracketed!(content in input);
    let mut items = Vec::new();
    while !content.is_empty() {
        items.push(item(&content)?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(items)
}

fn length(expression: Expr, least: u64) -> syn::Result<Length> {
    match &expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => length::millis(&text.value(), least)
            .map(Length::Millis)
            .map_err(|message| syn::Error::new(text.span(), message)),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            let message = format!("{number} has no unit: write \"{number}s\" for seconds, or a `Duration`");
            Err(syn::Error::new(number.span(), message))
        }
        _ => Ok(Length::Expression(Box::new(expression))),
    }
}
