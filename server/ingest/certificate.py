"""The certificate of RTMPS, and its renewal under a running server."""

import ssl

from server import log
from server.config import ConfigError, RtmpConfig

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
    try:
        # an empty password for a key that needs one, which would be asked for on the terminal otherwise
        context.load_cert_chain(str(config.certificate), config.key, password=lambda: "")
    except OSError as error:  # ssl.SSLError is one, and says little
        raise ConfigError(f"rtmp.certificate: {config.certificate} can't be used ({error})") from None
