//! CryptoPlugin in software: project keys wrapped by the root key, envelopes, key generation
