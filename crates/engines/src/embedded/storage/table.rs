//! The tables of a store.

/// One of the tables of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Table {
    Entries,
    Log,
    Expiry,
    Namespaces,
}

impl Table {
    /// All tables, by their numbers.
    pub(in crate::embedded) const ALL: [Self; 4] =
        [Self::Entries, Self::Log, Self::Expiry, Self::Namespaces];

    /// Its number in the log.
    pub(in crate::embedded) const fn number(self) -> u8 {
        match self {
            Self::Entries => 0,
            Self::Log => 1,
            Self::Expiry => 2,
            Self::Namespaces => 3,
        }
    }

    /// The table with a number.
    pub(in crate::embedded) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
