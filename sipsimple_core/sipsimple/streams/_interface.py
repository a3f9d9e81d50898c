"""IMediaStream: what a session asks of a stream (STR-004, STR-006..036)."""

# mypy: disable-error-code="no-untyped-def"

from zope.interface import Attribute, Interface

__all__ = ["IMediaStream"]


class IMediaStream(Interface):
    """A stream of media (audio, chat, a file transfer) within a session.

    The session does the signalling; the stream describes itself in SDP and carries the media. The session
    calls `initialize` on it when it is offered or proposed, `start` when both parties agreed on it, and at
    the end `deactivate` and `end`. None of these blocks: the stream says how it went with the notifications
    MediaStreamDidInitialize, MediaStreamDidStart, MediaStreamDidFail, MediaStreamWillEnd and
    MediaStreamDidEnd, which each stream must post (STR-031). All methods are called in the reactor's thread.

    A stream that can play early media (RFC 3960: the ring-back tone or announcement of whom we call, before the call
    is accepted) has one more method, `start_early(local_sdp, remote_sdp, stream_index)`. It is called between
    `MediaStreamDidInitialize` and `start`, each time such media is described; the last description is the one that
    counts, and `start` may bring another. Nothing is posted for it, and nothing fails by it.

    The class is instantiated as `cls(account)` (STR-006).

    A class may have these attributes too, for what its streams need that others do not:

    - `offers_itself` False: it is not offered to who calls without an offer (RFC 3261 13.2.1), as it has to be told
      something first;
    - `waits_for_acceptance` True: a stream that the remote party offers is initialized not when it is offered (STR-010)
      but when it is accepted, as the application decides something first; one that is refused touches nothing;
    - `initialize_timeout`: seconds from `initialize` to MediaStreamDidInitialize, where 20 are not enough.
    """

    type = Attribute("""Class attribute: a str that names the kind of stream, e.g. 'audio' or 'chat' (STR-026).""")

    priority = Attribute(
        """Class attribute: an int. Classes of higher priority are asked first about a received media line,
        and their streams come first (STR-027)."""
    )

    hold_supported = Attribute("""Whether `hold` and `unhold` do anything (STR-028).""")

    on_hold_by_local = Attribute("""Whether the local party holds the stream (STR-029).""")

    on_hold_by_remote = Attribute("""Whether the remote party holds the stream (STR-029).""")

    on_hold = Attribute("""Whether either party holds the stream (STR-030).""")

    def __init__(account):
        """Make a stream of `account` (an Account or BonjourAccount), which is not part of a session yet
        (STR-006)."""

    def new_from_sdp(account, remote_sdp, stream_index):
        """Class method: a new stream for the media line `remote_sdp.media[stream_index]`, or None if it is
        not for this class (STR-007).

        `account` is the session's account, `remote_sdp` the received FrozenSDPSession and `stream_index` an
        int (STR-008). It is called for each media line that is offered, so it looks only at what it needs,
        and never raises because of what a peer sent.
        """

    def get_local_media(for_offer, remote_sdp=None, stream_index=0):
        """The SDPMediaStream that describes this end (STR-009): an offer if `for_offer` is true, otherwise
        the answer to the media line `remote_sdp.media[stream_index]`.

        It is called between MediaStreamDidInitialize and `end`, any number of times.
        """

    def initialize(session, direction):
        """Get ready: called as soon as the stream is at least offered as part of `session` (STR-010).

        `direction` is 'incoming' if the stream came with a received proposal and 'outgoing' if it is proposed
        by this side, whichever direction the session has (STR-012). Once it can answer `get_local_media` the
        stream posts MediaStreamDidInitialize, or MediaStreamDidFail if it never will (STR-011, STR-032).
        """

    def start(local_sdp, remote_sdp, stream_index):
        """Start the media: called once, when the stream is known to be used; one that was received is started
        only if the local party accepts it (STR-013).

        The two FrozenSDPSessions are what was agreed on, `stream_index` the place of the stream in their
        media (STR-015). The stream posts MediaStreamDidStart when media can flow, otherwise
        MediaStreamDidFail (STR-014, STR-033).
        """

    def validate_update(remote_sdp, stream_index):
        """Whether the stream can go on with the media line that a re-INVITE proposes for it (STR-016).

        One False among the changed streams refuses the whole re-INVITE (STR-017). Nothing is changed here:
        the update may never happen, even after True (STR-018).
        """

    def update(local_sdp, remote_sdp, stream_index):
        """Adopt the SDP of a negotiation that succeeded, whoever began it (STR-015, STR-019)."""

    def hold():
        """Stop sending and receiving at once, and describe the stream as held from now on (STR-020)."""

    def unhold():
        """Take the stream off hold, also in what `get_local_media` returns (STR-021)."""

    def deactivate():
        """Expect the end: the stream is about to be removed from the session or ended with it (STR-022).

        No action is taken, but when the other end closes its transport from now on that is no error.
        """

    def end():
        """Close the transport (STR-023). Called in every case, and once, if `initialize` was called, also
        after MediaStreamDidFail (STR-025).

        Posts MediaStreamWillEnd at once (STR-035) and MediaStreamDidEnd when everything is closed (STR-024,
        STR-036), within bounded time and whatever state the stream is in.
        """
