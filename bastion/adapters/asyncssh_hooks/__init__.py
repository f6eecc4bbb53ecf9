"""Reach into asyncssh where its public interface stops; nothing else does.

Each hook says why it is needed and what asyncssh would have to offer instead. tests/unit/bastion holds tests that fail
when an upgrade moves what they rest on (test_asyncssh_hooks*.py); asyncssh is pinned to one minor version for the same
reason. `connection` and `channel` are our servers' sides, `client` is our side towards a target.

ServerConnection.validate_public_key   asyncssh takes a certificate without principals for any user, drops unknown
                                       extensions and hides serial and key id. Wanted: a callback with the raw blob.
ServerConnection.send_userauth_failure asyncssh lets a client try for as long as the login may take. Wanted: a bound.
ServerConnection.reload_config         runs OpenSSH configuration matching in an executor for each user name; there
                                       is no configuration file here. Wanted: an option to leave it out.
ServerConnection(server_factory)       options carry the factory of server objects, but making options costs
                                       milliseconds, and each jump has a server object of its own. Wanted: a
                                       factory as an argument of the connection.
ServerConnection._process_channel_open asyncssh bounds neither the number of channels nor how small a packet a peer
                                       may ask for, and sends a whole window in one step. Wanted: options for both.
ServerConnection.send_packet           an IGNORE packet goes before each encrypted one, against an attack on CBC ciphers
                                       (RFC 4251 section 9.3.1); only AEAD ciphers are offered here. Wanted: as OpenSSH.
ServerConnection._send_deferred_packets what is sent during a key exchange that the peer does not finish is kept without
                                       bound, and nobody is told. Wanted: `drain()` that waits for it.
Bounds.internal_error                  asyncssh takes a packet cut short, or text in no known encoding, for an error
                                       of its own in places: the peer is dropped without a word, and the log has a
                                       stack trace. Wanted: ProtocolError everywhere.
ServerConnection.pause_writing         asyncssh ignores the transport's call, so that what a slow reader does not take
                                       grows without bound. Wanted: `drain()` on a connection.
ServerConnection.peer                  inside a jump the peer address is empty. Wanted: an option for it.
ServerChannel._process_*_request       asyncssh answers exec, shell and subsystem requests before a coroutine could
                                       decide them, and refuses commands that are not UTF-8. Wanted: async callbacks
                                       with bytes.
ServerChannel._process_close           asyncssh answers a close at once: an exit status that comes later is lost, as
                                       OpenSSH's client with ControlMaster closes when output ends. Wanted: a callback
                                       that may put the answer off.
ServerChannel, tell_output_unwanted    asyncssh does not know OpenSSH's eow@openssh.com, without which `yes | head -1`
                                       never ends. Wanted: a callback and a method.
Command                                `create_session(command=…)` encodes text only as UTF-8 but passes bytes on; an
                                       empty command it takes for a shell. Wanted: bytes, and None for none.
"""

from bastion.adapters.asyncssh_hooks.channel import (
    ServerChannel,
    is_open,
    takes_requests,
    tell_output_unwanted,
)
from bastion.adapters.asyncssh_hooks.client import Command
from bastion.adapters.asyncssh_hooks.connection import ServerConnection

__all__ = [
    "Command",
    "ServerChannel",
    "ServerConnection",
    "is_open",
    "takes_requests",
    "tell_output_unwanted",
]
