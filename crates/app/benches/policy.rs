//! Time of one check by Barbican's rules, and of one refusal; the bound is 2
//! microseconds.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use donjon_app::{Action, Policy, Target};
use donjon_domain::{
    Actor, ProjectId, Scope, Secret, SecretId, SecretType, StoredSecret, Timestamp, UserId,
};

fn caller(project: &str) -> Actor {
    Actor {
        user: Some(UserId::new("7c1f3d7d0e5f4a46a5a1d2b8f04b2c11")),
        project: ProjectId::new(project),
        roles: ["member", "reader"].map(str::to_owned).to_vec(),
        scope: Scope::Project,
        identity: None,
    }
}

fn secret() -> StoredSecret {
    let at = Timestamp::from_micros(0);
    let secret = Secret {
        id: SecretId::from_bytes([1; 16]),
        project: ProjectId::new("3b5c1e4f0f3346f2b8d3a5f5a0f9c001"),
        creator: Some(UserId::new("0a3d6e55a1b04d37a7a5b56d7cbb9c0f")),
        created: at,
        updated: at,
        name: None,
        secret_type: SecretType::Opaque,
        algorithm: None,
        mode: None,
        bit_length: None,
        expiration: None,
        content_type: None,
    };
    StoredSecret { secret, acl: None }
}

fn checks(c: &mut Criterion) {
    let secret = secret();
    let callers = [
        ("own project", caller("3b5c1e4f0f3346f2b8d3a5f5a0f9c001")),
        ("other project", caller("3b5c1e4f0f3346f2b8d3a5f5a0f9c002")),
    ];
    for (set, policy) in [
        ("secure-rbac", Policy::secure_rbac()),
        ("legacy", Policy::legacy()),
    ] {
        for action in [Action::SecretGet, Action::SecretDecrypt] {
            for (project, caller) in &callers {
                let name = format!("{set}/{}/{project}", action.rule());
                c.bench_function(&name, |b| {
                    b.iter(|| {
                        let target = Target::secret(black_box(&secret), black_box(caller));
                        policy.check(caller, action, &target).is_ok()
                    });
                });
            }
        }
    }
}

criterion_group!(benches, checks);
criterion_main!(benches);
