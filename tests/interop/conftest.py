"""What the tests of adapters share: a cluster of Dask on this machine."""

import pytest

from tests.packages import package

WORKERS = 2


@pytest.fixture(scope="package")  # idle, too, a cluster keeps processors busy
def client():
    """Return a client of workers that are processes of their own, and of which one may die."""
    package("dask")
    import distributed

    timeout = "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"
    options = {"n_workers": WORKERS, "threads_per_worker": 1, "dashboard_address": ":0"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(timeout, "120s")  # of a busy machine
        with (
            distributed.LocalCluster(**options) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield client
