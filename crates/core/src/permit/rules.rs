//! What scopes an operation or a condition needs.

use super::{Access, Forbidden, Scopes};
use crate::commit::{Condition, Operation, Precondition};
use crate::key::{Key, Prefix};

/// The refusal of an action on a prefix.
pub(super) fn beyond(action: &'static str, prefix: &Prefix) -> Forbidden {
    let hint = if prefix.as_str().ends_with('/') {
        ""
    } else {
        " (a scope's path ends at a \"/\")"
    };
    Forbidden {
        action,
        place: format!("everything that begins with {prefix}{hint}"),
    }
}

/// A condition tells something about its key, so it needs the right to read it; one that a key
/// be absent tells no more than creating it would.
pub(super) fn check_condition(scopes: &Scopes, condition: &Condition) -> Result<(), Forbidden> {
    let key = &condition.key;
    let enough: &[Access] = match condition.expect {
        Precondition::Absent => &[Access::Read, Access::Create, Access::Modify],
        Precondition::Present | Precondition::Revision(_) => &[Access::Read, Access::Modify],
        Precondition::Value(_) => &[Access::Read],
    };
    if enough.iter().any(|access| scopes.allow(*access, key)) {
        return Ok(());
    }
    Err(Forbidden {
        action: "a condition on",
        place: key.to_string(),
    })
}

/// Answers the key where the scopes allow creating it but not replacing it.
pub(super) fn check_operation<'a>(
    scopes: &Scopes,
    operation: &'a Operation,
) -> Result<Option<&'a Key>, Forbidden> {
    let refuse = |action, place: String| Err(Forbidden { action, place });
    match operation {
        Operation::Set { key, .. } | Operation::Add { key, .. } => {
            if scopes.allow(Access::Modify, key) {
                Ok(None)
            } else if scopes.allow(Access::Create, key) {
                Ok(Some(key))
            } else {
                refuse("writing", key.to_string())
            }
        }
        Operation::Delete { key } | Operation::Renew { key, .. } | Operation::Release { key } => {
            if scopes.allow(Access::Modify, key) {
                Ok(None)
            } else {
                refuse("changing", key.to_string())
            }
        }
        Operation::DeletePrefix { prefix } => {
            if scopes.allow_prefix(Access::Modify, prefix) {
                Ok(None)
            } else {
                Err(beyond("deleting", prefix))
            }
        }
        // Claiming answers the value, so it needs both rights.
        Operation::Claim { prefix, .. } => {
            if scopes.allow_prefix(Access::Modify, prefix)
                && scopes.allow_prefix(Access::Read, prefix)
            {
                Ok(None)
            } else {
                Err(beyond("claiming from", prefix))
            }
        }
    }
}
