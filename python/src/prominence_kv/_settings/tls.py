"""Certificates, set up only for `https`, and why one is not accepted."""

from __future__ import annotations

import ssl

from ..errors import SettingsError
from .resolve import Certificates


def context(certificates: Certificates) -> ssl.SSLContext:
    """TLS that trusts the authorities of a file, or those of this machine (`SSL_CERT_FILE` and `SSL_CERT_DIR`)."""
    if not certificates.verified:
        unverified = ssl.create_default_context()
        unverified.check_hostname = False
        unverified.verify_mode = ssl.CERT_NONE
        return unverified
    if certificates.file is None:
        return ssl.create_default_context()
    try:
        # With a file, the authorities of this machine do not count, as with curl's --cacert.
        made = ssl.create_default_context(cafile=certificates.file)
    except (OSError, ssl.SSLError) as error:
        # The reason of OpenSSL for a file without certificates is a name from its source code.
        reason = (
            "it has no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
            if isinstance(error, ssl.SSLError)
            else error.strerror or str(error)
        )
        raise SettingsError(
            f"the file of certificate authorities {certificates.file} can't be used: {reason}; name a file in PEM "
            "form with ca_file or PROMINENCE_CA_FILE"
        ) from None
    # A certificate of the file is trusted although another authority has signed it, as rustls and curl do.
    made.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", ssl.VERIFY_DEFAULT)
    # Python 3.13 and later are stricter than earlier ones with authorities that sites have made themselves.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


def explain(error: ssl.SSLError) -> str:
    """Why TLS failed, and the next step."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or str(error)
        return (
            f"the server's certificate is not accepted: {why}; pass the authority that has signed it with ca_file or "
            "PROMINENCE_CA_FILE, or see docs/connecting.md"
        )
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "the server does not speak TLS on this port; write http:// instead of https:// if it speaks plain HTTP"
    return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}; ask the server's operator"
