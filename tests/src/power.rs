//! Power cuts: the states in which one can leave the folder of a real run of the engine, and their checks.
//!
//! ```text
//! recorded-load (under strace) ─▶ trace ─▶ history ─▶ disk ─▶ folders as cuts leave them ─▶ check
//! ```
//!
//! | module | contents |
//! | --- | --- |
//! | `load` | the writers, whose commits follow from a seed |
//! | `trace` | reads system calls from the output of strace |
//! | `history` | the changes of files and folders that these calls make |
//! | `disk` | the changes that must survive, and the possible states of the others |
//! | `check` | checks that a folder has every acknowledged commit, and no part of a commit |

pub mod check;
pub mod disk;
pub mod history;
pub mod load;
pub mod trace;
