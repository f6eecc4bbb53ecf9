"""Be the `bastion` command: one tree, which people run on the bastion and responders run over SSH."""
