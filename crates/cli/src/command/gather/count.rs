//! Values that a table can't show as people expect, counted while they are gathered.

use prominence_api::Detail;

use super::super::counted;
use super::super::object::Members;
use crate::output;

/// The number of values, and of unusual ones.
pub(super) struct Counts {
    values: u64,
    others: Group,
    /// Results without an input, where inputs were asked for.
    without_input: Option<Group>,
}

/// Some of the keys.
#[derive(Default)]
struct Group {
    count: u64,
    first: Option<String>,
}

/// True if a value is a JSON object, whose members are columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Other,
}

impl Kind {
    pub(super) fn of(detail: &Detail) -> Self {
        match Members::of_detail(detail) {
            Some(_) => Self::Object,
            None => Self::Other,
        }
    }
}

impl Counts {
    pub(super) fn new(with_inputs: bool) -> Self {
        Self {
            values: 0,
            others: Group::default(),
            without_input: with_inputs.then(Group::default),
        }
    }

    /// Counts a value.
    pub(super) fn add(&mut self, key: &str, kind: Kind, input: Option<&Detail>) {
        self.values += 1;
        if kind == Kind::Other {
            self.others.add(key);
        }
        if let (Some(group), None) = (&mut self.without_input, input) {
            group.add(key);
        }
    }

    /// True if there were no values.
    pub(super) fn are_zero(&self) -> bool {
        self.values == 0
    }

    /// Says on standard error how many were unusual.
    pub(super) fn tell(&self) {
        self.others
            .tell(self.values, "not JSON objects", "not a JSON object");
        if let Some(group) = &self.without_input {
            let what = "without an input of the same name";
            group.tell(self.values, what, what);
        }
    }
}

impl Group {
    fn add(&mut self, key: &str) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some(key.to_owned());
        }
    }

    fn tell(&self, values: u64, many: &str, one: &str) {
        let values = counted(values, "value");
        match &self.first {
            None => {}
            Some(first) if self.count == 1 => {
                output::warn(format_args!("1 of {values} is {one}: {first}"));
            }
            Some(first) => {
                let count = self.count;
                output::warn(format_args!(
                    "{count} of {values} are {many}, such as {first}"
                ));
            }
        }
    }
}
