//! Against SoftHSM2, with a token folder of each test process's own.

#![expect(
    clippy::disallowed_methods,
    reason = "whether a device comes back is a matter of real time"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test may fail; clippy's own exception does not reach helpers of integration tests"
)]

mod token;

use std::{
    fs,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use donjon_crypto_pkcs11::{
    Device, DeviceConfig, DeviceError, DeviceKeys, DeviceWrapper, KeyLabels, TokenChoice,
    WrapMechanism,
};
use donjon_domain::{
    DeploymentId, KekId, KekScope, ProjectId, SecretBytes, WrapBinding,
    ports::{CryptoErrorKind, Entropy, GenerationErrorKind, KeySource, KeyWrapper, RawKey},
};
use donjon_testkit::{block_on, contract::key_wrapper::KeyWrapperCase};

use self::token::{PIN, SoftHsm};

/// One process, one module, one folder of tokens.
static SOFTHSM: LazyLock<SoftHsm> = LazyLock::new(|| {
    SoftHsm::new(&[
        "first",
        "stranger",
        "mechanisms",
        "named",
        "pin",
        "away",
        "many",
        "raw",
    ])
});

struct Os;

impl Entropy for Os {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap();
    }
}

fn config(token: &str) -> DeviceConfig {
    DeviceConfig {
        token: TokenChoice {
            labels: vec![token.to_owned()],
            ..TokenChoice::default()
        },
        pin: Arc::new(SecretBytes::new(PIN.into())),
        rw_session: true,
        sessions_max: 2,
        patience: Duration::from_secs(20),
        rest: Duration::from_millis(50),
    }
}

fn labels(name: &str) -> KeyLabels {
    KeyLabels {
        mkek: format!("{name}-mkek"),
        hmac: format!("{name}-hmac"),
        hmac_key_type: None,
        mechanism: None,
    }
}

fn device(token: &str) -> Arc<Device> {
    Arc::new(Device::new(SOFTHSM.module(), config(token)))
}

/// A token with a root key called like it.
fn made(token: &str) -> Arc<Device> {
    let device = device(token);
    block_on(device.make_keys(&labels(token))).unwrap();
    device
}

fn open(device: &Arc<Device>, labels: KeyLabels) -> Result<DeviceWrapper, DeviceError> {
    block_on(DeviceWrapper::open(
        Arc::clone(device),
        labels,
        Arc::new(Os),
    ))
}

fn binding(scope: &KekScope) -> WrapBinding<'_> {
    WrapBinding::Kek {
        deployment: DeploymentId::from_bytes([1; 16]),
        id: KekId::from_bytes([2; 16]),
        scope,
        generation: 1,
    }
}

fn scope() -> KekScope {
    KekScope::Project(ProjectId::new("p"))
}

fn key() -> SecretBytes {
    SecretBytes::new(vec![7; 32])
}

struct Case;

static FIRST: LazyLock<Arc<Device>> = LazyLock::new(|| made("first"));
static STRANGER: LazyLock<Arc<Device>> = LazyLock::new(|| made("stranger"));

impl KeyWrapperCase for Case {
    fn wrapper(&self) -> Box<dyn KeyWrapper> {
        Box::new(open(&FIRST, labels("first")).unwrap())
    }

    fn stranger(&self) -> Box<dyn KeyWrapper> {
        Box::new(open(&STRANGER, labels("stranger")).unwrap())
    }
}

mod contract {
    use super::Case;

    donjon_testkit::key_wrapper_contract!(Box::new(Case));
}

fn raw_keys() -> DeviceKeys {
    block_on(DeviceKeys::open(device("raw"))).unwrap()
}

mod raw {
    use super::raw_keys;

    donjon_testkit::key_source_contract!(Box::new(raw_keys()));
}

#[test]
fn the_token_makes_keys_and_keeps_none() {
    let keys = raw_keys();
    assert_eq!(keys.to_string(), "symmetric keys, rsa, ec");
    for key in [RawKey::Rsa(1_024), RawKey::Ec(521)] {
        assert!(keys.makes(key) && keys.private(key).is_ok(), "{key:?}");
    }
    let nonsense = keys.private(RawKey::Ec(255)).unwrap_err();
    assert_eq!(nonsense.kind(), GenerationErrorKind::Unsupported);
    let (token, _) = SOFTHSM.folders_of("raw");
    let objects = fs::read_dir(token).unwrap().flatten().filter(|file| {
        let extension = file.path().extension().map(ToOwned::to_owned);
        extension.is_some_and(|extension| extension == "object")
    });
    // The one that describes the token.
    assert_eq!(objects.count(), 1);
}

/// Whatever is configured now, what was wrapped another way unwraps.
#[test]
fn every_mechanism_that_works_unwraps_what_the_others_wrapped() {
    let device = made("mechanisms");
    let survey = block_on(device.survey(&labels("mechanisms"), &Os)).unwrap();
    let works = |name: &str| {
        let mut tried = survey.tried.iter();
        tried.any(|tried| tried.name == name && tried.outcome.is_ok())
    };
    for name in [
        "CKM_SHA256_HMAC",
        "CKM_AES_GCM",
        "CKM_AES_CBC_PAD",
        "CKM_AES_CBC",
    ] {
        assert!(works(name), "{survey:#?}");
    }
    assert_eq!(survey.mechanism, Some(WrapMechanism::Gcm));
    let with = |name: &str| {
        let mechanism = Some(name.parse().unwrap());
        let labels = KeyLabels {
            mechanism,
            ..labels("mechanisms")
        };
        open(&device, labels).unwrap()
    };
    let names: Vec<&str> = survey.tried[1..]
        .iter()
        .filter(|tried| tried.outcome.is_ok())
        .map(|tried| tried.name)
        .collect();
    let reader = with("CKM_AES_GCM");
    assert_eq!(survey.id, Some(reader.id()));
    for name in names {
        let wrapper = with(name);
        assert_eq!(
            (wrapper.mechanism().name(), wrapper.id()),
            (name, reader.id())
        );
        let wrapped = block_on(wrapper.wrap(&key(), binding(&scope()))).unwrap();
        let unwrapped = block_on(reader.unwrap(&wrapped, binding(&scope()))).unwrap();
        assert_eq!(unwrapped, key(), "{name}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let good = made("named");
    let text = |error: DeviceError| error.to_string();
    let wrong = |labels| text(open(&good, labels).unwrap_err());
    let missing = wrong(KeyLabels {
        mkek: "nobody".to_owned(),
        ..labels("named")
    });
    for part in [
        "\"nobody\"",
        "\"named-mkek\" (CKK_AES)",
        "pkcs11.mkek_label",
        "hsm new-keys",
    ] {
        assert!(missing.contains(part), "{missing}");
    }
    let swapped = wrong(KeyLabels {
        hmac: "named-mkek".to_owned(),
        ..labels("named")
    });
    assert!(swapped.contains("they are one key"), "{swapped}");
    let unfit = wrong(KeyLabels {
        mkek: "named-mkek".to_owned(),
        hmac: "named-mkek".to_owned(),
        hmac_key_type: Some(donjon_crypto_pkcs11::HmacKeyType::GenericSecret),
        mechanism: None,
    });
    assert!(unfit.contains("0 keys of the token"), "{unfit}");

    let elsewhere = text(open(&device("nowhere"), labels("named")).unwrap_err());
    for part in [
        "labelled nowhere",
        "\"named\" in slot",
        "pkcs11.token_labels",
    ] {
        assert!(elsewhere.contains(part), "{elsewhere}");
    }
    let taken = text(block_on(good.make_keys(&labels("named"))).unwrap_err());
    assert!(taken.contains("already"), "{taken}");
    let absent = std::path::Path::new("/nowhere/module.so");
    let absent = text(donjon_crypto_pkcs11::Module::load(absent).unwrap_err());
    assert!(absent.contains("pkcs11.library_path"), "{absent}");
}

/// Tokens lock themselves after a few tries.
#[test]
fn a_wrong_pin_is_tried_once() {
    let mut config = config("pin");
    config.pin = Arc::new(SecretBytes::new(b"87654321".to_vec()));
    let wrong = Arc::new(Device::new(SOFTHSM.module(), config));
    for _ in 0..10 {
        let error = open(&wrong, labels("pin")).unwrap_err();
        assert!(
            matches!(&error, DeviceError::Pin { code } if code == "CKR_PIN_INCORRECT"),
            "{error}"
        );
    }
    assert_eq!(wrong.log_ins(), 1);
    assert!(!wrong_pin_is_shown(&wrong));
}

fn wrong_pin_is_shown(device: &Device) -> bool {
    format!("{device:?} {:?}", device.config()).contains("87654321")
}

/// The folder of the token goes away and comes back: failures meanwhile, and
/// no restart.
#[test]
fn a_token_that_comes_back_is_used_again() {
    let device = made("away");
    let wrapper = open(&device, labels("away")).unwrap();
    let wrapped = block_on(wrapper.wrap(&key(), binding(&scope()))).unwrap();
    let (here, away) = SOFTHSM.folders_of("away");
    fs::rename(&here, &away).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match block_on(wrapper.unwrap(&wrapped, binding(&scope()))) {
            Err(error) => {
                assert_eq!(error.kind(), CryptoErrorKind::Unavailable, "{error:?}");
                break;
            }
            // SoftHSM looks at its files now and then.
            Ok(_) => assert!(Instant::now() < until, "nothing fails"),
        }
    }
    for _ in 0..20 {
        let error = block_on(wrapper.unwrap(&wrapped, binding(&scope()))).unwrap_err();
        assert_eq!(error.kind(), CryptoErrorKind::Unavailable, "{error:?}");
    }
    fs::rename(&away, &here).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while let Err(error) = block_on(wrapper.unwrap(&wrapped, binding(&scope()))) {
        assert!(Instant::now() < until, "{error:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn many_callers_share_few_sessions() {
    let device = made("many");
    let wrapper = open(&device, labels("many")).unwrap();
    std::thread::scope(|threads| {
        for _ in 0..16 {
            threads.spawn(|| {
                for _ in 0..10 {
                    let wrapped = block_on(wrapper.wrap(&key(), binding(&scope()))).unwrap();
                    let unwrapped = block_on(wrapper.unwrap(&wrapped, binding(&scope())));
                    assert_eq!(unwrapped.unwrap(), key());
                }
            });
        }
    });
    assert!(device.threads() <= 2);
    assert_eq!(device.log_ins(), 1);
}
