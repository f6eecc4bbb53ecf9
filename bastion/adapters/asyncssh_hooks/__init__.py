"""Reach into asyncssh where its public interface stops; nothing else does.

Each hook says why it is needed, what asyncssh would have to offer instead, and which test in tests/unit/bastion fails
when an upgrade moves what it rests on (test_asyncssh_hooks*.py; one of them reads this list). asyncssh is pinned to
one minor version for the same reason. `connection` and `channel` are our servers' sides, `client` is our side towards
a target; `bounds` and `channel_bounds` serve either side.

ServerConnection.validate_public_key
    asyncssh takes a certificate without principals for any user, drops unknown extensions and hides serial and key
    id. Wanted: a callback with the raw blob.
    Test: test_t4_a_key_is_judged_as_it_came_and_proven_only_by_a_signature
ServerConnection.send_userauth_failure
    asyncssh lets a client try for as long as the login may take. Wanted: a bound.
    Test: test_a_key_that_is_refused_opens_nothing_and_there_is_an_end_to_trying
ServerConnection.reload_config
    runs OpenSSH configuration matching in an executor for each user name; there is no configuration file here.
    Wanted: an option to leave it out.
    Test: test_no_configuration_is_matched_for_a_user
ServerConnection._protocol_factory
    options carry the factory of server objects, but making options costs milliseconds, and each jump has a server
    object of its own. Wanted: a factory as an argument of the connection.
    Test: test_each_connection_has_the_server_object_of_its_own_factory
DataPackets.send_packet
    an IGNORE packet goes before each encrypted one, against an attack on CBC ciphers (RFC 4251 section 9.3.1); no
    CBC cipher is offered here. Wanted: as OpenSSH.
    Test: test_no_ignore_packet_goes_before_each_packet
DataPackets.send_data, _recv_pkthdr
    asyncssh copies each packet of data about ten times on its way through, which costs several times what AES-GCM
    does, and takes a window's growth, of which there is one for every third packet, a way as long. Wanted: that path
    with memoryviews.
    Test: test_what_goes_the_short_way_arrives_as_it_was
DataPackets.connection_made
    what waits for a slow reader is bounded too low to keep a fast one busy. Wanted: options for the marks.
    Test: test_asyncssh_still_keeps_the_state_that_the_short_way_asks_for
DataChannel.write, _flush_send_buf
    data that the window does not take is copied, and sent on packet by packet. Wanted: as for `send_data`.
    Test: test_the_short_way_goes_on_with_new_keys
ServerConnection.create_tcp_channel
    asyncssh makes channels of its own class. Wanted: a factory.
    Test: test_what_goes_the_short_way_arrives_as_it_was
ClientConnection.open_channel, connect
    `asyncssh.connect` and `create_session` make connections and channels of their own classes only. Wanted: factories.
    Test: test_a_connection_of_ours_to_a_target_opens_channels_of_ours
Agreement._send_kexinit
    asyncssh offers the same ciphers to every client, and OpenSSH's would choose one that is slow here. Wanted: a
    callback that knows the client's version.
    Test: test_t17_only_clients_other_than_openssh_are_offered_ctr
Agreement._process_kexinit
    asyncssh takes a client's guess at the key exchange for right when the server's first choice differs, against RFC
    4253 section 7, so that Dropbear's clients cannot connect. Wanted: as OpenSSH.
    Test: test_a_wrong_guess_at_the_key_exchange_is_passed_over
ServerConnection.peer
    inside a jump the peer address is empty. Wanted: an option for it.
    Test: test_the_peer_is_the_clients_socket_and_inside_a_jump_the_outer_ones
ServerConnection.create_server_channel
    asyncssh makes channels of its own class. Wanted: a factory.
    Test: test_a_request_waits_for_its_verdict_and_later_ones_wait_with_it
ServerConnection._cleanup
    nobody but the server object, which may not be there yet, is told that a connection has gone. Wanted: a callback
    of the connection's.
    Test: test_whoever_let_a_connection_in_is_told_what_becomes_of_it
Bounds._recv_pkthdr, _recv_data
    asyncssh has one bound for the length of packets, the same for strangers, takes packets of no length, and takes
    all that has arrived in one step of the loop. Wanted: options for each.
    Test: test_t20_l11_many_packets_in_one_piece_are_taken_in_steps
Bounds._reset_keepalive_timer
    each piece that arrives, on each connection of a jump, takes a timer down and puts one up. Wanted: a timer that
    looks, when it is due, for when something last came.
    Test: test_a_keepalive_is_put_off_now_and_then_not_for_each_piece
Bounds._login_timer_callback
    the peer is not told why its login has ended. Wanted: a disconnect message.
    Test: test_t19_a_login_has_an_end
Bounds.add_channel, remove_channel
    a connection without channels lives for ever. Wanted: a timeout.
    Test: test_a_connection_without_channels_ends_and_one_with_a_channel_does_not
Bounds._process_kexinit
    a peer may ask for new keys without end. Wanted: a bound by bytes and time.
    Test: test_t20_new_keys_without_reason_end_the_connection
Bounds._send_kexinit, _process_newkeys
    a key exchange that the peer does not finish never ends. Wanted: a timeout.
    Test: test_t20_a_key_exchange_that_stalls_ends_the_connection
Bounds.send_packet
    answers to a peer that reads none are kept without bound. Wanted: a bound.
    Test: test_t20_answers_that_are_not_read_end_the_connection
Bounds._send_deferred_packets
    what is sent during a key exchange is kept, and nobody is told. Wanted: `drain()`.
    Test: test_a_key_exchange_that_is_finished_takes_nothing_away
Bounds.pause_writing, resume_writing
    asyncssh ignores the transport's call, so that what a slow reader does not take grows without bound. Wanted:
    `drain()` on a connection.
    Test: test_the_transport_pauses_a_connection_whose_client_does_not_read
Bounds._process_channel_open
    asyncssh bounds neither the number of channels nor how small a packet a peer may ask for, and sends a whole window
    in one step. Wanted: options for both.
    Test: test_t18_channels_of_tiny_packets_and_channels_too_many_are_refused
Bounds._process_channel_open_confirmation
    the same of a channel that we ask for. Wanted: the same.
    Test: test_t18_a_channel_that_takes_tiny_packets_is_not_used
Bounds._process_global_request
    requests queue up without bound while one is decided. Wanted: a bound.
    Test: test_t20_requests_that_wait_have_a_bound
Bounds._process_userauth_banner
    a target may send banners for as long as the login may take. Wanted: a bound.
    Test: test_t20_banners_without_end_end_the_connection
Bounds._cleanup
    a connection that has gone knows its own method still, and keeps its keys and all that it served until a
    collection. Wanted: nothing that is kept.
    Test: test_a_connection_that_has_ended_is_let_go_of
Bounds.internal_error
    asyncssh takes a packet cut short, or text in no known encoding, for an error of its own in places: the peer is
    dropped without a word, and the log has a stack trace. Wanted: ProtocolError everywhere.
    Test: test_a_packet_cut_short_is_the_peers_fault
ChannelBounds._accept_data, _flush_recv_buf
    data that is held back is kept packet by packet, a hundred bytes for each, and handed over in time that grows with
    the square of their number. Wanted: a buffer of bytes.
    Test: test_t18_small_pieces_that_are_held_back_are_joined
ChannelBounds._process_window_adjust
    a window may grow past what RFC 4254 section 5.2 allows. Wanted: a bound.
    Test: test_t18_a_window_has_an_end
ServerChannel._process_exec_request
    asyncssh answers exec, shell, subsystem and environment requests before a coroutine could decide them, and refuses
    commands that are not UTF-8. Wanted: async callbacks with bytes.
    Test: test_a_request_waits_for_its_verdict_and_later_ones_wait_with_it
ServerChannel._process_auth_agent_req_at_openssh_dot_com_request
    nobody is told that agent or X11 forwarding was refused. Wanted: callbacks.
    Test: test_t22_agent_and_x11_are_refused_and_noted
ServerChannel._process_signal_request
    names that are no signals are handed on. Wanted: a check.
    Test: test_a_signal_that_is_none_is_refused
ServerChannel._process_close, close, abort
    asyncssh answers a close at once: an exit status that comes later is lost, as OpenSSH's client with ControlMaster
    closes when output ends. Wanted: a callback that may put the answer off.
    Test: test_t27_a_close_is_answered_when_the_session_says_how_it_ended
ServerChannel._process_eow_at_openssh_dot_com_request, tell_output_unwanted
    asyncssh does not know eow@openssh.com, without which `yes | head -1` never ends. Wanted: a callback and a method.
    Test: test_t27_eow_is_heard_and_can_be_said
Command
    `create_session(command=…)` encodes text only as UTF-8 but passes bytes on; an empty command it takes for a shell.
    Wanted: bytes, and None for none.
    Test: test_l3_an_empty_command_is_asked_for_as_a_command
"""

from bastion.adapters.asyncssh_hooks.channel import (
    ServerChannel,
    is_open,
    takes_requests,
    tell_output_unwanted,
)
from bastion.adapters.asyncssh_hooks.client import ClientConnection, Command, connect
from bastion.adapters.asyncssh_hooks.connection import ServerConnection

__all__ = [
    "ClientConnection",
    "Command",
    "ServerChannel",
    "ServerConnection",
    "connect",
    "is_open",
    "takes_requests",
    "tell_output_unwanted",
]
