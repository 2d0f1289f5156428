//! The fakes keep the contracts of the ports that they stand for.

mod memory {
    use std::sync::Arc;

    use donjon_testkit::MemoryRepository;

    donjon_testkit::repository_contract!(Arc::new(MemoryRepository::new()));
    donjon_testkit::token_store_contract!(Arc::new(MemoryRepository::new()));
}

mod memory_running_jobs_twice {
    use std::sync::Arc;

    use donjon_testkit::MemoryRepository;

    donjon_testkit::repository_contract!(Arc::new(MemoryRepository::new().running_jobs_twice()));
    donjon_testkit::token_store_contract!(Arc::new(MemoryRepository::new().running_jobs_twice()));
}

mod crypto_plugin {
    use donjon_domain::ports::CryptoPlugin;
    use donjon_testkit::{FakeCrypto, contract::crypto::CryptoCase};

    struct Fake;

    impl CryptoCase for Fake {
        fn plugin(&self) -> Box<dyn CryptoPlugin> {
            Box::new(FakeCrypto::new(1))
        }

        fn stranger(&self) -> Box<dyn CryptoPlugin> {
            Box::new(FakeCrypto::new(2))
        }

        fn successor(&self) -> Box<dyn CryptoPlugin> {
            Box::new(FakeCrypto::new(2).with_previous(1))
        }
    }

    donjon_testkit::crypto_contract!(Box::new(Fake));
}

mod key_wrapper {
    use donjon_domain::ports::KeyWrapper;
    use donjon_testkit::{FakeKeyWrapper, contract::key_wrapper::KeyWrapperCase};

    struct Fake;

    impl KeyWrapperCase for Fake {
        fn wrapper(&self) -> Box<dyn KeyWrapper> {
            Box::new(FakeKeyWrapper::new(1))
        }

        fn stranger(&self) -> Box<dyn KeyWrapper> {
            Box::new(FakeKeyWrapper::new(2))
        }
    }

    donjon_testkit::key_wrapper_contract!(Box::new(Fake));
}

mod token_authenticator {
    use donjon_domain::{Actor, ports::Authenticator};
    use donjon_testkit::{FakeAuthenticator, contract::authenticator::AuthenticatorCase, sample};

    struct Fake(FakeAuthenticator);

    impl AuthenticatorCase for Fake {
        fn authenticator(&self) -> &dyn Authenticator {
            &self.0
        }

        fn token(&self) -> &str {
            "dj_token"
        }

        fn actor(&self) -> Actor {
            sample::actor("project", "user")
        }
    }

    fn fake() -> Box<Fake> {
        let actor = sample::actor("project", "user");
        Box::new(Fake(FakeAuthenticator::new().with_token("dj_token", actor)))
    }

    donjon_testkit::authenticator_contract!(fake());
}

mod key_generator {
    use donjon_domain::{KeySpec, ports::KeyGenerator};
    use donjon_testkit::{
        FakeKeyGenerator, contract::key_generator::KeyGeneratorCase, sample::key_spec,
    };

    struct Fake(FakeKeyGenerator);

    impl KeyGeneratorCase for Fake {
        fn generator(&self) -> &dyn KeyGenerator {
            &self.0
        }

        fn symmetric(&self) -> Vec<KeySpec> {
            vec![key_spec("aes", 256), key_spec("hmacsha256", 64)]
        }

        fn key_pairs(&self) -> Vec<KeySpec> {
            vec![key_spec("rsa", 2_048), key_spec("dsa", 1_024)]
        }
    }

    donjon_testkit::key_generator_contract!(Box::new(Fake(FakeKeyGenerator::new())));
}

mod key_source {
    use donjon_testkit::FakeKeySource;

    donjon_testkit::key_source_contract!(Box::new(FakeKeySource::new()));
}

mod payload_store {
    use donjon_domain::{KeySpec, ports::PayloadStore};
    use donjon_testkit::{
        FakePayloadStore, contract::payload_store::PayloadStoreCase, sample::key_spec,
    };

    struct Fake(FakePayloadStore);

    impl PayloadStoreCase for Fake {
        fn store(&self) -> &dyn PayloadStore {
            &self.0
        }

        fn symmetric(&self) -> Vec<KeySpec> {
            vec![key_spec("aes", 256), key_spec("AES", 128)]
        }

        fn key_pairs(&self) -> Vec<KeySpec> {
            vec![key_spec("rsa", 2_048)]
        }
    }

    donjon_testkit::payload_store_contract!(Box::new(Fake(FakePayloadStore::new().making_keys())));
}

mod workers {
    use donjon_testkit::FakeWorkers;

    donjon_testkit::workers_contract!(Box::new(FakeWorkers::new()));
}

mod directory {
    use donjon_domain::ports::{Presence, ProjectDirectory};
    use donjon_testkit::{FakeDirectory, contract::directory::DirectoryCase};

    struct Fake(FakeDirectory);

    impl DirectoryCase for Fake {
        fn directory(&self) -> &dyn ProjectDirectory {
            &self.0
        }

        fn project(&self) -> &str {
            "7f3c1f6e0b1d4c599d0a3a5f6e2b7c11"
        }

        fn set_out(&self, is_out: bool) {
            self.0.set_out(is_out);
        }
    }

    fn fake() -> Box<Fake> {
        let fake = Fake(FakeDirectory::new());
        fake.0.set(fake.project(), Presence::Present);
        Box::new(fake)
    }

    donjon_testkit::directory_contract!(fake());
}
