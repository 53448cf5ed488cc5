//! Calls of runs' methods: who called, what has returned, who waits for it.
//!
//! A call is an entry of the run's history, and the index of that entry is its name. What it returned is in the history
//! too, so a repeated call, and one who asks late, get the answer from there. Who waits is known in memory only: a caller
//! whose connection broke asks again with the same nonce.

use super::Shard;
use super::history::fitting;
use super::hot::Hot;
use super::runs::Asker;
use crate::code::Code;
use crate::entry::{Command, Entry, Notification, Outcome};
use crate::failure::{Failure, FailureKind};
use crate::ids::{CommandId, Nonce, PeerId, RunId, RunKey};
use crate::input::Message;
use crate::io::Io;
use crate::limits::METHODS_MAX;
use crate::mutant::{self, Mutant};
use crate::payload::{Name, Payload};
use crate::peer::{CallMethod, Rejection, Reply, TurnDone};
use crate::run::{OpenCall, Origin};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The calls of a run's methods, as far as memory has them.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    /// All calls in the history; absent until somebody asks for one.
    calls: Option<Calls>,
    /// Who waits for which call.
    pub(super) waiters: Vec<(u32, Asker)>,
}

impl Methods {
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiters.is_empty()
    }

    pub(super) fn has_caller(&self, peer: PeerId) -> bool {
        self.waiters.iter().any(|(_, (waiter, _))| *waiter == peer)
    }
}

/// The calls in a run's history.
#[derive(Debug, Default)]
struct Calls {
    by_nonce: BTreeMap<Nonce, u32>,
    /// The nonce of each, and the chunk that says how it returned.
    calls: BTreeMap<u32, (Nonce, Option<u32>)>,
}

impl Calls {
    fn called(&mut self, call: u32, nonce: Nonce) {
        self.calls.insert(call, (nonce, None));
        if nonce != Nonce(0) {
            self.by_nonce.insert(nonce, call);
        }
    }

    fn returned(&mut self, call: u32, chunk: u32) {
        if let Some((_, returned)) = self.calls.get_mut(&call) {
            *returned = Some(chunk);
        }
    }
}

impl Shard {
    pub(super) fn call_method(&mut self, io: &mut Io<'_>, asker: Asker, asked: CallMethod) {
        let CallMethod {
            run,
            method,
            input,
            nonce,
            wait,
        } = asked;
        let (key, mut hot) = match self.find(io, &run) {
            Ok(found) => found,
            Err(rejection) => return io.reply(asker, Err(rejection)),
        };
        // A known call is answered also when the run has ended: its end may be what the call brought about.
        let known = self
            .calls(io, key, &mut hot)
            .filter(|_| nonce != Nonce(0) && !mutant::is(Mutant::CallsRepeated))
            .and_then(|calls| calls.by_nonce.get(&nonce).copied());
        let is_past = hot.knows_from_earlier(nonce);
        let answer = match known {
            None if is_past => {
                let detail = "it was answered before the run continued as new";
                Err(Rejection::new(Code::CallNotFound, detail))
            }
            Some(call) => Ok((call, false)),
            None => self
                .open_call(io, key, &mut hot, (method, input, nonce), None)
                .map(|call| (call, true)),
        };
        match answer {
            Ok((call, _)) if wait => self.answer_or_await(io, asker, key, &mut hot, call),
            Ok((call, created)) => io.reply(asker, Ok(Reply::MethodCalled { call, created })),
            Err(rejection) => io.reply(asker, Err(rejection)),
        }
        self.keep(key, hot);
    }

    /// Notes a call that is new, and gives its name.
    fn open_call(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        (method, input, nonce): (Name, Payload, Nonce),
        origin: Option<Origin>,
    ) -> Result<u32, Rejection> {
        let run = &hot.run;
        if run.status.is_final() {
            let detail = format!("run `{}` is {}", run.id, run.status.as_str());
            return Err(Rejection::new(Code::RunFinished, detail));
        }
        if run.open_methods.len() >= METHODS_MAX {
            let detail = format!("{METHODS_MAX} methods of `{}` have not returned", run.id);
            return Err(Rejection::new(Code::TooManyMethods, detail));
        }
        if let Some(full) = hot.would_overflow(1, input.len()) {
            return Err(Rejection::new(Code::HistoryFull, full));
        }
        let call = hot.entries();
        hot.run.open_methods.push(OpenCall { call, origin });
        hot.run.calls += 1;
        if let Some(calls) = hot.methods.as_mut().and_then(|m| m.calls.as_mut()) {
            calls.called(call, nonce);
        }
        let called = Notification::MethodCalled {
            method,
            input,
            nonce,
        };
        self.notify(io, key, hot, called);
        Ok(call)
    }

    pub(super) fn await_method(
        &mut self,
        io: &mut Io<'_>,
        asker: Asker,
        run: &RunId,
        call: u32,
        nonce: Option<Nonce>,
    ) {
        let (key, mut hot) = match self.find(io, run) {
            Ok(found) => found,
            Err(rejection) => return io.reply(asker, Err(rejection)),
        };
        let known = self
            .calls(io, key, &mut hot)
            .and_then(|calls| calls.calls.get(&call));
        if known.is_some_and(|(known, _)| nonce.is_none_or(|nonce| nonce == *known)) {
            self.answer_or_await(io, asker, key, &mut hot, call);
        } else {
            let detail = format!("run `{run}` has no call {call}");
            io.reply(asker, Err(Rejection::new(Code::CallNotFound, detail)));
        }
        self.keep(key, hot);
    }

    /// Answers who wants to know how a call returned, now or when it does.
    fn answer_or_await(
        &mut self,
        io: &mut Io<'_>,
        asker: Asker,
        key: RunKey,
        hot: &mut Hot,
        call: u32,
    ) {
        let returned = self
            .calls(io, key, hot)
            .and_then(|calls| calls.calls.get(&call)?.1);
        let outcome = match returned {
            Some(chunk) => self.returned_in(io, key, call, chunk),
            // It never returned, because the run ended first: as it says.
            None if hot.run.status.is_final() => hot.run.outcome.clone(),
            None => None,
        };
        if let Some(outcome) = outcome {
            io.reply(asker, Ok(Reply::MethodEnded { call, outcome }));
        } else if !self.add_caller(key, hot, call, asker) {
            let detail = "too many are waiting for methods of this run";
            io.reply(asker, Err(Rejection::new(Code::Overloaded, detail)));
        }
    }

    /// How a call returned, as a chunk of the history says.
    fn returned_in(&self, io: &Io<'_>, key: RunKey, wanted: u32, chunk: u32) -> Option<Outcome> {
        let mut entries = self.chunk_entries(io, key, chunk).into_iter();
        entries.find_map(|entry| match entry {
            Entry::Command(Command::MethodReturned { call, outcome }) if call == wanted => {
                Some(outcome)
            }
            _ => None,
        })
    }

    /// The calls of a run: read from its history when the first is asked for. Nothing if there was never one.
    fn calls<'h>(&mut self, io: &mut Io<'_>, key: RunKey, hot: &'h mut Hot) -> Option<&'h Calls> {
        if hot.run.calls == 0 {
            return None;
        }
        let is_read = hot.methods.as_ref().is_some_and(|m| m.calls.is_some());
        if !is_read {
            self.close_chunk(io, key, hot);
            let mut calls = Calls::default();
            let mut index = 0;
            for chunk in 0..hot.run.chunks {
                for entry in self.chunk_entries(io, key, chunk) {
                    match entry {
                        Entry::Notification(_, Notification::MethodCalled { nonce, .. }) => {
                            calls.called(index, nonce);
                        }
                        Entry::Command(Command::MethodReturned { call, .. }) => {
                            calls.returned(call, chunk);
                        }
                        _ => {}
                    }
                    index += 1;
                }
            }
            hot.methods.get_or_insert_default().calls = Some(calls);
        }
        hot.methods.as_ref().and_then(|m| m.calls.as_ref())
    }

    /// A method has returned, as the entry in `chunk` says: its callers are answered.
    pub(super) fn method_returned(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        call: u32,
        outcome: &Outcome,
        chunk: u32,
    ) {
        if let Some(calls) = hot.methods.as_mut().and_then(|m| m.calls.as_mut()) {
            calls.returned(call, chunk);
        }
        let place = hot.run.open_methods.iter().position(|o| o.call == call);
        if let Some(place) = place
            && let Some(origin) = hot.run.open_methods.remove(place).origin
        {
            self.tell_caller(io, origin, outcome.clone());
        }
        self.answer_callers(io, key, hot, call, outcome);
    }

    /// The run has ended with methods that have not returned: they end as it did.
    pub(super) fn end_methods(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        outcome: &Outcome,
    ) {
        let open_methods = core::mem::take(&mut hot.run.open_methods);
        if mutant::is(Mutant::CallersForgotten) {
            return;
        }
        for open in open_methods {
            if let Some(origin) = open.origin {
                self.tell_caller(io, origin, outcome.clone());
            }
            self.answer_callers(io, key, hot, open.call, outcome);
        }
    }

    /// A run calls a method of another, or of its own.
    pub(super) fn call_from_run(
        &mut self,
        io: &mut Io<'_>,
        hot: &Hot,
        command: CommandId,
        run: RunId,
        (method, input): (Name, Payload),
    ) {
        let origin = Origin::Run {
            run: hot.run.id.clone(),
            began_at: hot.run.began_at(),
            command,
        };
        let to = self.shard_of(&run);
        let call = Message::CallMethod {
            run,
            method,
            input,
            origin,
        };
        self.post(io, to, call);
    }

    /// Takes a call from a run. The mail brings it once, so it needs no nonce.
    pub(super) fn call_for(
        &mut self,
        io: &mut Io<'_>,
        run: &RunId,
        (method, input): (Name, Payload),
        origin: Origin,
    ) {
        let refused = match self.find(io, run) {
            Err(rejection) => Some(rejection),
            Ok((key, mut hot)) => {
                let called = (method, input, Nonce(0));
                let opened = self.open_call(io, key, &mut hot, called, Some(origin.clone()));
                self.keep(key, hot);
                opened.err()
            }
        };
        if let Some(Rejection { code, detail }) = refused {
            let name = Name::from(code.to_string());
            let failure = Failure::new(FailureKind::Application, name, detail);
            self.tell_caller(io, origin, Outcome::Failed(failure));
        }
    }

    fn tell_caller(&mut self, io: &mut Io<'_>, origin: Origin, outcome: Outcome) {
        let to = self.home_of(&origin);
        self.post(io, to, Message::MethodEnded { origin, outcome });
    }

    /// A method that a run had called has ended: the run hears of it, unless it has ended or begun anew.
    pub(super) fn called_method_ended(
        &mut self,
        io: &mut Io<'_>,
        origin: Origin,
        outcome: Outcome,
    ) {
        let Origin::Run {
            run,
            began_at,
            command,
        } = origin
        else {
            return;
        };
        let key = run.key();
        let Some(mut hot) = self.load(io, key) else {
            return;
        };
        let is_meant =
            hot.run.id == run && hot.run.began_at() == began_at && !hot.run.status.is_final();
        if is_meant && self.wants_answer(io, key, &mut hot, command) {
            let ended = Notification::MethodEnded { command, outcome };
            let (notification, _) = fitting(&hot, ended);
            self.notify(io, key, &mut hot, notification);
        }
        self.keep(key, hot);
    }

    fn answer_callers(
        &mut self,
        io: &mut Io<'_>,
        key: RunKey,
        hot: &mut Hot,
        call: u32,
        outcome: &Outcome,
    ) {
        let Some(methods) = &mut hot.methods else {
            return;
        };
        let (answered, waiting): (Vec<_>, Vec<_>) = core::mem::take(&mut methods.waiters)
            .into_iter()
            .partition(|(waited, _)| *waited == call);
        methods.waiters = waiting;
        for (_, asker) in answered {
            self.let_caller_go(key, hot, asker.0);
            let outcome = outcome.clone();
            io.reply(asker, Ok(Reply::MethodEnded { call, outcome }));
        }
    }

    /// Forgets what is known of a run's calls: its history is about to be written anew.
    pub(super) fn forget_calls(hot: &mut Hot) {
        if let Some(methods) = &mut hot.methods {
            methods.calls = None;
        }
    }
}

impl OpenCall {
    pub(super) fn new(call: u32) -> Self {
        Self { call, origin: None }
    }
}

/// True if the turn ends the run and a method was called that the turn has not seen. The run ends when its methods have.
pub(super) fn outrun_by_a_call(hot: &Hot, turn: &TurnDone) -> bool {
    let newest = hot.run.open_methods.last();
    newest.is_some_and(|open| open.call >= turn.upto)
        && matches!(
            turn.commands.last(),
            Some(Command::Finish { .. } | Command::ContinueAsNew { .. })
        )
}

/// Every method that a turn says has returned was open, and the run does not end before its methods have.
pub(super) fn check_returns(hot: &Hot, turn: &TurnDone) -> Result<(), String> {
    let mut open: Vec<u32> = hot.run.open_methods.iter().map(|open| open.call).collect();
    let code = Code::ProtocolError;
    for command in &turn.commands {
        match command {
            Command::MethodReturned { call, .. } => match open.binary_search(call) {
                Ok(place) => {
                    open.remove(place);
                }
                Err(_) => return Err(format!("{code}: call {call} is not open")),
            },
            Command::Finish { .. } | Command::ContinueAsNew { .. } if !open.is_empty() => {
                let open = open.len();
                return Err(format!("{code}: the run ends with {open} methods open"));
            }
            _ => {}
        }
    }
    Ok(())
}
