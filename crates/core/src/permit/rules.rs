//! The scopes that an operation or a condition needs.

use super::scopes::word;
use super::{Access, Forbidden, Scopes};
use crate::commit::{Commit, Condition, Operation, Precondition};
use crate::key::{Key, Prefix};

/// The refusal of an action on a key.
pub(super) fn outside(action: &'static str, access: Access, key: &Key) -> Forbidden {
    Forbidden {
        action,
        place: key.to_string(),
        scope: Some(word(access, key.as_str())),
    }
}

/// The refusal of an action on a prefix.
pub(super) fn beyond(action: &'static str, access: Access, prefix: &Prefix) -> Forbidden {
    let path = prefix.as_str();
    let hint = if path.ends_with('/') {
        ""
    } else {
        " (a scope's path ends at a \"/\")"
    };
    // No scope covers a part of a name, so the error names the scope of the folder.
    let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
    Forbidden {
        action,
        place: format!("everything that begins with {prefix}{hint}"),
        scope: Some(word(access, folder)),
    }
}

/// Checks every condition and operation of a commit. Returns the keys that the scopes allow to create but not to
/// replace.
///
/// The error is the first one that is not allowed. It names a scope that is enough only if no other is missing.
pub(super) fn check_commit(scopes: &Scopes, commit: &Commit) -> Result<Vec<Key>, Forbidden> {
    let mut refused: Option<Forbidden> = None;
    let mut refuse = |forbidden: Forbidden| {
        refused = Some(match refused.take() {
            None => forbidden,
            Some(first) if first.scope == forbidden.scope => first,
            Some(first) => Forbidden {
                scope: None,
                ..first
            },
        });
    };
    let mut create_only = Vec::new();
    for condition in commit.conditions() {
        if let Err(forbidden) = check_condition(scopes, condition) {
            refuse(forbidden);
        }
    }
    for operation in commit.operations() {
        match check_operation(scopes, operation) {
            Ok(Some(key)) => create_only.push(key.clone()),
            Ok(None) => {}
            Err(forbidden) => refuse(forbidden),
        }
    }
    match refused {
        None => Ok(create_only),
        Some(forbidden) => Err(forbidden),
    }
}

/// The result of a condition tells something about its key, so it needs the right to read it; for the condition that a
/// key is absent, the right to create it is enough, since creating it tells the same.
fn check_condition(scopes: &Scopes, condition: &Condition) -> Result<(), Forbidden> {
    let key = &condition.key;
    let enough: &[Access] = match condition.expect {
        Precondition::Absent => &[Access::Read, Access::Create, Access::Modify],
        Precondition::Present | Precondition::Revision(_) => &[Access::Read, Access::Modify],
        Precondition::Value(_) => &[Access::Read],
    };
    if enough.iter().any(|access| scopes.allow(*access, key)) {
        return Ok(());
    }
    Err(outside("a condition on", Access::Read, key))
}

/// Returns the key if the scopes allow creating it but not replacing it.
fn check_operation<'a>(
    scopes: &Scopes,
    operation: &'a Operation,
) -> Result<Option<&'a Key>, Forbidden> {
    match operation {
        Operation::Set { key, .. } | Operation::Add { key, .. } => {
            if scopes.allow(Access::Modify, key) {
                Ok(None)
            } else if scopes.allow(Access::Create, key) {
                Ok(Some(key))
            } else {
                Err(outside("writing", Access::Modify, key))
            }
        }
        Operation::Delete { key } | Operation::Renew { key, .. } | Operation::Release { key } => {
            if scopes.allow(Access::Modify, key) {
                Ok(None)
            } else {
                Err(outside("changing", Access::Modify, key))
            }
        }
        Operation::DeletePrefix { prefix, .. } => {
            if scopes.allow_prefix(Access::Modify, prefix) {
                Ok(None)
            } else {
                Err(beyond("deleting", Access::Modify, prefix))
            }
        }
        Operation::Claim { prefix, .. } => check_claim(scopes, prefix),
    }
}

/// The outcome of a claim has the value, so it needs both rights.
fn check_claim<'a>(scopes: &Scopes, prefix: &Prefix) -> Result<Option<&'a Key>, Forbidden> {
    let missing = |access| !scopes.allow_prefix(access, prefix);
    let refused = |access| beyond("claiming from", access, prefix);
    match (missing(Access::Read), missing(Access::Modify)) {
        (false, false) => Ok(None),
        (true, false) => Err(refused(Access::Read)),
        (false, true) => Err(refused(Access::Modify)),
        (true, true) => Err(Forbidden {
            scope: None,
            ..refused(Access::Modify)
        }),
    }
}
