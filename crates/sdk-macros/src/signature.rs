//! The parts of an async method's signature that the macros need.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Error, FnArg, GenericArgument, Ident, PatType, PathArguments, Result, ReturnType, Signature,
    Type,
};

/// Checks that `signature` is `async fn name(&self, …) -> …` and gives its arguments behind `&self`.
pub(crate) fn arguments(signature: &Signature) -> Result<Vec<&PatType>> {
    check_async(signature)?;
    let mut inputs = signature.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver))
            if receiver.reference.is_some() && receiver.mutability.is_none() => {}
        _ => {
            return Err(Error::new_spanned(signature, "the first argument is &self"));
        }
    }
    inputs.map(typed).collect()
}

/// Checks for the handle, and gives the rest: the argument of a workflow or method.
pub(crate) fn behind_cx<'a>(
    mut arguments: Vec<&'a PatType>,
    signature: &Signature,
) -> Result<Vec<&'a PatType>> {
    if arguments.is_empty() {
        return Err(Error::new_spanned(
            signature,
            "a workflow takes its handle first: `cx: Cx`",
        ));
    }
    arguments.remove(0);
    Ok(arguments)
}

/// Checks that `signature` is an `async fn` without generics.
pub(crate) fn check_async(signature: &Signature) -> Result<()> {
    if signature.asyncness.is_none() {
        return Err(Error::new_spanned(
            signature,
            "this has to be an `async fn`",
        ));
    }
    check_name(signature)
}

/// Checks that `signature` has no generics: what is called by name has none.
pub(crate) fn check_name(signature: &Signature) -> Result<()> {
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "generic parameters cannot be called by name over a network",
        ));
    }
    Ok(())
}

pub(crate) fn typed(argument: &FnArg) -> Result<&PatType> {
    match argument {
        FnArg::Typed(argument) => Ok(argument),
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "unexpected `self`")),
    }
}

/// Names for arguments, whatever patterns they have.
pub(crate) fn names(arguments: &[&PatType]) -> Vec<Ident> {
    arguments
        .iter()
        .enumerate()
        .map(|(index, argument)| match &*argument.pat {
            syn::Pat::Ident(pat) if pat.subpat.is_none() => pat.ident.clone(),
            _ => Ident::new(
                &format!("argument_{index}"),
                proc_macro2::Span::mixed_site(),
            ),
        })
        .collect()
}

/// The value that travels for some arguments: nothing, the one, or a tuple.
pub(crate) fn tuple<T: quote::ToTokens>(parts: &[T]) -> TokenStream {
    match parts {
        [one] => quote!(#one),
        parts => quote!((#(#parts),*)),
    }
}

/// The two types of a returned `Result<T, E>`. Where they cannot be read off, the compiler finds them.
pub(crate) fn result_types(output: &ReturnType) -> (TokenStream, TokenStream) {
    let ReturnType::Type(_, ty) = output else {
        return (
            quote!(<() as ::trunkline::__private::ResultParts>::Value),
            quote!(<() as ::trunkline::__private::ResultParts>::Error),
        );
    };
    if let Type::Path(path) = &**ty
        && let Some(last) = path.path.segments.last()
        && last.ident == "Result"
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
    {
        let types: Vec<&Type> = arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect();
        if let [value, error] = types[..] {
            return (quote!(#value), quote!(#error));
        }
    }
    (
        quote!(<#ty as ::trunkline::__private::ResultParts>::Value),
        quote!(<#ty as ::trunkline::__private::ResultParts>::Error),
    )
}
