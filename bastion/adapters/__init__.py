"""Speak to outside systems: SSH clients, SSH targets, OIDC issuers; one home for each library that does."""
