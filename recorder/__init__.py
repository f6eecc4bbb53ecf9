"""Turn the events of a session into a sealed, searchable, replayable recording; knows no SSH.

Writing     store (one writer thread) <- recording (one live session) <- events
            chunk (compress, hash, sign), audit (the signed chain of acts), recovery (sessions that were cut off)
Reading     evidence (lists, events) -> transcript, cast, player; terminal and screen make bytes safe to look at
Checking    verify (a database file and public keys, nothing else)
"""
