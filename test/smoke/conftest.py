"""Fixtures of the smoke tests; what they are made of stands in lab.py."""
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import lab as lab_module  # noqa: E402


def pytest_sessionstart(session):
    for program in (lab_module.POSTERND, lab_module.POSTERNCTL):
        if not program.exists():
            pytest.exit(f"{program} is missing: build it first (test/run does)", returncode=2)
    lab_module.reclaim()


@pytest.fixture(scope="module")
def module_labs():
    """Lab() whose daemons are judged when the tests of a file are done."""
    labs = []

    def make(*ports, **more):
        labs.append(lab_module.Lab(*ports, **more))
        return labs[-1]
    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def make_lab():
    """Lab() for one test."""
    labs = []

    def make(*ports, **more):
        labs.append(lab_module.Lab(*ports, **more))
        return labs[-1]
    yield make
    for lab in labs:
        lab.close()
