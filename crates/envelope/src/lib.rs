//! The sealed byte format: seal, open, commitment, padding
