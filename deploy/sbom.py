"""Write a CycloneDX list of the Debian and Python packages of the image in which this runs to standard output."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote


def debian_packages() -> Iterator[tuple[str, str, str]]:
    """Names, versions and package URLs of the packages that dpkg installed."""
    system = platform.freedesktop_os_release()
    listing = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n"]
    installed = subprocess.run(listing, check=True, capture_output=True, text=True).stdout  # noqa: S603
    for line in installed.splitlines():
        name, version, architecture = line.split()
        release = f"arch={architecture}&distro={system['ID']}-{system['VERSION_ID']}"
        yield name, version, f"pkg:deb/{system['ID']}/{quote(name, '')}@{quote(version, '')}?{release}"


def python_packages() -> Iterator[tuple[str, str, str]]:
    """Names, versions and package URLs of the packages that this interpreter imports."""
    for package in importlib.metadata.distributions():
        name = package.name.lower().replace("_", "-")
        yield package.name, package.version, f"pkg:pypi/{name}@{quote(package.version, '')}"


if __name__ == "__main__":
    components = [
        {"type": "library", "name": name, "version": version, "purl": url, "bom-ref": url}
        for name, version, url in sorted({*debian_packages(), *python_packages()})
    ]
    json.dump({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}, sys.stdout)
