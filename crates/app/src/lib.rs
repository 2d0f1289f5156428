//! One async function per use case; sealing of payloads
