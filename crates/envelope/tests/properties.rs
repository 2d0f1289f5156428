//! What holds for all inputs.

#![expect(clippy::unwrap_used, reason = "a test panics when it fails")]

use donjon_envelope::{
    Context, Key, Kind, OVERHEAD_BYTES, OpenError, Padding, RANDOM_BYTES, kek_id, open, seal,
};
use proptest::{array, collection::vec, prelude::*, sample::Index};

/// Inputs of one envelope, owned.
#[derive(Clone, Debug)]
struct Input {
    key: [u8; 32],
    kek_id: [u8; 16],
    fields: [Vec<u8>; 3],
    kind: Kind,
    version: u32,
    plain: Vec<u8>,
    random: Vec<u8>,
    padding: Padding,
}

impl Input {
    fn context(&self) -> Context<'_> {
        let [deployment, project, object] = &self.fields;
        Context {
            deployment,
            project,
            object,
            kind: self.kind,
            version: self.version,
        }
    }

    fn key(&self) -> Key {
        Key::from(&self.key)
    }

    fn seal(&self) -> Vec<u8> {
        let random: &[u8; RANDOM_BYTES] = self.random.as_slice().try_into().unwrap();
        seal(
            &self.key(),
            self.kek_id,
            &self.context(),
            &self.plain,
            random,
            self.padding,
        )
        .unwrap()
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    use Kind::{Canary, Kek, Passphrase, Payload, Private, Public};
    prop::sample::select(vec![Payload, Private, Public, Passphrase, Kek, Canary])
}

fn input() -> impl Strategy<Value = Input> {
    let padding = prop::sample::select(vec![Padding::Blocks64, Padding::None]);
    let fields = array::uniform3(vec(any::<u8>(), 0..80));
    let who = (
        any::<[u8; 32]>(),
        any::<[u8; 16]>(),
        fields,
        kind(),
        any::<u32>(),
    );
    let what = (
        vec(any::<u8>(), 0..2000),
        vec(any::<u8>(), RANDOM_BYTES),
        padding,
    );
    (who, what).prop_map(
        |((key, kek_id, fields, kind, version), (plain, random, padding))| Input {
            key,
            kek_id,
            fields,
            kind,
            version,
            plain,
            random,
            padding,
        },
    )
}

fn config() -> ProptestConfig {
    // A failing case prints its input, which is all there is to reproduce; no file of seeds is needed.
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(512)
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn round_trip(input in input()) {
        let envelope = input.seal();
        prop_assert_eq!(Some(envelope.len()), input.padding.sealed_bytes(input.plain.len()));
        prop_assert_eq!(kek_id(&envelope), Ok(input.kek_id));
        let opened = open(&input.key(), &input.context(), &envelope).unwrap();
        prop_assert_eq!(&*opened, &input.plain);
    }

    #[test]
    fn any_other_input_does_not_open(one in input(), two in input()) {
        prop_assume!((&one.key, one.context()) != (&two.key, two.context()));
        prop_assert_eq!(open(&two.key(), &two.context(), &one.seal()), Err(OpenError));
        prop_assert_eq!(open(&one.key(), &two.context(), &one.seal()).is_ok(), one.context() == two.context());
        prop_assert_eq!(open(&two.key(), &one.context(), &one.seal()).is_ok(), one.key == two.key);
    }

    /// Concatenated, the three fields are always the same bytes; only where they are cut differs.
    #[test]
    fn fields_cut_elsewhere_do_not_open(input in input(), cuts in array::uniform2(any::<Index>())) {
        let whole = input.fields.concat();
        let mut cuts = cuts.map(|cut| cut.index(whole.len() + 1));
        cuts.sort_unstable();
        let mut other = input.clone();
        other.fields = [whole[..cuts[0]].to_vec(), whole[cuts[0]..cuts[1]].to_vec(), whole[cuts[1]..].to_vec()];
        let opened = open(&input.key(), &other.context(), &input.seal());
        prop_assert_eq!(opened.is_ok(), other.fields == input.fields);
    }

    #[test]
    fn any_change_of_the_envelope_does_not_open(
        input in input(),
        changes in vec((any::<Index>(), 1..=255_u8), 1..8),
        end in any::<Index>(),
        cut in any::<bool>(),
    ) {
        let sealed = input.seal();
        let mut envelope = sealed.clone();
        for (at, mask) in changes {
            let at = at.index(envelope.len());
            envelope[at] ^= mask;
        }
        if cut {
            envelope.truncate(end.index(envelope.len()));
        }
        let opened = open(&input.key(), &input.context(), &envelope);
        prop_assert_eq!(opened.is_ok(), envelope == sealed);
    }

    /// Also with a good start, so that not every one of them ends at the magic.
    #[test]
    fn any_bytes_are_refused_without_panic(bytes in vec(any::<u8>(), 0..600), start in 0..2_u8, padded in 0..2_u8) {
        let mut envelope = bytes;
        if start == 1 {
            envelope.splice(..envelope.len().min(8), *b"DJ\x01\x01\0\0\0\0");
            envelope[4] = padded;
        }
        let context = Context { deployment: b"d", project: b"p", object: b"o", kind: Kind::Payload, version: 1 };
        prop_assert_eq!(open(&Key::from(&[1; 32]), &context, &envelope), Err(OpenError));
        if kek_id(&envelope).is_ok() {
            prop_assert!(envelope.len() >= OVERHEAD_BYTES && envelope.starts_with(b"DJ\x01\x01"));
        }
    }
}
