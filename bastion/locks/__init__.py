"""Stop what must not go on: identities, persons with all that they own, targets, sessions, runs.

lock      what is locked, by whom, why, until when; and of whom it can be said
book      the locks in force, as every process knows them
keeper    sets and lifts them for the service: on the record, and everywhere
commands  lock, unlock, locks: the words that people type

Source  docs/locks.md; docs/adr/0013-locks-are-entries-of-the-audit-chain.md
"""
