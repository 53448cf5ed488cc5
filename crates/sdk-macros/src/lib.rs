//! The attribute macros of the Trunkline SDK. Their documentation is in the `trunkline` crate, which re-exports them.
//!
//! What this crate is not: it has no logic of its own. Everything generated calls into `trunkline`, so that what a macro
//! does can be read there, and written by hand if need be.
#![forbid(unsafe_code)]

mod fields;
mod join;
mod methods;
mod select;
mod service;
mod signature;
mod workflow;

use proc_macro::TokenStream;

fn expand(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}

/// Makes a trait the contract of a service: see `trunkline::service`.
#[proc_macro_attribute]
pub fn service(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(service::expand(attribute.into(), item.into()))
}

/// Makes an impl block, or one async function, the code of a workflow: see `trunkline::workflow`.
#[proc_macro_attribute]
pub fn workflow(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(workflow::expand(attribute.into(), item.into()))
}

/// Makes a struct the durable fields of a workflow: see `trunkline::Workflow`.
#[proc_macro_derive(Workflow)]
pub fn derive_workflow(item: TokenStream) -> TokenStream {
    expand(fields::expand(item.into()))
}

/// Awaits several things at once and gives all results: see `trunkline::join`.
#[proc_macro]
pub fn join(input: TokenStream) -> TokenStream {
    expand(join::expand(input.into(), false))
}

/// Awaits several things at once, or the first error: see `trunkline::try_join`.
#[proc_macro]
pub fn try_join(input: TokenStream) -> TokenStream {
    expand(join::expand(input.into(), true))
}

/// Awaits what comes first: see `trunkline::select`.
#[proc_macro]
pub fn select(input: TokenStream) -> TokenStream {
    expand(select::expand(input.into()))
}
