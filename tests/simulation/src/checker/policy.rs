//! Policies, read a second time: what they say is worked out here without the product's own code.

use breakglass::api::policy::{BreakglassPolicySpec, PolicyRule};

use super::grants::Asked;
use crate::cast::MANAGEMENT;

/// Whether one of its rules matches, in that namespace.
pub fn matches(policy: &BreakglassPolicySpec, namespace: &str, asked: &Asked) -> bool {
    any(&policy.namespaces, namespace) && policy.rules.iter().any(|rule| rule_matches(rule, asked))
}

fn rule_matches(rule: &PolicyRule, asked: &Asked) -> bool {
    let user = &asked.spec.user;
    if rule.users.as_ref().is_some_and(|users| !any(users, user)) {
        return false;
    }
    let everything = rule.account_assignment.is_none()
        && rule.identity_center_group.is_none()
        && rule.iam_group.is_none();
    let target = &asked.spec.target;
    let assignment = rule
        .account_assignment
        .as_ref()
        .zip(target.account_assignment.as_ref());
    let group = rule
        .identity_center_group
        .as_ref()
        .zip(target.identity_center_group.as_ref());
    let iam_group = rule.iam_group.as_ref().zip(target.iam_group.as_ref());
    everything
        || assignment.is_some_and(|(rule, target)| {
            account(&rule.accounts, &target.account)
                && any(&rule.permission_sets, &target.permission_set)
        })
        || group.is_some_and(|(rule, target)| any(&rule.names, &target.name))
        || iam_group.is_some_and(|(rule, target)| {
            account(&rule.accounts, &target.account) && any(&rule.names, &target.name)
        })
}

/// A star covers every account but the management account.
fn account(listed: &[String], account: &str) -> bool {
    listed
        .iter()
        .any(|one| one == account || (one == "*" && account != MANAGEMENT))
}

fn any(globs: &[String], text: &str) -> bool {
    globs.iter().any(|glob| {
        let (glob, text): (Vec<_>, Vec<_>) = (glob.chars().collect(), text.chars().collect());
        fits(&glob, &text)
    })
}

fn fits(glob: &[char], text: &[char]) -> bool {
    match (glob.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((&'*', rest)), _) if fits(rest, text) => true,
        (Some(('*', _)), Some((_, text))) => fits(glob, text),
        (Some(('?', glob)), Some((_, text))) => fits(glob, text),
        (Some((a, glob)), Some((b, text))) => a == b && fits(glob, text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::any;

    #[test]
    fn globs_are_read_as_documented() {
        for (glob, text, wanted) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "a", false),
            ("*b*", "abc", true),
            ("A", "a", false),
        ] {
            assert_eq!(any(&[glob.to_owned()], text), wanted, "{glob} {text}");
        }
    }
}
