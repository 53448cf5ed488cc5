//! `#[derive(Workflow)]`: a struct of durable fields can be bound to a run.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a workflow has no generic parameters: its runs are found by name",
        ));
    }
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(name, "a workflow is a struct"));
    };
    let body = match &data.fields {
        Fields::Unit => quote!(Self),
        Fields::Named(fields) => {
            let bound = fields.named.iter().map(|field| {
                let (ident, ty) = (&field.ident, &field.ty);
                let text = ident
                    .as_ref()
                    .map(|ident| ident.to_string().trim_start_matches("r#").to_owned());
                quote!(#ident: <#ty as ::trunkline::__private::Field>::bind(#text, ledger))
            });
            quote!(Self { #(#bound,)* })
        }
        Fields::Unnamed(fields) => {
            return Err(Error::new_spanned(
                fields,
                "the fields of a workflow have names: clients see them",
            ));
        }
    };
    Ok(quote! {
        impl ::trunkline::__private::Fields for #name {
            fn bind(
                ledger: ::core::option::Option<&::std::rc::Rc<::trunkline::__private::Ledger>>,
            ) -> Self {
                let _ = ledger;
                #body
            }
        }
    })
}
