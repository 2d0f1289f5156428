//! Ways to make the document wrong, one for each check that has to notice.

use anyhow::{Context, Result};

/// A change of the document that a check has to notice.
pub(super) struct Mutation {
    pub(super) name: &'static str,
    /// Where to look for `from`: at or behind the first place that has this.
    after: &'static str,
    from: &'static str,
    to: &'static str,
    /// The operations to try.
    pub(super) operations: &'static [&'static str],
    /// What Schemathesis says of it.
    pub(super) noticed_as: &'static str,
}

pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "a secret without content types",
        after: "    Secret:\n",
        from: "        content_types: {$ref: '#/components/schemas/ContentTypes'}\n",
        to: "",
        operations: &["getSecret", "listSecrets"],
        noticed_as: "Response violates schema",
    },
    Mutation {
        name: "a quota that is a text",
        after: "    EffectiveLimits:\n",
        from: "secrets: {type: integer}",
        to: "secrets: {type: string}",
        operations: &["getQuotas"],
        noticed_as: "Response violates schema",
    },
    Mutation {
        name: "an order that is always there",
        after: "operationId: getOrder\n",
        from: "'404'",
        to: "'418'",
        operations: &["getOrder"],
        noticed_as: "Undocumented status code",
    },
    Mutation {
        name: "quotas in XML",
        after: "operationId: getQuotas\n",
        from: "application/json",
        to: "application/xml",
        operations: &["getQuotas"],
        noticed_as: "Undocumented Content-Type",
    },
    Mutation {
        name: "request ids of another form",
        after: "    RequestId:\n",
        from: "pattern: ^req-",
        to: "pattern: ^id-",
        operations: &["getQuotas"],
        noticed_as: "Response header does not conform to the schema",
    },
    Mutation {
        name: "a Location where there is none",
        after: "operationId: getQuotas\n",
        from: "            vary: ",
        to: "            location: {$ref: '#/components/headers/Location'}\n            vary: ",
        operations: &["getQuotas"],
        noticed_as: "Missing required response headers",
    },
    Mutation {
        name: "secrets of few bits alone",
        after: "    NewSecret:\n",
        from: "maximum: 32767",
        to: "maximum: 255",
        operations: &["createSecret"],
        noticed_as: "Schema-violating request accepted",
    },
    Mutation {
        name: "consumers with short URLs alone",
        after: "    NewContainerConsumer:\n",
        from: "maxLength: 255",
        to: "maxLength: 3",
        operations: &["addContainerConsumer"],
        noticed_as: "Schema-violating request accepted",
    },
];

impl Mutation {
    /// The document with this change.
    pub(super) fn apply(&self, document: &str) -> Result<String> {
        let found = document.find(self.after).and_then(|start| {
            let (head, tail) = document.split_at_checked(start)?;
            let (between, rest) = tail.split_once(self.from)?;
            Some([head, between, self.to, rest].concat())
        });
        found.with_context(|| format!("the document has no place for {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::MUTATIONS;

    #[test]
    fn every_mutation_has_its_place() {
        let document = include_str!("../../../docs/openapi.yaml");
        for mutation in MUTATIONS {
            assert_ne!(
                mutation.apply(document).unwrap(),
                document,
                "{}",
                mutation.name
            );
        }
    }
}
