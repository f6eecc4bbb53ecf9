"""Play the product's story on one machine: an OIDC issuer, a bastion, an SSH host, and the system's own ssh."""
