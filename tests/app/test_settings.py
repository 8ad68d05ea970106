"""Settings come from the environment, and a wrong one is named."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import PREFIX, Settings, SettingsError

VARIABLES = [PREFIX + name.upper() for name in Settings.model_fields]


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.read({"HOME": "/root", "PAPER_PORT": "1"})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.version) == ("127.0.0.1", 8000, "latest")
    assert settings.threads >= 1


def test_each_variable_sets_its_field() -> None:
    given = {"PAPERS_PORT": "9000", "PAPERS_ARTEFACTS": "/srv/a", "PAPERS_OPEN_HEALTH": "false"}
    settings = Settings.read(given | {"PAPERS_CORS_ORIGINS": "https://a.example, https://b.example"})
    assert (settings.port, settings.artefacts, settings.open_health) == (9000, Path("/srv/a"), False)
    assert settings.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PAPERS_PORT", "http"), ("PAPERS_PORT", "65536"), ("PAPERS_THREADS", "0"), ("PAPERS_LOG_LEVEL", "loud"),
        ("PAPERS_REQUEST_TIMEOUT_S", "nan"), ("PAPERS_REQUEST_TIMEOUT_S", "inf"), ("PAPERS_MAX_QUEUE", "-1"),
        ("PAPERS_DRAIN_NOTICE_S", "-0.1"), ("PAPERS_OPEN_HEALTH", "perhaps"), ("PAPERS_VERSION", ""),
        ("PAPERS_MODEL", ""), ("PAPERS_MANIFEST_SHA256", "A1"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} is '{value}'"):
        Settings.read({variable: value})


@pytest.mark.parametrize(
    "origin",
    [
        "https://library.example/", "https://library.example/app", "library.example", "//library.example", "*.example",
        "https://", "ftp://library.example", "https://user@library.example", "https://library.example?a", "null",
        "https://Library.example", "https://library.example:443", "http://library.example:80",
    ],
)  # fmt: skip
def test_an_origin_that_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"PAPERS_CORS_ORIGINS is .*: (an origin is|browsers send)"):
        Settings.read({"PAPERS_CORS_ORIGINS": f"https://fine.example,{origin}"})


def test_origins_may_have_a_port_and_an_ipv6_address() -> None:
    given = "http://localhost:5173, https://library.example:8443, http://[::1]:3000"
    assert len(Settings.read({"PAPERS_CORS_ORIGINS": given}).cors_origins) == 3
    assert Settings.read({"PAPERS_CORS_ORIGINS": "*"}).cors_origins == ("*",)
    # The default ports of the other scheme each.
    assert len(Settings.read({"PAPERS_CORS_ORIGINS": "http://a.example:443,https://a.example:80"}).cors_origins) == 2


@pytest.mark.parametrize("host", ["http://papers.example", "papers.example:8000", "papers.example/", "a b", "*", "a.*"])
def test_an_allowed_host_is_a_name_alone(host: str) -> None:
    with pytest.raises(SettingsError, match=r"PAPERS_ALLOWED_HOSTS is .*: expected host names without scheme and port"):
        Settings.read({"PAPERS_ALLOWED_HOSTS": host})
    assert len(Settings.read({"PAPERS_ALLOWED_HOSTS": "papers.example, *.example.org, [::1]"}).allowed_hosts) == 3


@pytest.mark.parametrize(
    ("given", "path"), [("/papers", "/papers"), ("/papers/", "/papers"), ("/", ""), ("/a/b", "/a/b")]
)
def test_a_root_path_begins_with_a_slash_and_ends_without_one(given: str, path: str) -> None:
    assert Settings.read({"PAPERS_ROOT_PATH": given}).root_path == path


@pytest.mark.parametrize("path", ["papers", "//papers", "/a b", "/a?b", "https://papers.example/a"])
def test_another_root_path_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match=r"PAPERS_ROOT_PATH is .*: expected a path that begins with a slash"):
        Settings.read({"PAPERS_ROOT_PATH": path})


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True),
        ("203.0.113.1", False), ("::", False), ("192.0.2.7", False), ("papers.example", False),
    ],
)  # fmt: skip
def test_a_loopback_address_is_local(host: str, local: bool) -> None:
    assert Settings(host=host).is_local is local


def test_a_queue_smaller_than_one_batch_is_refused() -> None:
    with pytest.raises(SettingsError, match="PAPERS_MAX_PAPERS is 300, expected at most PAPERS_MAX_QUEUE"):
        Settings.read({"PAPERS_MAX_PAPERS": "300"})


def test_the_room_for_a_full_batch_is_made_by_the_engine() -> None:
    assert Settings.read({"PAPERS_MAX_PAPERS": "200"}).max_papers == 200


def test_health_windows_out_of_order_are_refused() -> None:
    with pytest.raises(SettingsError, match="PAPERS_READY_WINDOW_S"):
        Settings.read({"PAPERS_READY_WINDOW_S": "1"})


@given(st.text(st.characters(codec="ascii", categories=["Lu", "Nd"], include_characters="_"), max_size=20))
def test_an_unknown_variable_is_named(name: str) -> None:
    if PREFIX + name not in VARIABLES:
        with pytest.raises(SettingsError, match=f"{PREFIX}{name} is not a setting"):
            Settings.read({PREFIX + name: "1"})


@given(st.sampled_from(VARIABLES), st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_any_value_is_taken_or_refused_with_a_sentence(variable: str, value: str) -> None:
    with contextlib.suppress(SettingsError):
        Settings.read({variable: value})


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]
