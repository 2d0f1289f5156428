//! Authenticator for locally issued tokens and for noauth headers
