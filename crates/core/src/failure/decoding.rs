//! Reading a failure: cause by cause, in a loop, and not deeper than a limit.
//!
//! What a decoder is given may come from a stranger. One that calls itself for each cause would let a few megabytes of nested
//! causes end the process, because they use up the stack.

use super::{CHAIN_MAX, Failure, FailureKind};
use crate::payload::{Name, Payload};
use alloc::boxed::Box;
use alloc::vec::Vec;
use minicbor::Decode;
use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};

/// Links of a chain that is read. Those that Trunkline makes are shorter.
const CHAIN_READ_MAX: usize = 2 * CHAIN_MAX;

/// A failure whose cause is being read.
struct Begun {
    failure: Failure,
    /// Fields behind the cause.
    left: u64,
}

impl<'b, C> Decode<'b, C> for Failure {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, Error> {
        let mut outer = Vec::new();
        loop {
            let mut begun = begin(d, ctx)?;
            if begun.left > 0 {
                begun.left -= 1;
                if d.datatype()? == Type::Null {
                    d.null()?;
                } else if outer.len() + 1 < CHAIN_READ_MAX {
                    outer.push(begun);
                    continue;
                } else {
                    return Err(Error::message("a failure has too many causes").at(d.position()));
                }
            }
            let mut failure = end(begun, d, ctx)?;
            while let Some(mut around) = outer.pop() {
                around.failure.cause = Some(Box::new(failure));
                failure = end(around, d, ctx)?;
            }
            return Ok(failure);
        }
    }
}

/// Reads a failure up to its cause.
fn begin<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Begun, Error> {
    let at = d.position();
    let Some(fields) = d.array()?.filter(|fields| *fields >= 3) else {
        return Err(Error::message("a failure is an array of at least three").at(at));
    };
    let kind: FailureKind = d.decode_with(ctx)?;
    let (name, message): (Name, Name) = (d.decode_with(ctx)?, d.decode_with(ctx)?);
    let mut failure = Failure::new(kind, name, message);
    if fields > 3 {
        failure.detail = d.decode_with::<C, Option<Payload>>(ctx)?;
    }
    Ok(Begun {
        failure,
        left: fields.saturating_sub(4),
    })
}

/// Reads what stands behind the cause.
fn end<'b, C>(begun: Begun, d: &mut Decoder<'b>, ctx: &mut C) -> Result<Failure, Error> {
    let Begun { mut failure, left } = begun;
    for field in 0..left {
        match field {
            0 => failure.non_retryable = d.decode_with(ctx)?,
            1 => failure.site = d.decode_with(ctx)?,
            // A field of a later version.
            _ => d.skip()?,
        }
    }
    Ok(failure)
}
