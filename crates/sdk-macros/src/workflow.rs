//! `#[workflow]`: an impl block with a `#[run]` method, or one async function, becomes a workflow.

use crate::methods::{Methods, take_marked};
use crate::signature::{arguments, behind_cx, check_async, names, result_types, tuple, typed};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, ItemFn, ItemImpl, LitInt, LitStr, PatType, Result, ReturnType, Type};

struct Attribute {
    name: Option<LitStr>,
    version: LitInt,
}

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut attributes = Attribute {
        name: None,
        version: LitInt::new("1", proc_macro2::Span::call_site()),
    };
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            attributes.name = Some(meta.value()?.parse()?);
            Ok(())
        } else if meta.path.is_ident("version") {
            attributes.version = meta.value()?.parse()?;
            Ok(())
        } else {
            Err(meta.error("expected `version = …` or `name = \"…\"`"))
        }
    });
    parser.parse2(attribute)?;
    if let Ok(function) = syn::parse2::<ItemFn>(item.clone()) {
        return function_workflow(&attributes, &function);
    }
    block_workflow(&attributes, syn::parse2(item)?)
}

/// What both forms give.
struct Parts<'a> {
    input: TokenStream,
    output: &'a ReturnType,
    call: TokenStream,
    stub: TokenStream,
    /// The functions that find methods and queries by name.
    dispatch: TokenStream,
}

fn implementation(
    attributes: &Attribute,
    target: &TokenStream,
    default_name: &str,
    parts: &Parts<'_>,
) -> TokenStream {
    let name = attributes
        .name
        .as_ref()
        .map_or_else(|| default_name.to_owned(), LitStr::value);
    let version = &attributes.version;
    let Parts {
        input,
        output,
        call,
        stub,
        dispatch,
    } = parts;
    let (value, error) = result_types(output);
    quote! {
        impl ::trunkline::Workflow for #target {
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;
            type Input = #input;
            type Output = #value;
            type Error = #error;
            type Stub = #stub;

            fn start(
                self: ::std::rc::Rc<Self>,
                cx: ::trunkline::Cx,
                input: Self::Input,
            ) -> ::trunkline::__private::CodeFuture<Self> {
                ::std::boxed::Box::pin(async move { #call })
            }

            #dispatch
        }
    }
}

fn types<'a>(arguments: &[&'a PatType]) -> Vec<&'a Type> {
    arguments.iter().map(|argument| &*argument.ty).collect()
}

fn block_workflow(attributes: &Attribute, mut block: ItemImpl) -> Result<TokenStream> {
    let mut runs = take_marked(&mut block, "run").into_iter();
    let run = runs.next();
    if let Some(second) = runs.next() {
        return Err(Error::new_spanned(
            &second.sig,
            "a workflow has one method marked #[run]",
        ));
    }
    let methods = Methods::take(&mut block)?;
    let Some(run) = run else {
        return Err(Error::new_spanned(
            &block.self_ty,
            "mark the method that a run executes with #[run]",
        ));
    };
    let run = run.sig;
    let arguments = behind_cx(arguments(&run)?, &run)?;
    let names = names(&arguments);
    let types = types(&arguments);
    let (target, ident, pattern) = (&block.self_ty, &run.ident, tuple(&names));
    let default_name = match &**target {
        Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
        _ => None,
    };
    let Some(default_name) = default_name else {
        return Err(Error::new_spanned(target, "expected the name of a struct"));
    };
    let call = quote_spanned! { run.span() =>
        let #pattern = input;
        self.#ident(cx, #(#names),*).await
    };
    let (stub, stub_type) = methods.stub(&default_name);
    let parts = Parts {
        input: tuple(&types),
        output: &run.output,
        call,
        stub: stub_type,
        dispatch: methods.dispatch(),
    };
    let implementation = implementation(attributes, &quote!(#target), &default_name, &parts);
    Ok(quote! { #block #implementation #stub })
}

fn function_workflow(attributes: &Attribute, function: &ItemFn) -> Result<TokenStream> {
    check_async(&function.sig)?;
    let inputs = function.sig.inputs.iter().map(typed);
    let arguments = behind_cx(inputs.collect::<Result<_>>()?, &function.sig)?;
    let names = names(&arguments);
    let types = types(&arguments);
    let (ident, visibility, pattern) = (&function.sig.ident, &function.vis, tuple(&names));
    let docs = function
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"));
    let call = quote! {
        let #pattern = input;
        Self::run(cx, #(#names),*).await
    };
    let parts = Parts {
        input: tuple(&types),
        output: &function.sig.output,
        call,
        stub: quote!(::trunkline::NoMethods),
        dispatch: TokenStream::new(),
    };
    let implementation = implementation(attributes, &quote!(#ident), &ident.to_string(), &parts);
    let (signature, block) = (&function.sig, &function.block);
    let rest = function
        .attrs
        .iter()
        .filter(|attribute| !attribute.path().is_ident("doc"));
    let mut inner = signature.clone();
    inner.ident = syn::Ident::new("run", ident.span());
    // With braces, so that a variable in the code may have the function's name.
    Ok(quote! {
        #(#docs)*
        #[allow(non_camel_case_types, reason = "a workflow that is a function keeps the function's name")]
        #[derive(Clone, Copy, Debug)]
        #visibility struct #ident {}

        impl #ident {
            #(#rest)*
            #inner #block
        }

        impl ::trunkline::__private::Fields for #ident {
            fn bind(
                _: ::core::option::Option<&::std::rc::Rc<::trunkline::__private::Ledger>>,
            ) -> Self {
                Self {}
            }
        }

        #implementation
    })
}
