"""What can be said about generated code before anybody uses it.

The order is fixed, and the first finding is the verdict:

1. `parsing`: the code is Python at all, else `error`;
2. `names`: every name that it reads is bound somewhere, else `error`;
3. with tests, and only with tests, it runs (`trial`), and what was seen decides (`verdicts`):
   `pass`, `wrong` (an assertion of the tests failed), `error` (anything was raised), `timeout`,
   `memory`, `output limit`, `crash`, `protocol violation`, or `not checked` when no assertion
   was reached;
4. without tests `parsed`: nothing more could be said.

Other languages, and a check that was switched off, are `not checked`, with the reason.
"""

from assistant.checks.judge import CheckResult, check, check_many
from assistant.checks.names import Undefined, undefined_names
from assistant.checks.parsing import ParseError, parse_error
from assistant.checks.testfile import TestFile, read_tests
from assistant.checks.trial import Limits
from assistant.checks.verdicts import UNSANDBOXED, run_tests

__all__ = [
    "UNSANDBOXED",
    "CheckResult",
    "Limits",
    "ParseError",
    "TestFile",
    "Undefined",
    "check",
    "check_many",
    "parse_error",
    "read_tests",
    "run_tests",
    "undefined_names",
]
