"""The error for an address that cannot be listened on, whoever finds out."""

from encode.errors import AddressInUse
from verify.settings import how_to_set


def cannot_listen(where: str, setting: str) -> AddressInUse:
    """`where` as the message names it, such as ``127.0.0.1:50051``; `setting` gives the port."""
    return AddressInUse(
        f"cannot listen {where}: it is taken, not this machine's, or not permitted",
        field=setting,
        fix=f"stop what listens there, or {how_to_set(setting)}",
    )
