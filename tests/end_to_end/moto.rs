//! The main job with moto in AWS's place, which was written by others.

use crate::lifecycle::a_grant_gives_access_until_its_expiry;
use crate::support::World;
use crate::support::scenario::{assignment, group, iam_group};

#[test]
fn an_account_assignment_is_given_until_its_expiry_on_moto() {
    a_grant_gives_access_until_its_expiry(World::with_moto(), assignment);
}

#[test]
fn an_identity_center_group_membership_is_given_until_its_expiry_on_moto() {
    a_grant_gives_access_until_its_expiry(World::with_moto(), group);
}

#[test]
fn an_iam_group_membership_is_given_until_its_expiry_on_moto() {
    a_grant_gives_access_until_its_expiry(World::with_moto(), iam_group);
}
