"""What the tests of adapters share: a cluster of Dask on this machine."""

import os

import pytest

from tests.packages import package

WORKERS = 2


@pytest.fixture(scope="session")
def client():
    """Return a client of workers that are processes of their own, and of which one may die."""
    package("dask")
    import distributed

    os.environ["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "120s"  # of a busy machine
    options = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client
