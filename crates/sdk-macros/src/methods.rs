//! `#[method]` and `#[query]`: what can be called and asked of a run, and the stub that does.

use crate::signature::{arguments, behind_cx, check_name, names, result_types, tuple, typed};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Error, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Result, ReturnType, Type,
};

/// The methods and queries of a workflow.
pub(crate) struct Methods {
    methods: Vec<Callable>,
    queries: Vec<Callable>,
}

struct Callable {
    ident: Ident,
    docs: Vec<Attribute>,
    names: Vec<Ident>,
    types: Vec<Type>,
    output: ReturnType,
}

/// Takes the marks called `mark` off the methods of a block, and gives those methods.
pub(crate) fn take_marked(block: &mut ItemImpl, mark: &str) -> Vec<ImplItemFn> {
    let mut marked = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let attributes = method.attrs.len();
        method.attrs.retain(|attr| !attr.path().is_ident(mark));
        if method.attrs.len() < attributes {
            marked.push(method.clone());
        }
    }
    marked
}

impl Methods {
    /// Takes the marks off a block.
    pub(crate) fn take(block: &mut ItemImpl) -> Result<Self> {
        let methods = take_marked(block, "method");
        let queries = take_marked(block, "query");
        Ok(Self {
            methods: methods.iter().map(method).collect::<Result<_>>()?,
            queries: queries.iter().map(query).collect::<Result<_>>()?,
        })
    }

    /// The stub, and its type.
    pub(crate) fn stub(&self, workflow: &str) -> (TokenStream, TokenStream) {
        if self.methods.is_empty() && self.queries.is_empty() {
            return (TokenStream::new(), quote!(::trunkline::NoMethods));
        }
        let stub = format_ident!("{workflow}Stub");
        let doc = format!(
            "Calls the methods of [`{workflow}`] and asks its queries: `run.call(|w| …)`, `run.query(|w| …)`."
        );
        let methods = self.methods.iter().map(|callable| {
            let (value, error) = result_types(&callable.output);
            callable.in_stub(&quote!(::trunkline::Invocation<#value, #error>))
        });
        let queries = self.queries.iter().map(|callable| {
            let value = match &callable.output {
                ReturnType::Type(_, ty) => quote!(#ty),
                ReturnType::Default => quote!(()),
            };
            callable.in_stub(&quote!(::trunkline::Question<#value>))
        });
        let code = quote! {
            #[doc = #doc]
            #[derive(Clone, Copy, Debug, Default)]
            #[allow(unreachable_pub, reason = "it is as visible as the module it stands in")]
            pub struct #stub;

            #[allow(
                private_interfaces,
                unreachable_pub,
                clippy::trivially_copy_pass_by_ref,
                clippy::unused_self,
                reason = "the stub is as visible as the module it stands in, and written like the workflow"
            )]
            impl #stub {
                #(#methods)*
                #(#queries)*
            }
        };
        (code, quote!(#stub))
    }

    /// The functions of the trait that find methods and queries by name.
    pub(crate) fn dispatch(&self) -> TokenStream {
        let methods = self.methods.iter().map(|callable| {
            let (name, ident) = (callable.name(), &callable.ident);
            let (names, input, pattern) = callable.parts();
            quote! {
                #name => ::core::option::Option::Some(::trunkline::__private::method(
                    input,
                    move |input: #input| async move {
                        let #pattern = input;
                        self.#ident(cx, #(#names),*).await
                    },
                )),
            }
        });
        let queries = self.queries.iter().map(|callable| {
            let (name, ident) = (callable.name(), &callable.ident);
            let (names, input, pattern) = callable.parts();
            quote! {
                #name => ::core::option::Option::Some(::trunkline::__private::query(
                    input,
                    |input: #input| {
                        let #pattern = input;
                        self.#ident(#(#names),*)
                    },
                )),
            }
        });
        let method = (!self.methods.is_empty()).then(|| {
            quote! {
                fn method(
                    self: ::std::rc::Rc<Self>,
                    name: &::core::primitive::str,
                    cx: ::trunkline::Cx,
                    input: &::trunkline::Payload,
                ) -> ::core::option::Option<::trunkline::__private::MethodFuture> {
                    match name {
                        #(#methods)*
                        _ => ::core::option::Option::None,
                    }
                }
            }
        });
        let query = (!self.queries.is_empty()).then(|| {
            quote! {
                fn query(
                    &self,
                    name: &::core::primitive::str,
                    input: &::trunkline::Payload,
                ) -> ::core::option::Option<::trunkline::core::entry::Outcome> {
                    match name {
                        #(#queries)*
                        _ => ::core::option::Option::None,
                    }
                }
            }
        });
        quote! { #method #query }
    }
}

impl Callable {
    fn name(&self) -> String {
        self.ident.to_string().trim_start_matches("r#").to_owned()
    }

    fn parts(&self) -> (&[Ident], TokenStream, TokenStream) {
        (&self.names, tuple(&self.types), tuple(&self.names))
    }

    /// The function of the stub that names this and holds its argument.
    fn in_stub(&self, output: &TokenStream) -> TokenStream {
        let (ident, names, types, docs) = (&self.ident, &self.names, &self.types, &self.docs);
        let (name, input) = (self.name(), tuple(names));
        let fallback = format!("Names `{name}` and holds its argument.");
        quote! {
            #[doc = #fallback]
            #[doc = ""]
            #(#docs)*
            pub fn #ident(&self, #(#names: #types),*) -> #output {
                <#output>::new(#name, &#input)
            }
        }
    }
}

fn docs(method: &ImplItemFn) -> Vec<Attribute> {
    let attributes = method.attrs.iter();
    let docs = attributes.filter(|attribute| attribute.path().is_ident("doc"));
    docs.cloned().collect()
}

fn method(method: &ImplItemFn) -> Result<Callable> {
    let arguments = behind_cx(arguments(&method.sig)?, &method.sig)?;
    Ok(Callable {
        ident: method.sig.ident.clone(),
        docs: docs(method),
        names: names(&arguments),
        types: arguments.iter().map(|a| (*a.ty).clone()).collect(),
        output: method.sig.output.clone(),
    })
}

fn query(method: &ImplItemFn) -> Result<Callable> {
    let signature = &method.sig;
    check_name(signature)?;
    if signature.asyncness.is_some() {
        return Err(Error::new_spanned(
            signature,
            "a query only reads what is there, and waits for nothing: it is a plain `fn`",
        ));
    }
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver))
            if receiver.reference.is_some() && receiver.mutability.is_none() => {}
        _ => {
            return Err(Error::new_spanned(
                signature,
                "the first argument of a query is &self",
            ));
        }
    }
    let arguments = inputs.map(typed).collect::<Result<Vec<_>>>()?;
    Ok(Callable {
        ident: signature.ident.clone(),
        docs: docs(method),
        names: names(&arguments),
        types: arguments.iter().map(|a| (*a.ty).clone()).collect(),
        output: signature.output.clone(),
    })
}
