"""A reader of server-sent events as the HTML Standard describes it, which shares no code with ours."""

import re


def read_by_the_standard(stream: bytes) -> list[bytes]:
    """The data of every event that a reader dispatches (HTML Standard, section 9.2.6)."""
    dispatched, data = [], None
    *lines, _unterminated = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in lines:
        field, _, value = line.partition(b":")
        if not line:
            if data is not None:
                dispatched.append(b"\n".join(data))
            data = None
        elif field == b"data":
            data = [*(data or []), value[1:] if value[:1] == b" " else value]
    return dispatched
