"""A token that a client sends, and never shows."""

import requests

from tf_ctr.errors import explain


class Bearer(requests.auth.AuthBase):
    """Adds the header `authorization` to calls, if there is a token.

    As the authentication of a session of `requests`, it also keeps names and passwords
    of a `.netrc` from being sent. Its `repr` does not have the token.

    Args:
        token: The token; `None` sends nothing.

    Raises:
        ValueError: For an empty token, or one that no header can hold.

    Example:

    >>> repr(Bearer("secret"))
    'Bearer(...)'
    >>> Bearer("secret").headers()
    [('authorization', 'Bearer secret')]
    """

    def __init__(self, token: str | None):
        if token is not None and not (
            token.isascii() and token.isprintable() and token
        ):
            raise ValueError(
                explain(
                    "`token` as printable ASCII text",
                    f"{len(token)} characters, not all of them printable ASCII",
                    "pass it without a newline, e.g. token=text.strip()",
                )
            )
        self._token = token

    def __repr__(self) -> str:
        return "Bearer(...)"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Returns the request of `requests`, with the header."""
        request.headers.update(self.headers())
        return request

    def headers(self) -> list[tuple[str, str]]:
        """Returns the header as a list of none or one; also metadata of gRPC."""
        return (
            [] if self._token is None else [("authorization", f"Bearer {self._token}")]
        )
