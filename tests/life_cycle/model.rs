//! What a server of secrets has to remember, and whom it has to let in: Barbican's default rules, written down once
//! more and independently.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::TestCaseError;
use serde_json::{Map, Value, json};

use crate::actions::{AclBody, NewSecret, Payload, Version, Who};

/// A secret, as far as it shows.
#[derive(Debug)]
pub(crate) struct Secret {
    pub(crate) path: String,
    pub(crate) creator: Who,
    pub(crate) is_deleted: bool,
    /// Every field of its JSON that never changes.
    fixed: Map<String, Value>,
    pub(crate) payload: Option<Payload>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Which ones, and of which project.
    pub(crate) consumers: Vec<(u8, &'static str)>,
    pub(crate) acl: Option<Acl>,
    /// Null until it was shown.
    created: Value,
    /// When it was changed last, as it was shown last.
    updated: String,
    /// Whether it was changed since then.
    is_touched: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Acl {
    pub(crate) project_access: bool,
    pub(crate) users: BTreeSet<Who>,
}

/// What a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Get,
    Decrypt,
    Put,
    Delete,
    ReadMetadata,
    WriteMetadata,
    Acl,
    Consumers,
}

impl Secret {
    pub(crate) fn new(path: &str, reference: &str, creator: (Who, &str), new: &NewSecret) -> Self {
        let fixed = json!({
            "status": "ACTIVE",
            "name": new.name.map(name),
            "secret_type": new.secret_type.unwrap_or("opaque"),
            "algorithm": new.algorithm,
            "mode": new.mode,
            "bit_length": new.bit_length,
            "expiration": new.expires.then_some(FAR_SHOWN),
            "creator_id": creator.1,
            "secret_ref": reference,
        });
        let Value::Object(fixed) = fixed else {
            unreachable!("written as one");
        };
        Self {
            path: path.to_owned(),
            creator: creator.0,
            is_deleted: false,
            fixed,
            payload: new.payload.clone(),
            metadata: BTreeMap::new(),
            consumers: Vec::new(),
            acl: None,
            created: Value::Null,
            updated: String::new(),
            is_touched: true,
        }
    }

    pub(crate) fn project(&self) -> &'static str {
        self.creator.project()
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.fixed["name"].as_str()
    }

    /// Notes that the server has another address.
    pub(crate) fn moved(&mut self, base: &str) {
        self.fixed["secret_ref"] = json!(format!("{base}{}", self.path));
    }

    /// Notes that the time of the last change moves on.
    pub(crate) fn touch(&mut self) {
        self.is_touched = true;
    }

    pub(crate) fn names(&self, who: Who) -> bool {
        self.acl
            .as_ref()
            .is_some_and(|acl| acl.users.contains(&who))
    }

    pub(crate) fn allows(&self, rule: Rule, who: Who) -> bool {
        let is_open = self.acl.as_ref().is_none_or(|acl| acl.project_access);
        let own_project = who.project() == self.project();
        let standard = own_project
            && match who.role() {
                "admin" => true,
                "member" => who == self.creator || is_open,
                _ => false,
            };
        let any_admin = who.role() == "admin";
        let named = self.names(who);
        match rule {
            Rule::Get => any_admin || standard || named,
            Rule::Delete => any_admin || standard,
            Rule::Decrypt | Rule::ReadMetadata | Rule::Consumers => standard || named,
            Rule::Put | Rule::WriteMetadata | Rule::Acl => standard,
        }
    }

    /// Compares with the JSON of a secret; learns the times in it.
    pub(crate) fn check(
        &mut self,
        shown: &Value,
        has_consumers: bool,
    ) -> Result<(), TestCaseError> {
        let mut expected = self.fixed.clone();
        if has_consumers {
            let consumers = self.consumers.iter().map(|(n, _)| consumer(*n)).collect();
            expected.insert("consumers".to_owned(), Value::Array(consumers));
        }
        if let Some(payload) = &self.payload {
            let types = json!({"default": payload.content_type()});
            expected.insert("content_types".to_owned(), types);
        }
        let mut shown = shown.as_object().cloned().unwrap_or_default();
        let updated = shown.remove("updated").unwrap_or_default();
        let updated = updated.as_str().unwrap_or_default().to_owned();
        let created = shown.remove("created").unwrap_or_default();
        proptest::prop_assert_eq!(&shown, &expected);
        if self.is_touched {
            proptest::prop_assert!(updated > self.updated, "{} > {}", updated, self.updated);
        } else {
            proptest::prop_assert_eq!(&updated, &self.updated);
        }
        if self.created.is_null() {
            self.created = created;
        } else {
            proptest::prop_assert_eq!(&created, &self.created);
        }
        self.updated = updated;
        self.is_touched = false;
        Ok(())
    }
}

impl Acl {
    /// `None` where the body says nothing at all.
    pub(crate) fn replaced(body: &AclBody) -> Option<Self> {
        let says_something = body.project_access.is_some() || body.users.is_some();
        says_something.then(|| Self {
            project_access: body.project_access.unwrap_or(true),
            users: body.users.iter().flatten().copied().collect(),
        })
    }

    pub(crate) fn patched(old: Option<&Self>, body: &AclBody) -> Option<Self> {
        let mut new = Self::replaced(body)?;
        if let Some(old) = old {
            if body.project_access.is_none() {
                new.project_access = old.project_access;
            }
            if body.users.is_none() {
                new.users.clone_from(&old.users);
            }
        }
        Some(new)
    }
}

impl Version {
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::V1_0 => "key-manager 1.0",
            Self::V1_1 => "key-manager 1.1",
            Self::V1_2 => "key-manager 1.2",
        }
    }
}

pub(crate) fn name(n: u8) -> String {
    format!("name {n}")
}

pub(crate) fn consumer(n: u8) -> Value {
    json!({"service": format!("service{}", n / 2), "resource_type": "volume", "resource_id": format!("r{n}")})
}

/// An expiration that no test sees, as it is sent and as it is shown.
pub(crate) const FAR_SENT: &str = "2222-02-22T22:22:22+02:00";
const FAR_SHOWN: &str = "2222-02-22T20:22:22";
