//! `#[service]`: a trait becomes a contract, with a stub for workflows and a dispatcher for workers.

use crate::signature::{arguments, names, result_types, tuple};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::Parser;
use syn::{Error, ItemTrait, LitInt, LitStr, Result, ReturnType, TraitItem, TraitItemFn};

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let contract: ItemTrait = syn::parse2(item)?;
    let mut name = LitStr::new(&contract.ident.to_string(), contract.ident.span());
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            name = meta.value()?.parse()?;
            Ok(())
        } else {
            Err(meta.error("expected `name = \"…\"`"))
        }
    });
    parser.parse2(attribute)?;
    if !contract.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &contract.generics,
            "a service has no generic parameters: it is found by name",
        ));
    }
    let mut methods = Vec::new();
    for item in &contract.items {
        match item {
            TraitItem::Fn(method) if method.default.is_none() => methods.push(method),
            TraitItem::Fn(method) => {
                return Err(Error::new_spanned(
                    method,
                    "a task of a contract has no body",
                ));
            }
            other => {
                return Err(Error::new_spanned(other, "a service has tasks only"));
            }
        }
    }
    let declared = methods
        .iter()
        .map(|method| declare(method))
        .collect::<Result<Vec<_>>>()?;
    let handlers = methods
        .iter()
        .map(|method| handler(&contract, method))
        .collect::<Result<Vec<_>>>()?;
    let stubs = methods
        .iter()
        .map(|method| stub(method, &name))
        .collect::<Result<Vec<_>>>()?;
    let (attributes, visibility, ident) = (&contract.attrs, &contract.vis, &contract.ident);
    let supertraits = &contract.supertraits;
    let stub_ident = format_ident!("{ident}Stub");
    let stub_doc = format!("Calls [`{ident}`] from workflow code: `cx.service::<{stub_ident}>()`.");
    Ok(quote! {
        #(#attributes)*
        #visibility trait #ident:
            ::core::marker::Send + ::core::marker::Sync + 'static + #supertraits
        {
            #(#declared)*

            /// The service as a worker registers it.
            fn into_service(self) -> ::trunkline::Service
            where
                Self: ::core::marker::Sized,
            {
                let implementation = ::std::sync::Arc::new(self);
                let service = ::trunkline::Service::new(#name);
                #(#handlers)*
                service
            }
        }

        #[doc = #stub_doc]
        #[derive(Clone, Debug)]
        #visibility struct #stub_ident {
            cx: ::trunkline::Cx,
        }

        impl ::trunkline::Stub for #stub_ident {
            fn bind(cx: &::trunkline::Cx) -> Self {
                Self { cx: ::core::clone::Clone::clone(cx) }
            }
        }

        impl #stub_ident {
            #(#stubs)*
        }
    })
}

/// The method as the trait declares it: its future is `Send`, because tasks run on any thread.
fn declare(method: &TraitItemFn) -> Result<TokenStream> {
    task_arguments(method)?;
    let attributes = method
        .attrs
        .iter()
        .filter(|attribute| !attribute.path().is_ident("task"));
    let mut signature = method.sig.clone();
    signature.asyncness = None;
    let output = match &signature.output {
        ReturnType::Type(_, ty) => quote!(#ty),
        ReturnType::Default => quote!(()),
    };
    signature.output = ReturnType::Default;
    Ok(quote! {
        #(#attributes)*
        #signature -> impl ::core::future::Future<Output = #output> + ::core::marker::Send;
    })
}

/// The arguments that travel: those behind `&self` and the task's handle.
fn task_arguments(method: &TraitItemFn) -> Result<Vec<&syn::PatType>> {
    let mut arguments = arguments(&method.sig)?;
    if arguments.is_empty() {
        return Err(Error::new_spanned(
            &method.sig,
            "the second argument of a task is `t: &TaskCx`",
        ));
    }
    arguments.remove(0);
    Ok(arguments)
}

fn handler(contract: &ItemTrait, method: &TraitItemFn) -> Result<TokenStream> {
    let arguments = task_arguments(method)?;
    let names = names(&arguments);
    let types: Vec<_> = arguments.iter().map(|argument| &argument.ty).collect();
    let (pattern, input) = (tuple(&names), tuple(&types));
    let (contract, task) = (&contract.ident, &method.sig.ident);
    let name = task.to_string();
    Ok(quote! {
        let service = service.task(#name, {
            let implementation = ::std::sync::Arc::clone(&implementation);
            move |cx: ::std::sync::Arc<::trunkline::TaskCx>, input: #input| {
                let implementation = ::std::sync::Arc::clone(&implementation);
                async move {
                    let #pattern = input;
                    <Self as #contract>::#task(&implementation, &cx, #(#names),*).await
                }
            }
        });
    })
}

fn stub(method: &TraitItemFn, service: &LitStr) -> Result<TokenStream> {
    let arguments = task_arguments(method)?;
    let names = names(&arguments);
    let types: Vec<_> = arguments.iter().map(|argument| &argument.ty).collect();
    let input = tuple(&names);
    let (value, error) = result_types(&method.sig.output);
    let defaults = defaults(method)?;
    let task = &method.sig.ident;
    let name = task.to_string();
    let docs = method
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"));
    let fallback = format!("Calls `{name}`.");
    Ok(quote! {
        #[doc = #fallback]
        #[doc = ""]
        #(#docs)*
        pub fn #task(&self, #(#names: #types),*) -> ::trunkline::Call<#value, #error> {
            self.cx.call(#service, #name, &#input) #(#defaults)*
        }
    })
}

/// What `#[task(…)]` says of a method, as calls of the builder.
fn defaults(method: &TraitItemFn) -> Result<Vec<TokenStream>> {
    let mut calls = Vec::new();
    let mut retry = Vec::new();
    for attribute in &method.attrs {
        if !attribute.path().is_ident("task") {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.require_ident()?.to_string();
            if name == "never_on" {
                let names: LitStr = meta.value()?.parse()?;
                let text = names.value();
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                retry.extend(names.map(|name| quote!(.never_on(#name))));
                return Ok(());
            }
            let span = |builder: &str, value: &LitInt| {
                let builder = format_ident!("{builder}");
                quote!(.#builder(::trunkline::span::millis(#value)))
            };
            let value: LitInt = meta.value()?.parse()?;
            match name.as_str() {
                "attempts" | "factor_percent" | "jitter_percent" => {
                    let builder = format_ident!("{name}");
                    retry.push(quote!(.#builder(#value)));
                }
                "initial_ms" => retry.push(span("initial", &value)),
                "max_ms" => retry.push(span("max", &value)),
                "elapsed_ms" => retry.push(span("max_elapsed", &value)),
                "timeout_ms" => calls.push(span("timeout", &value)),
                "total_timeout_ms" => calls.push(span("total_timeout", &value)),
                "heartbeat_timeout_ms" => calls.push(span("heartbeat_timeout", &value)),
                "grace_ms" => calls.push(span("grace", &value)),
                _ => {
                    return Err(meta.error(
                        "expected attempts, initial_ms, factor_percent, max_ms, jitter_percent, elapsed_ms, never_on, \
                         timeout_ms, total_timeout_ms, heartbeat_timeout_ms or grace_ms",
                    ));
                }
            }
            Ok(())
        })?;
    }
    if !retry.is_empty() {
        calls.push(quote!(.retry(::trunkline::Retry::exponential() #(#retry)*)));
    }
    Ok(calls)
}
