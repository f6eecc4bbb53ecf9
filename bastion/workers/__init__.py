"""Serve with several processes: one supervisor, and workers that answer the connections.

supervisor  opens keys, store and sockets; accepts connections, and gives each to the worker that has the fewest
worker      answers the connections it is given, and writes to the same store in its turn (recorder.turn)
link        messages and open files between the two; either learns of the other's death by it
handover    what a worker needs to begin or to change, in memory that passes from one process to the other
register    the supervisor's register (which key a token belongs to, who asks too often), as a worker asks it
patience    when a worker that died is replaced, and when that has happened too often

Source  docs/adr/0010-a-supervisor-hands-connections-to-workers.md
"""
