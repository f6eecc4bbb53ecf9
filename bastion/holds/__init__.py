"""Let a statement wait for people: who may answer, what they are asked, and what becomes of it.

hold        what waits: an Ask, and a Hold with its answers and its state
marks       where in a statement people should look
binding     what an approval is good for: an HMAC over where, by which policy, and every byte
eligible    who may answer, and why not
desk        all holds of a service and every step they take, without I/O
published   what everybody may know of them: what is on record
office      the desk with a clock, an audit chain and listeners: one for each service
waiting     the session's side: ask, wait, withdraw
callers     who is at the people's door: a certificate's person, or a uid's
commands    approvals, approve, deny: the words that people type
shown       holds as people and programs are shown them, escaped
local_door  the same commands over a unix socket, for users of the machine

Source  docs/approvals.md; docs/adr/0011-the-desk-of-holds-is-the-services.md
"""
