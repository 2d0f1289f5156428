use super::*;

fn op(kind: Kind, name: &str, change: Change) -> Record {
    Record::Intent(Op {
        kind,
        limited: false,
        name: name.to_owned(),
        change,
    })
}

fn secret(change: Change) -> Record {
    op(Kind::Secret, "a", change)
}

fn acknowledged(id: &str) -> Record {
    let id = (!id.is_empty()).then(|| id.to_owned());
    Record::Acknowledged { id }
}

fn live(model: &Model) -> usize {
    model.live(Kind::Secret, false).count()
}

fn payload() -> Payload {
    Payload::Text("x".to_owned())
}

#[test]
fn only_what_is_settled_counts() {
    let mut model = Model::default();
    let stored = |model: &Model| match &model.entities["a"].state {
        Some(State::Secret(secret)) => secret.payload.clone(),
        other => panic!("{other:?}"),
    };
    model.apply(&secret(Change::Create(None)));
    assert_eq!(live(&model), 0);
    model.apply(&acknowledged("1"));
    assert_eq!((live(&model), model.acknowledged), (1, 1));

    model.apply(&secret(Change::Put(payload())));
    model.apply(&Record::Resolved {
        happened: false,
        id: None,
    });
    assert_eq!(stored(&model), None);

    model.apply(&secret(Change::Put(payload())));
    model.apply(&Record::Resolved {
        happened: true,
        id: None,
    });
    assert_eq!(stored(&model), Some(payload()));

    model.apply(&secret(Change::Delete));
    model.apply(&acknowledged(""));
    assert_eq!((live(&model), model.acknowledged), (0, 2));
    assert_eq!(model.entities["a"].id, "1");
}

#[test]
fn a_refused_write_changes_nothing_and_is_counted() {
    let mut model = Model::default();
    model.apply(&secret(Change::Create(None)));
    model.apply(&Record::Refused);
    assert_eq!((live(&model), model.acknowledged), (0, 0));
    assert_eq!(model.refused, BTreeMap::from([("secrets", 1)]));
    assert_eq!(model.pending, None);
}

#[test]
fn a_patched_acl_keeps_what_is_not_named() {
    let mut model = Model::default();
    let users = std::collections::BTreeSet::from(["u".to_owned()]);
    for change in [
        Change::CreateContainer([].into()),
        Change::PatchAcl(AclPart::Users(users.clone())),
        Change::PatchAcl(AclPart::ProjectAccess(false)),
    ] {
        model.apply(&op(Kind::Container, "c", change));
        model.apply(&acknowledged("1"));
    }
    let expected = Container {
        acl: Some(Acl {
            project_access: false,
            users,
        }),
        ..Container::default()
    };
    let state = &model.entities["c"].state;
    assert_eq!(state.as_ref(), Some(&State::Container(expected)));
}

#[test]
fn what_an_order_has_made_is_expected_even_when_the_order_is_deleted() {
    let mut model = Model::default();
    let spec = Spec {
        pair: true,
        algorithm: "ec".to_owned(),
        bits: 256,
        sealed: false,
    };
    let made_secret = MadeSecret {
        id: "s".to_owned(),
        sha256: String::new(),
    };
    model.apply(&op(Kind::Order, "o", Change::CreateOrder(spec)));
    model.apply(&acknowledged("1"));
    model.apply(&Record::Made {
        name: "o".to_owned(),
        made: Made {
            container: Some("c".to_owned()),
            secrets: [("private_key".to_owned(), made_secret)].into(),
        },
    });
    model.apply(&op(Kind::Order, "o", Change::Delete));
    model.apply(&acknowledged(""));
    let ids = |kind| Vec::from_iter(model.expected(kind).into_keys());
    assert_eq!(ids(Kind::Secret), ["s"]);
    assert_eq!(ids(Kind::Container), ["c"]);
    assert!(ids(Kind::Order).is_empty());
    assert!(model.made(Kind::Secret, true).is_empty());
}

#[test]
fn records_survive_the_ledger() {
    let record = secret(Change::Create(Some(Payload::Bytes(vec![0, 255]))));
    let line = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
}
