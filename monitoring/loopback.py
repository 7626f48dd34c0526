"""Who is on this machine: the names of loopback, and the Host header that a request to it carries.

Why it exists: a web page from elsewhere can make its own name mean 127.0.0.1 and ask our servers through a browser (DNS
rebinding). Its requests carry that name, so a server on loopback answers only those that name a loopback host.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Say whether a name or address is this machine's loopback, whatever any name server says."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def names_loopback(header: str) -> bool:
    """Say whether a Host header, with or without a port, names a loopback host."""
    try:
        return is_loopback(urlsplit(f"//{header}").hostname or "")
    except ValueError:
        return False
