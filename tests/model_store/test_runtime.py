"""Nothing but log lines on standard error."""

import os
import subprocess
import sys

import pytest

from model_store.runtime import without_standard_error


def test_native_code_is_silenced_only_within_the_block(capfd: pytest.CaptureFixture[str]) -> None:
    with without_standard_error():
        os.write(2, b"a warning of the library\n")
    os.write(2, b"our own line\n")
    assert capfd.readouterr().err == "our own line\n"


def test_a_closed_standard_error_does_not_stop_the_import() -> None:
    program = "import os; os.close(2); import model_store.graph; print('imported')"
    ran = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert ran.stdout == "imported\n"


@pytest.mark.parametrize(("given", "expected"), [(None, "false"), ("true", "true")])
def test_the_tokenizer_starts_no_threads_unless_asked(given: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    environment |= {"TOKENIZERS_PARALLELISM": given} if given else {}
    program = "import model_store.papers, os; print(os.environ['TOKENIZERS_PARALLELISM'])"
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == expected
