//! `join!` and `try_join!`: futures side by side, begun and polled in their order.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, Result, Token};

pub(crate) fn expand(input: TokenStream, fallible: bool) -> Result<TokenStream> {
    let calls = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(input)?;
    let calls: Vec<&Expr> = calls.iter().collect();
    let futures: Vec<_> = (0..calls.len())
        .map(|index| format_ident!("__future_{index}"))
        .collect();
    let begin = quote! {
        #(let #futures = ::core::future::IntoFuture::into_future(#calls);)*
    };
    let body = if fallible {
        quote! {
            #(let mut #futures = ::core::pin::pin!(::trunkline::__private::fallible(#futures));)*
            ::core::future::poll_fn(move |context| {
                let mut pending = false;
                #(match #futures.as_mut().poll(context) {
                    ::core::task::Poll::Ready(::core::option::Option::Some(error)) => {
                        return ::core::task::Poll::Ready(::core::result::Result::Err(error));
                    }
                    ::core::task::Poll::Ready(::core::option::Option::None) => {}
                    ::core::task::Poll::Pending => pending = true,
                })*
                if pending {
                    return ::core::task::Poll::Pending;
                }
                ::core::task::Poll::Ready(::core::result::Result::Ok((
                    #(#futures.as_mut().take(),)*
                )))
            })
            .await
        }
    } else {
        quote! {
            #(let mut #futures = ::core::pin::pin!(::trunkline::__private::joined(#futures));)*
            ::core::future::poll_fn(move |context| {
                let mut pending = false;
                #(pending |= #futures.as_mut().poll(context).is_pending();)*
                if pending {
                    return ::core::task::Poll::Pending;
                }
                ::core::task::Poll::Ready((#(#futures.as_mut().take(),)*))
            })
            .await
        }
    };
    Ok(quote! {{
        #begin
        async move { #body }
    }})
}
