"""The protocol on the wire, as values: bytes in, messages out. Pure: no I/O, no clock."""
