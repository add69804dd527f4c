"""A certificate authority for one benchmark."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """Files in a folder: the authority's own certificate, and one for this machine with its key."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        authority = trustme.CA()
        server = authority.issue_cert("localhost", "127.0.0.1")
        authority.cert_pem.write_to_path(self.ca)
        server.cert_chain_pems[0].write_to_path(self.cert)
        server.private_key_pem.write_to_path(self.key)
