//! Templates of keys and tags: `user:profile:{id}`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, Ident, LitStr, Member, Path};

use crate::expand::at;

/// A template that was understood.
pub(crate) struct Template {
    place: Span,
    pieces: Vec<Piece>,
}

enum Piece {
    Text(String),
    /// A variable, or a field of one.
    Value(Box<Expr>, Ident),
}

impl Template {
    /// # Errors
    /// What would make a key that does not say what it should, or the same key for different values.
    pub(crate) fn parse(literal: &LitStr) -> syn::Result<Self> {
        let wrong = |message: String| syn::Error::new(literal.span(), message);
        let text = literal.value();
        if text.is_empty() {
            return Err(wrong("the template is empty".into()));
        }
        for segment in text.split(':') {
            if segment.matches('{').count() > 1 {
                return Err(wrong(format!(
                    "`{segment}` has two placeholders and nothing that keeps them apart, so different values could make one \
                     key: put a `:` between them"
                )));
            }
        }
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((place, after)) = after.split_once('}') else {
                return Err(wrong("a `{` is not closed".into()));
            };
            pieces.push(plain(before).map_err(wrong)?);
            pieces.push(value(place, literal)?);
            rest = after;
        }
        pieces.push(plain(rest).map_err(wrong)?);
        Ok(Self { place: literal.span(), pieces })
    }

    /// The variables that are named in it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Ident> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(_, root) => Some(root),
            Piece::Text(_) => None,
        })
    }

    /// An expression of the type `String`.
    pub(crate) fn expand(&self, factory: &Path) -> TokenStream {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => quote!(#text),
            Piece::Value(value, _) => quote!(&*#factory::key_part(&#value)),
        });
        at(self.place, quote!(<[&str]>::concat(&[#(#pieces),*])))
    }
}

/// Text that stands in the key as it is.
fn plain(text: &str) -> Result<Piece, String> {
    let special = |c: char| "}%*?[]\\^~".contains(c) || c.is_whitespace() || c.is_control();
    match text.chars().find(|&c| special(c)) {
        Some(c) => Err(format!("{c:?} cannot stand in a template: it has a meaning in patterns or escapes")),
        None => Ok(Piece::Text(text.to_owned())),
    }
}

/// What stands between braces.
fn value(place: &str, literal: &LitStr) -> syn::Result<Piece> {
    let wrong = || {
        syn::Error::new(
            literal.span(),
            format!(
                "`{{{place}}}` is no placeholder: write the name of an argument, or a field of one, as in `{{user.id}}`"
            ),
        )
    };
    let expression: Expr = LitStr::new(place, literal.span()).parse().map_err(|_| wrong())?;
    let root = root(&expression).ok_or_else(wrong)?.clone();
    Ok(Piece::Value(Box::new(expression), root))
}

/// The variable that an expression is or takes a field of.
pub(crate) fn root(expression: &Expr) -> Option<&Ident> {
    match expression {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident(),
        Expr::Field(field) if matches!(field.member, Member::Named(_) | Member::Unnamed(_)) => {
            root(&field.base)
        }
        _ => None,
    }
}
