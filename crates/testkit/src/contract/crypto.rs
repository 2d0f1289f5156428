//! What every `CryptoPlugin` has to do.

use donjon_domain::{
    Binding, Deployment, DeploymentId, KekId, KekScope, KekState, ProjectId, RootKeyId, Sealed,
    SealedKind, SecretBytes, ServerKey, Timestamp, WrappedKek,
    ports::{CryptoError, CryptoErrorKind, CryptoPlugin},
};

use crate::{block_on, contract::changes, sample};

/// What the facts need: plugins that adopted nothing yet.
pub trait CryptoCase {
    /// A plugin with the first root key; each call makes another one.
    fn plugin(&self) -> Box<dyn CryptoPlugin>;

    /// A plugin with another root key.
    fn stranger(&self) -> Box<dyn CryptoPlugin>;

    /// A plugin with the stranger's root key as its current one, and the first
    /// one as its previous.
    fn successor(&self) -> Box<dyn CryptoPlugin>;
}

/// Makes a test of each fact. The expression makes a box (or another pointer)
/// of a [`CryptoCase`].
#[macro_export]
macro_rules! crypto_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            crypto {
                nothing_works_before_adopting,
                a_new_deployment_opens_with_its_root_key,
                another_root_key_is_named,
                a_damaged_canary_does_not_open,
                a_new_kek_is_active_and_first,
                what_was_sealed_opens,
                equal_payloads_are_sealed_differently,
                another_plugin_opens,
                another_binding_does_not_open,
                another_kek_does_not_open,
                another_deployment_does_not_open,
                a_changed_envelope_does_not_open,
                a_changed_kek_does_not_open,
                a_kek_of_an_unknown_root_is_named,
                server_keys_come_out,
                project_keys_stay_inside,
                a_rewrapped_kek_is_the_same_key,
                an_installation_moves_to_another_root_key,
            }
        }
    };
}

/// Keys and payloads wait until an installation was adopted.
pub fn nothing_works_before_adopting(case: &dyn CryptoCase) {
    let kek = new_kek(&adopted(case), 1);
    let plugin = Subject::first(case);
    let fails = |kind| assert_eq!(kind, CryptoErrorKind::NotReady);
    fails(kind(plugin.new_kek(
        kek.id,
        kek.scope.clone(),
        1,
        sample::NOW,
    )));
    fails(kind(plugin.seal(&kek, &binding(&project()), &plain(b"x"))));
    fails(kind(plugin.unwrap_server_key(&kek)));
}

/// A new installation carries the id it was given, and opens.
pub fn a_new_deployment_opens_with_its_root_key(case: &dyn CryptoCase) {
    let deployment = new_deployment(&Subject::first(case), 1);
    assert_eq!(deployment.id, DeploymentId::from_bytes([1; 16]));
    assert_eq!(deployment.root, Subject::first(case).root());
    assert_eq!(deployment.created, sample::NOW);
    let plugin = Subject::first(case);
    plugin.adopt(&deployment).expect("the canary opens");
    plugin.adopt(&deployment).expect("the canary opens again");
}

/// With the wrong root key both ids are named.
pub fn another_root_key_is_named(case: &dyn CryptoCase) {
    let deployment = new_deployment(&Subject::first(case), 1);
    let stranger = Subject::stranger(case);
    assert_eq!(
        kind(stranger.adopt(&deployment)),
        CryptoErrorKind::WrongRootKey {
            expected: Subject::first(case).root(),
            found: stranger.root(),
        }
    );
    assert_ne!(Subject::first(case).root(), stranger.root());
}

/// A canary that was changed anywhere does not open, nor under another id.
pub fn a_damaged_canary_does_not_open(case: &dyn CryptoCase) {
    let good = new_deployment(&Subject::first(case), 1);
    let moved = Deployment {
        id: DeploymentId::from_bytes([2; 16]),
        ..good.clone()
    };
    let changed = changes(&good.canary).map(|canary| Deployment {
        canary,
        ..good.clone()
    });
    for deployment in changed.chain([moved]) {
        let found = kind(Subject::first(case).adopt(&deployment));
        assert_eq!(found, CryptoErrorKind::DoesNotOpen);
    }
}

/// A new KEK has what it was given, and is active.
pub fn a_new_kek_is_active_and_first(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    assert_eq!(kek.id, sample::kek_id(1));
    assert_eq!(kek.scope, KekScope::Project(project()));
    assert_eq!((kek.generation, kek.state), (1, KekState::Active));
    assert_eq!(kek.root, plugin.root());
    assert_eq!(kek.created, sample::NOW);
}

/// Every length of payload opens to the bytes that were sealed.
pub fn what_was_sealed_opens(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    for bytes in [0, 1, 16, 31, 32, 59, 60, 61, 64, 4_096, 20_000] {
        let payload = SecretBytes::new((0..=255).cycle().take(bytes).collect());
        let sealed = seal(&plugin, &kek, &payload);
        assert_eq!(sealed.kek, kek.id);
        let opened = plugin.open(&kek, &binding(&project()), &sealed);
        assert_eq!(opened.expect("it opens"), payload, "{bytes} bytes");
    }
}

/// Whoever compares envelopes does not learn that payloads are equal; a plugin
/// that encrypts nothing is let off.
pub fn equal_payloads_are_sealed_differently(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    let one = seal(&plugin, &kek, &plain(b"same same same same"));
    let two = seal(&plugin, &kek, &plain(b"same same same same"));
    assert!(one.envelope.starts_with(b"NOT ENCRYPTED") || one.envelope != two.envelope);
}

/// What one plugin sealed, another with the same root key and installation
/// opens: nothing depends on the process.
pub fn another_plugin_opens(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    let sealed = seal(&plugin, &kek, &plain(b"payload"));
    let next = Subject::first(case);
    let deployment = new_deployment(&Subject::first(case), 1);
    next.adopt(&deployment).expect("the canary opens");
    let opened = next.open(&kek, &binding(&project()), &sealed);
    assert_eq!(opened.expect("it opens"), plain(b"payload"));
}

/// A payload moved to another project, secret or version, or taken for
/// something else, does not open.
pub fn another_binding_does_not_open(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    let sealed = seal(&plugin, &kek, &plain(b"payload"));
    let (here, elsewhere) = (project(), ProjectId::new("elsewhere"));
    let good = binding(&here);
    for moved in [
        binding(&elsewhere),
        Binding {
            object: *sample::secret_id(2).as_bytes(),
            ..good
        },
        Binding { version: 2, ..good },
        Binding {
            kind: SealedKind::Passphrase,
            ..good
        },
    ] {
        let found = kind(plugin.open(&kek, &moved, &sealed));
        assert_eq!(found, CryptoErrorKind::DoesNotOpen, "{moved:?}");
    }
}

/// A payload does not open under another KEK, even if its row says so.
pub fn another_kek_does_not_open(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let (one, two) = (new_kek(&plugin, 1), new_kek(&plugin, 2));
    let sealed = seal(&plugin, &one, &plain(b"payload"));
    let relabelled = Sealed {
        kek: two.id,
        ..sealed.clone()
    };
    let renamed = WrappedKek {
        id: two.id,
        ..one.clone()
    };
    for (kek, sealed) in [
        (&two, &sealed),
        (&two, &relabelled),
        (&one, &relabelled),
        (&renamed, &relabelled),
    ] {
        let found = kind(plugin.open(kek, &binding(&project()), sealed));
        assert_eq!(found, CryptoErrorKind::DoesNotOpen);
    }
}

/// Rows copied into another installation do not open there.
pub fn another_deployment_does_not_open(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    let sealed = seal(&plugin, &kek, &plain(b"payload"));
    let elsewhere = Subject::first(case);
    let deployment = new_deployment(&elsewhere, 2);
    elsewhere.adopt(&deployment).expect("the canary opens");
    let found = kind(elsewhere.open(&kek, &binding(&project()), &sealed));
    assert_eq!(found, CryptoErrorKind::DoesNotOpen);
}

/// An envelope that was changed anywhere does not open.
pub fn a_changed_envelope_does_not_open(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    let sealed = seal(&plugin, &kek, &plain(b"payload"));
    for envelope in changes(&sealed.envelope) {
        let changed = Sealed {
            kek: kek.id,
            envelope,
        };
        let found = kind(plugin.open(&kek, &binding(&project()), &changed));
        assert_eq!(found, CryptoErrorKind::DoesNotOpen);
    }
}

/// A KEK that was changed anywhere, or moved to another scope, opens nothing.
pub fn a_changed_kek_does_not_open(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let good = new_kek(&plugin, 1);
    let sealed = seal(&plugin, &good, &plain(b"payload"));
    let moved = WrappedKek {
        scope: KekScope::Project(ProjectId::new("elsewhere")),
        ..good.clone()
    };
    let changed = changes(&good.wrapped).map(|wrapped| WrappedKek {
        wrapped,
        ..good.clone()
    });
    for kek in changed.chain([moved]) {
        let found = kind(plugin.open(&kek, &binding(&project()), &sealed));
        assert_eq!(found, CryptoErrorKind::DoesNotOpen);
        let found = kind(plugin.seal(&kek, &binding(&project()), &plain(b"new")));
        assert_eq!(found, CryptoErrorKind::DoesNotOpen);
    }
}

/// A KEK whose root key is not configured says which one it needs.
pub fn a_kek_of_an_unknown_root_is_named(case: &dyn CryptoCase) {
    let stranger = Subject::stranger(case);
    let deployment = new_deployment(&stranger, 1);
    stranger.adopt(&deployment).expect("the canary opens");
    let kek = new_kek(&stranger, 1);
    let found = kind(adopted(case).seal(&kek, &binding(&project()), &plain(b"x")));
    assert_eq!(found, CryptoErrorKind::UnknownRootKey(stranger.root()));
}

/// One of the server's own keys has 32 bytes, and always the same.
pub fn server_keys_come_out(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let scope = KekScope::Server(ServerKey::TokenHash);
    let make = |number| plugin.new_kek(sample::kek_id(number), scope.clone(), 1, sample::NOW);
    let (one, two) = (make(1).expect("a key"), make(2).expect("a key"));
    let unwrap = |kek| plugin.unwrap_server_key(kek).expect("it unwraps");
    assert_eq!(unwrap(&one).len(), 32);
    assert_eq!(unwrap(&one), unwrap(&one));
    assert_ne!(unwrap(&one), unwrap(&two));
}

/// The key of a project never leaves the plugin, not even relabelled.
pub fn project_keys_stay_inside(case: &dyn CryptoCase) {
    let plugin = adopted(case);
    let kek = new_kek(&plugin, 1);
    let relabelled = WrappedKek {
        scope: KekScope::Server(ServerKey::TokenHash),
        ..kek.clone()
    };
    for kek in [kek, relabelled] {
        let found = kind(plugin.unwrap_server_key(&kek));
        assert_eq!(found, CryptoErrorKind::DoesNotOpen);
    }
}

/// A KEK that was wrapped anew opens under the new root key alone, and opens
/// what it sealed before. Of what was not, the old root key is needed.
pub fn a_rewrapped_kek_is_the_same_key(case: &dyn CryptoCase) {
    let first = adopted(case);
    let old = first
        .new_kek(
            sample::kek_id(1),
            KekScope::Project(project()),
            7,
            sample::NOW,
        )
        .expect("a KEK is made");
    assert_eq!(old.generation, 7);
    let sealed = seal(&first, &old, &plain(b"payload"));
    let successor = Subject::successor(case);
    let deployment = new_deployment(&first, 1);
    successor.adopt(&deployment).expect("the old canary opens");
    let new = successor.rewrap(&old).expect("it is wrapped anew");
    let expected = WrappedKek {
        root: successor.root(),
        wrapped: new.wrapped.clone(),
        ..old.clone()
    };
    assert_eq!(new, expected);
    assert_ne!(new.wrapped, old.wrapped);
    let stranger = Subject::stranger(case);
    let moved = new_deployment(&stranger, 1);
    stranger.adopt(&moved).expect("the canary opens");
    let opened = stranger.open(&new, &binding(&project()), &sealed);
    assert_eq!(opened.expect("it opens"), plain(b"payload"));
    assert_eq!(
        kind(stranger.rewrap(&old)),
        CryptoErrorKind::UnknownRootKey(first.root())
    );
}

/// With both root keys at hand, an installation of either opens; new keys get
/// the current one.
pub fn an_installation_moves_to_another_root_key(case: &dyn CryptoCase) {
    let before = new_deployment(&Subject::first(case), 1);
    let successor = Subject::successor(case);
    successor.adopt(&before).expect("the old canary opens");
    let after = new_deployment(&successor, 1);
    assert_eq!(after.root, Subject::stranger(case).root());
    successor.adopt(&after).expect("the new canary opens");
    assert_eq!(new_kek(&successor, 1).root, after.root);
    Subject::stranger(case)
        .adopt(&after)
        .expect("the new canary opens");
    assert!(Subject::first(case).adopt(&after).is_err());
}

fn adopted(case: &dyn CryptoCase) -> Subject {
    let plugin = Subject::first(case);
    let deployment = new_deployment(&plugin, 1);
    plugin.adopt(&deployment).expect("the canary opens");
    plugin
}

fn new_deployment(plugin: &Subject, number: u8) -> Deployment {
    let id = DeploymentId::from_bytes([number; 16]);
    plugin
        .new_deployment(id, sample::NOW)
        .expect("an installation is made")
}

fn new_kek(plugin: &Subject, number: u64) -> WrappedKek {
    let scope = KekScope::Project(project());
    plugin
        .new_kek(sample::kek_id(number), scope, 1, sample::NOW)
        .expect("a KEK is made")
}

fn seal(plugin: &Subject, kek: &WrappedKek, payload: &SecretBytes) -> Sealed {
    plugin
        .seal(kek, &binding(&project()), payload)
        .expect("a payload is sealed")
}

fn project() -> ProjectId {
    sample::project("project")
}

fn plain(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

fn binding(project: &ProjectId) -> Binding<'_> {
    Binding {
        project,
        object: *sample::secret_id(1).as_bytes(),
        kind: SealedKind::Payload,
        version: 1,
    }
}

fn kind<T>(done: Result<T, CryptoError>) -> CryptoErrorKind {
    done.err().expect("it fails").kind()
}

/// A plugin whose futures are waited for.
struct Subject(Box<dyn CryptoPlugin>);

impl Subject {
    fn first(case: &dyn CryptoCase) -> Self {
        Self(case.plugin())
    }

    fn stranger(case: &dyn CryptoCase) -> Self {
        Self(case.stranger())
    }

    fn successor(case: &dyn CryptoCase) -> Self {
        Self(case.successor())
    }

    fn root(&self) -> RootKeyId {
        self.0.root()
    }

    fn new_deployment(&self, id: DeploymentId, now: Timestamp) -> Result<Deployment, CryptoError> {
        block_on(self.0.new_deployment(id, now))
    }

    fn adopt(&self, deployment: &Deployment) -> Result<(), CryptoError> {
        block_on(self.0.adopt(deployment))
    }

    fn new_kek(
        &self,
        id: KekId,
        scope: KekScope,
        generation: u32,
        now: Timestamp,
    ) -> Result<WrappedKek, CryptoError> {
        block_on(self.0.new_kek(id, scope, generation, now))
    }

    fn rewrap(&self, kek: &WrappedKek) -> Result<WrappedKek, CryptoError> {
        block_on(self.0.rewrap(kek))
    }

    fn seal(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        plain: &SecretBytes,
    ) -> Result<Sealed, CryptoError> {
        block_on(self.0.seal(kek, binding, plain))
    }

    fn open(
        &self,
        kek: &WrappedKek,
        binding: &Binding<'_>,
        sealed: &Sealed,
    ) -> Result<SecretBytes, CryptoError> {
        block_on(self.0.open(kek, binding, sealed))
    }

    fn unwrap_server_key(&self, kek: &WrappedKek) -> Result<SecretBytes, CryptoError> {
        block_on(self.0.unwrap_server_key(kek))
    }
}
