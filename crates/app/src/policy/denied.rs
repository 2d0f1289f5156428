//! A refusal. It keeps what was asked, so that a check costs no more than its
//! answer and only who writes the refusal down pays for the reasons.

use std::{fmt, sync::Arc};

use donjon_domain::Actor;

use super::{
    Action, Set, Target,
    target::{Asked, Caller, OwnedTarget},
};

/// The caller is not let in.
#[derive(Debug, Clone)]
pub struct Denied {
    /// What was asked for.
    pub action: Action,
    question: Option<Box<Question>>,
}

#[derive(Debug, Clone)]
struct Question {
    set: Arc<Set>,
    actor: Actor,
    /// `None` for the project as a whole.
    target: Option<OwnedTarget>,
}

impl Denied {
    /// A refusal that no rule spoke, as for the list of another project.
    #[must_use]
    pub fn without_rule(action: Action) -> Self {
        Self {
            action,
            question: None,
        }
    }

    pub(super) fn by_rule(
        set: Arc<Set>,
        actor: &Actor,
        action: Action,
        target: Target<'_>,
    ) -> Self {
        let question = Question {
            set,
            actor: actor.clone(),
            target: target.to_owned(),
        };
        Self {
            action,
            question: Some(Box::new(question)),
        }
    }

    /// The roles each of which alone would have been enough, in lower case.
    /// Empty where no role would. Asks the rule once more for each, which takes
    /// some 20 microseconds.
    #[must_use]
    pub fn missing_roles(&self) -> Vec<String> {
        let Some(question) = &self.question else {
            return Vec::new();
        };
        let asked = Asked {
            target: question
                .target
                .as_ref()
                .map_or(Target::Project, OwnedTarget::borrow),
            enforce_new_defaults: question.set.enforce_new_defaults,
        };
        let rule = self.action.rule();
        question
            .set
            .rules
            .explain(rule, &Caller(&question.actor), &asked)
            .missing_roles
    }
}

/// For the log, never for the client.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused by rule {}", self.action.rule())?;
        let roles = self.missing_roles();
        if roles.is_empty() {
            return Ok(());
        }
        write!(f, ", enough would be one of the roles {}", roles.join(", "))
    }
}

impl std::error::Error for Denied {}
