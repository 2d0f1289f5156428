//! The key manager API, version 1: routes, JSON shapes, problem bodies
