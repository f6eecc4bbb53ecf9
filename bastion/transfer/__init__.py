"""Watch file transfers pass through the bastion, unaltered, and say what each byte was before it goes on.

In      the bytes of one sftp, `scp -t`/`scp -f`, rsync or git channel, from both sides, in the order they arrived
Out     Tapped: the bytes to pass on, and the events to record before they are
Errors  TransferError: the stream is malformed or past a bound; the session ends

| file           | what it knows                                                        |
|----------------|----------------------------------------------------------------------|
| tap.py         | the shape of every tap: Tap, Tapped, TapEvent                        |
| flow.py        | one file's bytes in one direction: length, running SHA-256, extents  |
| look.py        | what a file's content is: clean, a hit, unread, stopped              |
| sftp.py        | SFTP version 3: requests, answers, handles                           |
| sftp_wire.py   | SFTP packets: cutting a stream into them, reading their fields       |
| sftp_request.py| what each kind of request asks for                                   |
| sftp_handle.py | one handle from OPEN to CLOSE                                        |
| sftp_reads.py  | what is read of one file, held until it is decided                   |
| sftp_looking.py| the same for all files of a channel, and the reads that are our own  |
| scp.py         | the scp protocol that `scp -O` speaks: records, answers, payload     |
| scp_record.py  | one line of it                                                       |
| scp_content.py | what an scp stream has of one file, held until it is decided         |
| scp_place.py   | which path on the target a line means                                |
| scp_command.py | which commands are an scp server and nothing else                    |
| stream.py      | rsync and git streams: length and running SHA-256 of each direction  |
| stream_command.py | which commands are an rsync or git server and nothing else        |
| shell_words.py | the words of a command that every shell reads alike                  |
| operation.py   | what each of these does, as facts that a policy judges               |
| errors.py      | TransferError, OperationDenied                                       |

The FILE events of a tap, by `op`; every path is text, bytes that are not UTF-8 shown as `\\xNN`:

- `open`      path, flags (sftp) or direction, mode and size (scp), status
- `progress`  path, direction, offset of the piece, length and sha256 of all so far; one per piece passed on
- `close`     path, direction, offset of the first byte, length, sha256, sequential, complete, status; if not
              sequential also extents ([offset, length] in the order passed) and perhaps extents_truncated;
              `failed` counts refused reads or writes, `eof` says that the target reported the file's end,
              `size` is what scp announced
              `content` is clean, hit (something was found that may pass), unread (with why: nothing was looked
              for, or it could not be read) or stopped (with the detector and the offset of what stopped it)
- `stop`      path, direction, reason, detector and offset: from here on nothing of the file went to the client
- `list`      path, status: a directory was read
- `remove`, `rename`, `posix-rename`, `mkdir`, `rmdir`, `symlink`, `hardlink`, `copy-data`: path, `to` where
  there are two, status
- `setstat`, `fsetstat`, `lsetstat`: path, what was set (mode, size, uid, gid, atime, mtime), status
- `extended`  name, status: any other extension

The DIGEST events of rsync and git: `of` (which server), `stream` (input, output), length and sha256 of all so
far; one per piece passed on, and one with `ended` for each direction in which anything passed.

`status` is `ok`, `denied` by the policy, what the target answered (`no-such-file`, …), `unanswered`, or
`not-closed` for a file that was still open when the channel ended. `complete` says that it was closed with `ok`
and no read or write of it was refused or left unanswered; `sha256` is of the bytes in the order they passed, of
refused ones too.

`path` and `to` of a symlink stand as on the wire: OpenSSH sends first what the link says and then the link's
own name, the other way round than the draft. Where only the target knows whether scp's argument is a
directory, `path` takes it for one and `or_path` does not.
"""

from bastion.transfer.errors import OperationDenied, TransferError
from bastion.transfer.look import Inspection
from bastion.transfer.scp import ScpTap
from bastion.transfer.scp_command import ScpCommand, parse_scp_command
from bastion.transfer.sftp import SftpTap
from bastion.transfer.stream import StreamTap
from bastion.transfer.stream_command import StreamCommand, parse_stream_command
from bastion.transfer.tap import Judge, Judged, Side, Tap, TapEvent, Tapped, Wait

__all__ = [
    "Inspection",
    "Judge",
    "Judged",
    "OperationDenied",
    "ScpCommand",
    "ScpTap",
    "SftpTap",
    "Side",
    "StreamCommand",
    "StreamTap",
    "Tap",
    "TapEvent",
    "Tapped",
    "TransferError",
    "Wait",
    "parse_scp_command",
    "parse_stream_command",
]
