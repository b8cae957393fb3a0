"""Runs a test module of the dialect's SDK for Python, as it was published, against another host.

    PYTHONPATH=<the unpacked sdist> API_KEY=… BASE_URI=http://… python run_python_suite.py <test file>

Prints how it went as one line of JSON.
"""

import importlib.util
import json
import os
import sys
import unittest

from apivideo import auth_api_client


def main(path: str) -> None:
    # the SDK knows two hosts by name and takes no other
    auth_api_client.HOST_ENVIRONMENT["production"] = os.environ["BASE_URI"]
    spec = importlib.util.spec_from_file_location("suite", path)
    assert spec
    assert spec.loader
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    result = unittest.TextTestRunner(stream=sys.stderr).run(unittest.defaultTestLoader.loadTestsFromModule(suite))
    failed = {str(test): text for test, text in [*result.errors, *result.failures]}
    print(json.dumps({"run": result.testsRun, "skipped": len(result.skipped), "failed": failed}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
