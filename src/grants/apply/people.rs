//! Finds the system's users that the rows name, and those that got entries from an earlier apply.

use anyhow::Result;
use nix::unistd::User;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::{ApplyOutcome, Permission, Rules};
use crate::lake::disk::checksummed;
use crate::lake::disk::root::Root;

/// The file with the users whose entries lakectl has set in this lake. It removes no other entries.
const STATE: &str = ".lakectl/grants";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// (name, uid); a name may have had several uids.
    users: BTreeSet<(String, u32)>,
}

/// A user whose entries are set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) user_id: String,
    pub(super) uid: u32,
    /// Whether rows still apply to this uid.
    pub(super) has_rules: bool,
}

#[derive(Debug)]
pub(super) struct People {
    /// One person per uid.
    pub(super) list: Vec<Person>,
    before: State,
    /// Users that could not be looked up: their entries stay as they are.
    unknown: State,
}

impl People {
    pub(super) fn find(root: &Root, rules: &Rules, out: &mut ApplyOutcome) -> Result<People> {
        let before = checksummed::read::<State>(root, STATE)?.unwrap_or_default();
        let mut people: BTreeMap<u32, Person> = BTreeMap::new();
        let mut unknown = State::default();
        for user in rules.users() {
            match look_up(user) {
                Ok(Some(uid)) => admit(&mut people, user, uid, out),
                Ok(None) => {
                    if rules.of(user).any(|(_, rule)| rule.permission > Permission::None) {
                        out.could_not(Some(user), "files", "this system has no user of that name");
                    }
                }
                Err(reason) => {
                    out.could_not(Some(user), "files", reason);
                    let had = before.users.iter().filter(|(name, _)| name == user);
                    unknown.users.extend(had.cloned());
                }
            }
        }
        for (name, uid) in before.users.difference(&unknown.users) {
            people.entry(*uid).or_insert_with(|| Person {
                user_id: name.clone(),
                uid: *uid,
                has_rules: false,
            });
        }
        Ok(People {
            list: people.into_values().collect(),
            before,
            unknown,
        })
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.list.is_empty()
    }

    /// Saves all users before any entry is set, so that a later apply can remove the entries whatever happens.
    pub(super) fn remember_all(&self, root: &Root) -> Result<()> {
        let mut state = self.before.clone();
        let all = self
            .list
            .iter()
            .map(|person| (person.user_id.clone(), person.uid));
        state.users.extend(all);
        self.save(root, &state)
    }

    /// Forgets users without rows, once all their entries are removed.
    pub(super) fn forget_users_without_rules(&self, root: &Root) -> Result<()> {
        let mut state = self.unknown.clone();
        let here = self.list.iter().filter(|person| person.has_rules);
        state
            .users
            .extend(here.map(|person| (person.user_id.clone(), person.uid)));
        self.save(root, &state)
    }

    fn save(&self, root: &Root, state: &State) -> Result<()> {
        if checksummed::read::<State>(root, STATE)?.as_ref() == Some(state) {
            Ok(())
        } else {
            checksummed::write(root, STATE, state)
        }
    }
}

fn admit(people: &mut BTreeMap<u32, Person>, user: &str, uid: u32, out: &mut ApplyOutcome) {
    if uid == 0 {
        out.warnings
            .insert(format!("{user} is root, which ACLs do not restrict"));
        return;
    }
    if let Some(other) = people.get(&uid) {
        let reason = format!("has the uid {uid} of {}, whose rows are applied", other.user_id);
        out.could_not(Some(user), "files", reason);
        return;
    }
    people.insert(
        uid,
        Person {
            user_id: user.to_owned(),
            uid,
            has_rules: true,
        },
    );
}

/// The uid of a user of this system. An error is a lookup that failed, not a user that is missing.
fn look_up(user: &str) -> Result<Option<u32>, String> {
    match User::from_name(user) {
        // Some user directories ignore case.
        Ok(found) => Ok(found
            .filter(|found| found.name == user)
            .map(|found| found.uid.as_raw())),
        Err(error) => Err(format!("the system's users can't be looked up: {error}")),
    }
}
