//! Properties: the durable fields of a run.

use crate::cx::Cx;
use crate::error::Result;
use crate::ledger::Ledger;
use crate::workflow::Field;
use serde::Serialize;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use trunkline_api::core::entry::Command;
use trunkline_api::core::payload::Name;

/// A field of a workflow whose value clients can read without a worker, and which is journaled with the turn that set it.
pub struct Prop<T> {
    name: &'static str,
    ledger: Option<Rc<Ledger>>,
    value: RefCell<Option<T>>,
}

impl<T> Prop<T> {
    /// The property's name: that of the field.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl<T: Clone> Prop<T> {
    /// The value, or the type's default if it was never set.
    #[must_use]
    pub fn get(&self) -> T
    where
        T: Default,
    {
        self.try_get().unwrap_or_default()
    }

    /// The value, if it was ever set.
    #[must_use]
    pub fn try_get(&self) -> Option<T> {
        self.value.borrow().clone()
    }
}

impl<T: Serialize> Prop<T> {
    /// Sets the value. It is visible outside once the turn is committed.
    ///
    /// # Panics
    /// If the value cannot be written as JSON; [`try_set`](Self::try_set) says so instead. The run is then paused.
    pub fn set(&self, value: T) {
        if let Err(error) = self.try_set(value) {
            panic!("property {}: {error}", self.name);
        }
    }

    /// Sets the value.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn try_set(&self, value: T) -> Result<()> {
        let encoded = Cx::encode(&value)?;
        if let Some(ledger) = &self.ledger {
            ledger.about_to("set a property");
            ledger.record(Command::SetProperty {
                name: Name::from(self.name),
                value: encoded,
            });
        }
        self.value.replace(Some(value));
        Ok(())
    }

    /// Changes the value in place and sets it.
    pub fn update(&self, change: impl FnOnce(&mut T))
    where
        T: Clone + Default,
    {
        let mut value = self.get();
        change(&mut value);
        self.set(value);
    }
}

impl<T> Field for Prop<T> {
    fn bind(name: &'static str, ledger: Option<&Rc<Ledger>>) -> Self {
        Self {
            name,
            ledger: ledger.cloned(),
            value: RefCell::new(None),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Prop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prop({}: {:?})", self.name, self.value.borrow())
    }
}
