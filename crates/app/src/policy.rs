//! Who may do what. A check sees the caller and what stored rows say about the
//! entity, never the request, so no request can talk its way in
//! (CVE-2022-3100).
//!
//! The rules are data: Barbican 23's defaults, of which a policy file may replace
//! single ones while the server runs. `donjon-oslo-policy` reads and evaluates
//! them.

mod action;
mod denied;
mod target;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use donjon_domain::Actor;
use donjon_oslo_policy::{
    DefaultSet, Explanation, LoadError, Notice, Origin, PolicyFile, Rule, RuleDefault, Rules,
};

pub use action::Action;
pub use denied::Denied;
pub use target::Target;

use target::{Asked, Caller};

/// The rules in force. Clones share them, so all see an override at once.
#[derive(Clone)]
pub struct Policy {
    /// The defaults, to which overrides are applied anew each time.
    defaults: Arc<Set>,
    current: Arc<ArcSwap<Set>>,
}

/// A rule, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInForce {
    /// Its name.
    pub name: String,
    /// The rule in the policy language.
    pub check: String,
    /// Whether it comes from the policy file, and not from the defaults.
    pub is_from_file: bool,
}

/// Rules, and what they ask of every target.
#[derive(Debug)]
struct Set {
    rules: Rules,
    enforce_new_defaults: bool,
}

/// Barbican's rules in both forms. One copy for everybody: the example of
/// `donjon-oslo-policy`, which `cargo xtask conformance policy` holds against
/// Barbican's own.
const BARBICAN: &str = include_str!("../../oslo-policy/examples/barbican-rules.txt");

// === impl Policy ===

impl Policy {
    /// Barbican 23's default rules: reader, member and admin of a project.
    #[must_use]
    pub fn secure_rbac() -> Self {
        Self::new(DefaultSet::New)
    }

    /// The rules before them: creator, observer, audit and admin.
    #[must_use]
    pub fn legacy() -> Self {
        Self::new(DefaultSet::NewOrLegacy)
    }

    /// One of the two sets of defaults.
    #[must_use]
    pub fn new(defaults: DefaultSet) -> Self {
        let set = Arc::new(Set {
            rules: barbican(defaults),
            enforce_new_defaults: defaults == DefaultSet::New,
        });
        Self {
            current: Arc::new(ArcSwap::new(Arc::clone(&set))),
            defaults: set,
        }
    }

    /// Puts the rules of a file in place of the defaults of the same names, and
    /// drops earlier overrides. Checks that run see either the old rules or the
    /// new ones. Returns what is likely not meant.
    ///
    /// # Errors
    /// [`LoadError`] where the whole makes no sense; then nothing changes.
    pub fn override_with(&self, file: &PolicyFile) -> Result<Vec<Notice>, LoadError> {
        let rules = self.defaults.rules.with_overrides(file)?;
        let notices = rules.notices().to_vec();
        self.current.store(Arc::new(Set {
            rules,
            enforce_new_defaults: self.defaults.enforce_new_defaults,
        }));
        Ok(notices)
    }

    /// Checks whether the caller may do this. Takes no I/O, never blocks, and
    /// takes under 2 microseconds.
    ///
    /// # Errors
    /// [`Denied`] if not.
    pub fn check(&self, actor: &Actor, action: Action, target: &Target<'_>) -> Result<(), Denied> {
        let set = self.current.load();
        let asked = Asked {
            target: *target,
            enforce_new_defaults: set.enforce_new_defaults,
        };
        let decision = set.rules.check(action.rule(), &Caller(actor), &asked);
        if decision.is_allowed() {
            Ok(())
        } else {
            let set = Arc::clone(&set);
            Err(Denied::by_rule(set, actor, action, *target))
        }
    }

    /// Decides as [`Self::check`] does, by any rule, and tells how it came to
    /// that. For operators; slower.
    #[must_use]
    pub fn explain(&self, rule: &str, actor: &Actor, target: &Target<'_>) -> Explanation {
        let set = self.current.load();
        let asked = Asked {
            target: *target,
            enforce_new_defaults: set.enforce_new_defaults,
        };
        set.rules.explain(rule, &Caller(actor), &asked)
    }

    /// All rules in force: the defaults in their order, then those that only the
    /// file has.
    #[must_use]
    pub fn rules(&self) -> Vec<RuleInForce> {
        let set = self.current.load();
        set.rules.iter().map(RuleInForce::of).collect()
    }

    /// The rule of this name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<RuleInForce> {
        let set = self.current.load();
        set.rules.rule(name).map(RuleInForce::of)
    }
}

impl RuleInForce {
    fn of(rule: &Rule) -> Self {
        Self {
            name: rule.name().to_owned(),
            check: rule.to_string(),
            is_from_file: rule.origin() == Origin::File,
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.current.load();
        f.debug_struct("Policy")
            .field("rules", &set.rules.iter().count())
            .field("enforce_new_defaults", &set.enforce_new_defaults)
            .finish()
    }
}

/// The table is a part of the program, and a test holds that it loads. Without
/// rules everything would be refused.
fn barbican(defaults: DefaultSet) -> Rules {
    RuleDefault::table(BARBICAN)
        .ok()
        .and_then(|table| Rules::from_defaults(&table, defaults).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
