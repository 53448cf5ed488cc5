//! `select!`: what comes first, the earlier branch if two come together.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Pat, Result, Token};

struct Branch {
    pattern: Pat,
    call: Expr,
    body: Expr,
}

struct Branches(Vec<Branch>);

impl Parse for Branches {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut branches = Vec::new();
        while !input.is_empty() {
            let pattern = Pat::parse_single(input)?;
            input.parse::<Token![=]>()?;
            let call = input.parse()?;
            input.parse::<Token![=>]>()?;
            let body: Expr = input.parse()?;
            let is_block = matches!(body, Expr::Block(_));
            branches.push(Branch {
                pattern,
                call,
                body,
            });
            if input.is_empty() {
                break;
            }
            if input.peek(Token![,]) || !is_block {
                input.parse::<Token![,]>()?;
            }
        }
        if branches.is_empty() {
            return Err(input.error("there is nothing to select from"));
        }
        Ok(Self(branches))
    }
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let Branches(branches) = syn::parse2(input)?;
    let futures: Vec<_> = (0..branches.len())
        .map(|index| format_ident!("__future_{index}"))
        .collect();
    let variants: Vec<_> = (0..branches.len())
        .map(|index| format_ident!("Branch{index}"))
        .collect();
    let calls: Vec<_> = branches.iter().map(|branch| &branch.call).collect();
    let patterns: Vec<_> = branches.iter().map(|branch| &branch.pattern).collect();
    let bodies: Vec<_> = branches.iter().map(|branch| &branch.body).collect();
    // The futures that lost are dropped before the body runs: a sleep that lost is cancelled first.
    Ok(quote! {{
        enum __Selected<#(#variants),*> { #(#variants(#variants)),* }
        match {
            #(let #futures = ::core::future::IntoFuture::into_future(#calls);)*
            #(let mut #futures = ::core::pin::pin!(#futures);)*
            ::core::future::poll_fn(|context| {
                #(if let ::core::task::Poll::Ready(value) =
                    ::core::future::Future::poll(#futures.as_mut(), context)
                {
                    return ::core::task::Poll::Ready(__Selected::#variants(value));
                })*
                ::core::task::Poll::Pending
            })
            .await
        } {
            #(__Selected::#variants(#patterns) => #bodies,)*
        }
    }})
}
