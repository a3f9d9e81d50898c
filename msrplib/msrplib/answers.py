"""The octets of responses and reports (RFC 4975 7.1.2, 7.2)."""

from __future__ import annotations

from msrplib.identifiers import new_transaction_id
from msrplib.protocol import REASONS, ByteRange, MSRPData, Status

__all__ = ["encode_report", "encode_response", "is_response_wanted"]


def is_response_wanted(chunk: MSRPData, code: int) -> bool:
    """RFC 4975 7.2: none to a REPORT; none to a SEND with Failure-Report: no; with partial, none that says
    200."""
    if chunk.method == "SEND":
        failure_report = chunk.headers.get("Failure-Report")
        return failure_report != "no" and (failure_report != "partial" or code != 200)
    return chunk.method != "REPORT"


def encode_response(chunk: MSRPData, code: int, comment: str | None, local_uri: str) -> bytes:
    """A response.

    :param comment: the usual one of the code when None
    :param local_uri: the URI that the request came to
    """
    if comment is None:
        comment = REASONS.get(code, "")
    transaction_id = chunk.transaction_id
    # RFC 4975 7.2: a response to a SEND goes one hop back, to the first URI of its From-Path; any other goes
    # all the way.
    to_path = chunk.headers.get("From-Path", "")
    if chunk.method == "SEND":
        to_path = to_path.partition(" ")[0]
    return (
        f"MSRP {transaction_id} {code} {comment}\r\nTo-Path: {to_path}\r\nFrom-Path: {local_uri}\r\n"
        f"-------{transaction_id}$\r\n"
    ).encode()


def encode_report(chunk: MSRPData, message_id: str, byte_range: ByteRange, status: Status, local_uri: str) -> bytes:
    """A REPORT on a message of which `chunk` is a SEND."""
    transaction_id = new_transaction_id()
    # RFC 4975 7.1.2: the whole From-Path of the SEND becomes the To-Path.
    return (
        f"MSRP {transaction_id} REPORT\r\nTo-Path: {chunk.headers.get('From-Path', '')}\r\n"
        f"From-Path: {local_uri}\r\nMessage-ID: {message_id}\r\nByte-Range: {byte_range}\r\n"
        f"Status: {status}\r\n-------{transaction_id}$\r\n"
    ).encode()
