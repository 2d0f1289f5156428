//! The matrices of Barbican 23's rules, by the recorded exchanges of the groups
//! `rbac-default-*` and `rbac-legacy-*`.

use std::{collections::BTreeSet, sync::Arc};

use donjon_domain::{
    Acl, BitLength, Container, ContainerId, ContainerType, Identity, KeySpec, Label, Order,
    OrderId, OrderState, OrderType, ProjectId, Scope, Secret, SecretId, SecretType, ServiceCaller,
    StoredContainer, StoredSecret, Timestamp, UserId,
};

use super::*;

const AT: Timestamp = Timestamp::from_micros(0);

fn actor(user: &str, project: &str, role: &str) -> Actor {
    let roles = role.split(',').map(str::to_owned).collect();
    Actor {
        user: Some(UserId::new(user)),
        project: ProjectId::new(project),
        roles,
        scope: Scope::Project,
        identity: None,
    }
}

fn secret(acl: Option<(&[&str], bool)>) -> StoredSecret {
    let secret = Secret {
        id: SecretId::from_bytes([1; 16]),
        project: ProjectId::new("p"),
        creator: Some(UserId::new("owner")),
        created: AT,
        updated: AT,
        name: None,
        secret_type: SecretType::Opaque,
        algorithm: None,
        mode: None,
        bit_length: None,
        expiration: None,
        content_type: None,
    };
    StoredSecret {
        secret,
        acl: acl.map(list),
    }
}

fn list((users, project_access): (&[&str], bool)) -> Acl {
    Acl {
        users: users.iter().map(|user| UserId::new(*user)).collect(),
        project_access,
        created: AT,
        updated: AT,
    }
}

fn container(acl: Option<(&[&str], bool)>) -> StoredContainer {
    StoredContainer {
        container: Container {
            id: ContainerId::from_bytes([2; 16]),
            project: ProjectId::new("p"),
            creator: Some(UserId::new("owner")),
            created: AT,
            updated: AT,
            name: None,
            container_type: ContainerType::Generic,
        },
        acl: acl.map(list),
    }
}

fn order() -> Order {
    Order {
        id: OrderId::from_bytes([3; 16]),
        project: ProjectId::new("p"),
        creator: Some(UserId::new("owner")),
        created: AT,
        updated: AT,
        order_type: OrderType::Key,
        meta: "{}".to_owned(),
        spec: KeySpec {
            name: None,
            algorithm: Label::new("aes".to_owned()).unwrap(),
            bit_length: BitLength::new(256).unwrap(),
            mode: None,
            expiration: None,
            content_type: None,
        },
        passphrase: None,
        state: OrderState::Pending,
    }
}

/// One letter for each action: `y` or `-`.
fn row(policy: &Policy, caller: &Actor, target: &Target<'_>, actions: &[Action]) -> String {
    let letter = |action: &Action| match policy.check(caller, *action, target) {
        Ok(()) => 'y',
        Err(denied) => {
            assert_eq!(denied.action, *action);
            '-'
        }
    };
    actions.iter().map(letter).collect()
}

/// Rows are callers; columns are get, decrypt, put, delete, meta:get,
/// meta:put, acls:get, consumers:get, consumer:get.
fn check(stored: &StoredSecret, caller: &Actor, expected: &str) {
    let actions = [
        Action::SecretGet,
        Action::SecretDecrypt,
        Action::SecretPut,
        Action::SecretDelete,
        Action::SecretMetaGet,
        Action::SecretMetaPut,
        Action::SecretAclsGet,
        Action::SecretConsumersGet,
        Action::ConsumerGet,
    ];
    let target = Target::secret(stored, caller);
    let got = row(&Policy::secure_rbac(), caller, &target, &actions);
    assert_eq!(got, expected, "{caller:?}");
}

#[test]
fn the_matrix_of_an_open_secret() {
    let open = secret(None);
    check(&open, &actor("u", "p", "reader"), "---------");
    check(&open, &actor("u", "p", "member"), "yyyyyyyy-");
    check(&open, &actor("u", "p", "admin"), "yyyyyyyyy");
    check(&open, &actor("u", "other", "member"), "---------");
    check(&open, &actor("u", "other", "admin"), "y--y----y");
    check(&open, &actor("owner", "other", "member"), "---------");
}

#[test]
fn the_matrix_of_a_private_secret() {
    let private = secret(Some((&["friend"], false)));
    check(&private, &actor("u", "p", "member"), "---------");
    check(&private, &actor("owner", "p", "member"), "yyyyyyyy-");
    check(&private, &actor("owner", "p", "reader"), "---------");
    check(&private, &actor("u", "p", "admin"), "yyyyyyyyy");
    check(&private, &actor("friend", "other", "nothing"), "yy--y--y-");
}

#[test]
fn other_scopes_are_refused() {
    let mut caller = actor("owner", "p", "admin,member");
    for scope in [Scope::Domain, Scope::System] {
        caller.scope = scope;
        check(&secret(None), &caller, "---------");
        assert!(
            Policy::secure_rbac()
                .check(&caller, Action::SecretsPost, &Target::Project)
                .is_err()
        );
    }
}

/// The names of `oslo.context`'s `to_policy_values`.
#[test]
fn rules_see_what_an_identity_service_tells() {
    let names = [
        ("user_domain_id", "ud"),
        ("project_domain_id", "pd"),
        ("service_user_id", "su"),
        ("service_user_domain_id", "sud"),
        ("service_project_id", "sp"),
        ("service_project_domain_id", "spd"),
        ("service_roles", "service"),
        ("is_admin_project", "False"),
    ];
    let text = |text: &str| Some(text.to_owned());
    let local = actor("u", "p", "member");
    let mut known = local.clone();
    known.identity = Some(Arc::new(Identity {
        user_domain: text("ud"),
        project_domain: text("pd"),
        is_admin_project: false,
        service: Some(ServiceCaller {
            user: text("su"),
            user_domain: text("sud"),
            project: text("sp"),
            project_domain: text("spd"),
            roles: vec!["other".to_owned(), "service".to_owned()],
        }),
    }));
    let policy = Policy::secure_rbac();
    for (name, value) in names {
        let allows = |value: &str, caller: &Actor| {
            let file = PolicyFile::parse(&format!("'secrets:post': {name}:{value}")).unwrap();
            policy.override_with(&file).unwrap();
            policy
                .check(caller, Action::SecretsPost, &Target::Project)
                .is_ok()
        };
        assert!(allows(value, &known), "{name}");
        assert!(!allows("else", &known), "{name}");
        assert!(!allows(value, &local), "{name}");
    }
}

#[test]
fn callers_without_user_own_nothing() {
    let mut stored = secret(Some((&[], false)));
    stored.secret.creator = None;
    let mut caller = actor("u", "p", "member");
    caller.user = None;
    check(&stored, &caller, "---------");
}

#[test]
fn every_action_has_its_rule() {
    let actions: BTreeSet<_> = Action::ALL.iter().map(|action| action.rule()).collect();
    assert_eq!(actions.len(), Action::ALL.len());
    for policy in [Policy::secure_rbac(), Policy::legacy()] {
        let rules = policy.rules();
        assert_eq!(rules.len(), 82);
        let of_api: BTreeSet<_> = rules
            .iter()
            .map(|rule| rule.name.as_str())
            .filter(|name| name.contains(':'))
            .collect();
        assert_eq!(of_api, actions);
    }
}

const OF_CONTAINERS: &[Action] = &[
    Action::ContainerGet,
    Action::ContainerDelete,
    Action::ContainerSecretPost,
    Action::ContainerSecretDelete,
    Action::ContainerAclsGet,
    Action::ContainerAclsPutPatch,
    Action::ContainerAclsDelete,
    Action::ContainerConsumersGet,
    Action::ContainerConsumersPost,
    Action::ContainerConsumersDelete,
    Action::ConsumerGet,
];

#[test]
fn the_matrix_of_containers() {
    let policy = Policy::secure_rbac();
    let check = |stored: &StoredContainer, caller: Actor, expected: &str| {
        let target = Target::container(stored, &caller);
        let got = row(&policy, &caller, &target, OF_CONTAINERS);
        assert_eq!(got, expected, "{caller:?}");
    };
    let open = container(None);
    check(&open, actor("u", "p", "reader"), "-----------");
    check(&open, actor("u", "p", "member,reader"), "yyyyyyyyyyy");
    check(&open, actor("u", "p", "admin"), "yyyyyyyyyyy");
    check(&open, actor("u", "p", "creator"), "-----------");
    check(&open, actor("u", "other", "member"), "-----------");
    check(&open, actor("u", "other", "admin"), "----------y");
    let private = container(Some((&["friend"], false)));
    check(&private, actor("u", "p", "member"), "-----------");
    check(&private, actor("owner", "p", "member"), "yyyyyyyyyyy");
    check(&private, actor("u", "p", "admin"), "yyyyyyyyyyy");
    check(&private, actor("friend", "other", "nothing"), "y------yyyy");
}

#[test]
fn the_matrix_of_containers_by_the_legacy_rules() {
    let policy = Policy::legacy();
    let check = |stored: &StoredContainer, caller: Actor, expected: &str| {
        let target = Target::container(stored, &caller);
        let got = row(&policy, &caller, &target, OF_CONTAINERS);
        assert_eq!(got, expected, "{caller:?}");
    };
    let open = container(None);
    check(&open, actor("u", "p", "admin"), "yyyyyyyyyyy");
    check(&open, actor("owner", "p", "creator"), "yyyyyyyyyyy");
    check(&open, actor("u", "p", "creator"), "y-yyyyyyyyy");
    check(&open, actor("u", "p", "observer"), "y---y--yyyy");
    check(&open, actor("u", "p", "audit"), "y------yyyy");
    check(
        &open,
        actor("u", "p", "key-manager:service-admin"),
        "y------yyyy",
    );
    check(&open, actor("owner", "p", "member,reader"), "-----------");
    check(&open, actor("u", "other", "admin"), "----------y");
    let private = container(Some((&["friend"], false)));
    check(&private, actor("u", "p", "admin"), "yyyyyyyyyyy");
    check(&private, actor("owner", "p", "creator"), "yyyyyyyyyyy");
    check(&private, actor("u", "p", "creator"), "----y-----y");
    check(&private, actor("u", "p", "observer"), "----y-----y");
    check(&private, actor("friend", "other", "nothing"), "y------yyyy");
}

#[test]
fn the_matrix_of_secrets_by_the_legacy_rules() {
    let actions = [
        Action::SecretGet,
        Action::SecretDecrypt,
        Action::SecretPut,
        Action::SecretDelete,
        Action::SecretMetaGet,
        Action::SecretMetaPut,
        Action::SecretAclsGet,
        Action::SecretAclsPutPatch,
        Action::SecretConsumersGet,
        Action::ConsumerGet,
    ];
    let policy = Policy::legacy();
    let check = |stored: &StoredSecret, caller: Actor, expected: &str| {
        let target = Target::secret(stored, &caller);
        let got = row(&policy, &caller, &target, &actions);
        assert_eq!(got, expected, "{caller:?}");
    };
    let open = secret(None);
    check(&open, actor("u", "p", "admin"), "yyyyyyyyyy");
    check(&open, actor("u", "p", "creator"), "yyyyyyyyyy");
    check(&open, actor("u", "p", "observer"), "yy--y-y-yy");
    check(&open, actor("u", "p", "audit"), "y---y---yy");
    check(&open, actor("u", "p", "member,reader"), "----------");
    check(&open, actor("u", "other", "admin"), "---------y");
    let private = secret(Some((&["friend"], false)));
    check(&private, actor("owner", "p", "creator"), "yyyyyyyyyy");
    check(&private, actor("u", "p", "creator"), "--y---y--y");
    check(&private, actor("u", "p", "observer"), "------y--y");
    check(&private, actor("friend", "other", "nothing"), "yy--y---y-");
}

#[test]
fn the_matrix_of_orders() {
    let actions = [Action::OrderGet, Action::OrderDelete];
    let order = order();
    let check = |caller: Actor, new: &str, legacy: &str| {
        let target = Target::order(&order);
        let of = |policy: Policy| row(&policy, &caller, &target, &actions);
        assert_eq!(of(Policy::secure_rbac()), new, "{caller:?}");
        assert_eq!(of(Policy::legacy()), legacy, "{caller:?}");
    };
    check(actor("u", "p", "member"), "yy", "--");
    check(actor("u", "p", "admin"), "--", "yy");
    check(actor("u", "p", "admin,member"), "yy", "yy");
    check(actor("u", "p", "reader"), "--", "--");
    check(actor("owner", "p", "creator"), "--", "y-");
    check(actor("u", "p", "observer"), "--", "y-");
    check(actor("u", "p", "audit"), "--", "y-");
    check(actor("u", "p", "key-manager:service-admin"), "--", "y-");
    check(actor("owner", "other", "admin,member,creator"), "--", "--");
}

/// Columns: lists and creation of secrets, containers and orders; then what
/// belongs to no entity.
#[test]
fn the_matrix_of_projects() {
    let actions = [
        Action::SecretsPost,
        Action::SecretsGet,
        Action::ContainersPost,
        Action::ContainersGet,
        Action::OrdersPost,
        Action::OrdersGet,
        Action::OrdersPut,
        Action::QuotasGet,
        Action::ProjectQuotasGet,
        Action::ProjectQuotasPut,
        Action::ProjectQuotasDelete,
        Action::SecretStoresGet,
        Action::SecretStoresGetGlobalDefault,
        Action::SecretStoresGetPreferred,
        Action::SecretStoreGet,
        Action::SecretStorePreferredPost,
        Action::SecretStorePreferredDelete,
        Action::TransportKeysGet,
        Action::TransportKeyGet,
        Action::TransportKeysPost,
        Action::TransportKeyDelete,
    ];
    let check = |roles: &str, new: &str, legacy: &str| {
        let caller = actor("u", "p", roles);
        let of = |policy: Policy| row(&policy, &caller, &Target::Project, &actions);
        assert_eq!(of(Policy::secure_rbac()), new, "{roles}");
        assert_eq!(of(Policy::legacy()), legacy, "{roles}");
    };
    let nothing = "---------------------";
    check("reader", "-------y---yyyy--yy--", nothing);
    check("member", "yyyyyyy--------------", nothing);
    check("admin", "--------yyy----yy--yy", "yyyyyyyy---yyyyyyyy--");
    check("creator", nothing, "yyyyyyyy---yyyy--yy--");
    check("observer", nothing, "-y-y-y-y---yyyy--yy--");
    check("audit", nothing, "-------y---yyyy--yy--");
    check(
        "key-manager:service-admin",
        nothing,
        "-------yyyyyyyy--yyyy",
    );
    check("nothing", nothing, nothing);
}

#[test]
fn a_rule_about_an_entity_denies_where_there_is_another_kind() {
    let caller = actor("owner", "p", "admin,member");
    let (secret, container, order) = (secret(None), container(None), order());
    let targets = [
        (Target::Project, "----"),
        (Target::secret(&secret, &caller), "y---"),
        (Target::container(&container, &caller), "-yy-"),
        (Target::order(&order), "---y"),
    ];
    let actions = [
        Action::SecretDecrypt,
        Action::ContainerGet,
        Action::ContainerDelete,
        Action::OrderGet,
    ];
    for (target, expected) in targets {
        let got = row(&Policy::secure_rbac(), &caller, &target, &actions);
        assert_eq!(got, expected, "{target:?}");
    }
}

#[test]
fn a_refusal_names_rule_and_missing_roles() {
    let denied = |policy: Policy, caller: Actor, action, target: &Target<'_>| {
        policy.check(&caller, action, target).unwrap_err()
    };
    let reader = || actor("u", "p", "reader");
    let open = secret(None);
    let target = Target::secret(&open, &reader());
    let refusal = denied(Policy::secure_rbac(), reader(), Action::SecretPut, &target);
    assert_eq!(refusal.missing_roles(), ["admin", "member"]);
    assert_eq!(
        refusal.to_string(),
        "refused by rule secret:put, enough would be one of the roles admin, member"
    );
    let refusal = denied(Policy::legacy(), reader(), Action::SecretPut, &target);
    assert_eq!(refusal.missing_roles(), ["admin", "creator"]);
    let refusal = denied(
        Policy::secure_rbac(),
        reader(),
        Action::ProjectQuotasPut,
        &Target::Project,
    );
    assert_eq!(refusal.missing_roles(), ["admin"]);

    let stranger = actor("u", "other", "member,reader");
    let target = Target::secret(&open, &stranger);
    let refusal = denied(Policy::secure_rbac(), stranger, Action::SecretPut, &target);
    assert_eq!(refusal.missing_roles(), [""; 0]);
    assert_eq!(refusal.to_string(), "refused by rule secret:put");
}

#[test]
fn overrides_reach_all_clones_and_a_bad_file_changes_nothing() {
    let policy = Policy::secure_rbac();
    let clone = policy.clone();
    let allows = |role: &str| {
        let caller = actor("u", "p", role);
        clone
            .check(&caller, Action::SecretsPost, &Target::Project)
            .is_ok()
    };
    assert!(allows("member") && !allows("writer"));

    let file = PolicyFile::parse("'secrets:post': role:writer\n'other': '@'").unwrap();
    let notices = policy.override_with(&file).unwrap();
    assert!(
        matches!(notices.as_slice(), [Notice::NewRule { rule, line: 2 }] if rule == "other"),
        "{notices:?}"
    );
    assert!(!allows("member") && allows("writer"));
    // The rest stays as it was.
    let order = order();
    let target = Target::order(&order);
    assert!(
        clone
            .check(&actor("u", "p", "member"), Action::OrderGet, &target)
            .is_ok()
    );

    let circle = PolicyFile::parse("'secrets:post': rule:secrets:post").unwrap();
    assert!(matches!(
        policy.override_with(&circle),
        Err(LoadError::Circle(_))
    ));
    assert!(allows("writer"));

    policy.override_with(&PolicyFile::default()).unwrap();
    assert!(allows("member") && !allows("writer"));
}

#[test]
fn an_override_keeps_the_scope_of_its_rule() {
    let policy = Policy::secure_rbac();
    let file = PolicyFile::parse("'secrets:post': '@'").unwrap();
    policy.override_with(&file).unwrap();
    let mut caller = actor("u", "p", "nothing");
    let allowed = |caller: &Actor| {
        policy
            .check(caller, Action::SecretsPost, &Target::Project)
            .is_ok()
    };
    assert!(allowed(&caller));
    for scope in [Scope::Domain, Scope::System] {
        caller.scope = scope;
        assert!(!allowed(&caller), "{scope:?}");
    }
}

#[test]
fn callers_without_user_own_nothing_by_the_legacy_rules() {
    let mut stored = secret(Some((&[], false)));
    stored.secret.creator = None;
    let mut caller = actor("u", "p", "creator");
    caller.user = None;
    let target = Target::secret(&stored, &caller);
    let actions = [Action::SecretGet, Action::SecretDecrypt];
    assert_eq!(row(&Policy::legacy(), &caller, &target, &actions), "--");
}
