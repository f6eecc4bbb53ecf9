"""An SSH bastion and session recorder for non-human identities.

The data path, one file a stage (DESIGN: five stages, five nouns):

    identify  certificate, token, identity, authority -> Principal
    resolve   resolve -> Target
    decide    policies (a library) -> Verdict
    relay     relay, inbox, transfer/ -> Outcome
    record    recorder (a library) -> a sealed Recording

session.py says that sentence in code. house.py holds what a running bastion knows; adapters/ hold each outside
system behind one file; runtime.py puts all of it together; cli/ is the command.
"""
