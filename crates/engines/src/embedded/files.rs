//! The files of a data folder: the folder itself and its format, the creation of the database's
//! files, the journal after a crash, and the verification of every file before it is opened.

pub(super) mod creation;
pub(super) mod folder;
pub(super) mod group_log;
pub(super) mod journal;
pub(super) mod verification;
