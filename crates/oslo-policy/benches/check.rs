//! Time of one decision by Barbican's default rules; the bound is 2 microseconds.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use donjon_oslo_policy::{Credentials, DefaultSet, RuleDefault, Rules, Target, Value};

const TABLE: &str = include_str!("../examples/barbican-rules.txt");

struct Caller {
    user: &'static str,
    project: &'static str,
    roles: Vec<&'static str>,
}

struct Secret {
    project: &'static str,
    creator: &'static str,
    is_open: bool,
    new_defaults: bool,
}

impl Credentials for Caller {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "user_id" => self.user.into(),
            "project_id" => self.project.into(),
            "roles" => Value::List(&self.roles),
            "system_scope" | "domain_id" => Value::None,
            _ => return None,
        })
    }
}

impl Target for Secret {
    fn value(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "enforce_new_defaults" => self.new_defaults.into(),
            "target.secret.project_id" | "target.container.project_id" => self.project.into(),
            "target.secret.creator_id" | "target.container.creator_id" => self.creator.into(),
            "target.secret.read_project_access" | "target.container.read_project_access" => {
                self.is_open.into()
            }
            _ => return None,
        })
    }
}

fn decisions(c: &mut Criterion) {
    let defaults = RuleDefault::table(TABLE).expect("the example is a table");
    let load = |set| Rules::from_defaults(&defaults, set).expect("the example has good rules");
    let member = |project| Caller {
        user: "7c1f3d7d0e5f4a46a5a1d2b8f04b2c11",
        project,
        roles: vec!["member", "reader"],
    };
    let (own, other) = (
        member("3b5c1e4f0f3346f2b8d3a5f5a0f9c001"),
        member("3b5c1e4f0f3346f2b8d3a5f5a0f9c002"),
    );
    let secret = |new_defaults| Secret {
        project: "3b5c1e4f0f3346f2b8d3a5f5a0f9c001",
        creator: "0a3d6e55a1b04d37a7a5b56d7cbb9c0f",
        is_open: true,
        new_defaults,
    };
    for (set, name) in [
        (DefaultSet::New, "new"),
        (DefaultSet::NewOrLegacy, "legacy"),
    ] {
        let rules = load(set);
        let secret = secret(set == DefaultSet::New);
        for rule in ["secrets:post", "secret:get", "secret:decrypt"] {
            for (caller, project) in [(&own, "own project"), (&other, "other project")] {
                c.bench_function(&format!("{name}/{rule}/{project}"), |b| {
                    b.iter(|| {
                        rules
                            .check(black_box(rule), black_box(caller), black_box(&secret))
                            .is_allowed()
                    });
                });
            }
        }
        let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        c.bench_function(&format!("{name}/all {} rules, refused", names.len()), |b| {
            b.iter(|| {
                names
                    .iter()
                    .filter(|name| rules.check(name, &other, &secret).is_allowed())
                    .count()
            });
        });
    }
    let rules = load(DefaultSet::New);
    let secret = secret(true);
    c.bench_function("explain/secret:get/other project", |b| {
        b.iter(|| {
            rules.explain(
                black_box("secret:get"),
                black_box(&other),
                black_box(&secret),
            )
        });
    });
    c.bench_function("load", |b| {
        b.iter(|| Rules::from_defaults(black_box(&defaults), DefaultSet::NewOrLegacy))
    });
}

criterion_group!(benches, decisions);
criterion_main!(benches);
