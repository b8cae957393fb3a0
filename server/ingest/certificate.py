"""The certificate of RTMPS, and its renewal under a running server."""

import ssl
from pathlib import Path

from server import log
from server.config import ConfigError, RtmpConfig
from server.errors import in_words

_log = log.get("rtmp")


class Certificate:
    """A TLS context whose certificate can be exchanged: connections made from then on get the new one."""

    def __init__(self, config: RtmpConfig) -> None:
        """Raises ConfigError."""
        self._config = config
        self.context = _loaded(config)

    def reload(self) -> bool:
        """Reads the files again. Where they can't be used, says so and keeps what it has; False then."""
        try:
            _loaded(self._config)  # an exchange that fails half way would leave a context without its key
            _load(self.context, self._config)
        except ConfigError as error:
            _log.error("the certificate is kept: the new one can't be used", reason=str(error))
            return False
        _log.info("certificate reloaded", path=str(self._config.certificate))
        return True


def _loaded(config: RtmpConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(context, config)
    return context


def _load(context: ssl.SSLContext, config: RtmpConfig) -> None:
    for name, path in (("certificate", config.certificate), ("key", config.key)):
        _readable(name, path)  # what `load_cert_chain` says does not tell which of them
    try:
        # an empty password for a key that needs one, which would be asked for on the terminal otherwise
        context.load_cert_chain(str(config.certificate), config.key, password=lambda: "")
    except OSError:  # ssl.SSLError is one, and says "PEM lib" to everything
        raise ConfigError(
            f"rtmp.certificate: {config.certificate} can't be used: it and rtmp.key are no PEM certificate and its key"
        ) from None


def _readable(name: str, path: Path | None) -> None:
    if path is None:
        return  # a key may lie in the file of the certificate
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ConfigError(f"rtmp.{name}: {path} can't be used: {in_words(error)}") from None
