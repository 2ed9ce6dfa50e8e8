-- PostgreSQL has no way to take a value out of an enumerated type; the type stays as it is.
DROP INDEX idx_claims_under_review;
