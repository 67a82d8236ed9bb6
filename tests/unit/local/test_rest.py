"""What the laptop's own commands say when Airflow does not answer."""

import pytest

from local.errors import HouseError
from local.ports import LOOPBACK, free_port
from local.rest import AirflowApi


def test_an_airflow_that_is_gone_is_told_as_such():
    """By the part of the house that has ended where one has, and by the address otherwise; never by a traceback."""
    address = f"http://{LOOPBACK}:{free_port()}"
    with pytest.raises(HouseError, match=rf"Airflow at {address} does not answer(.|\n)*make up"):
        AirflowApi(address, "admin", "secret").request("GET", "/dags")

    def ended():
        raise HouseError("postgres ended unexpectedly", "Read its log.")

    with pytest.raises(HouseError, match="postgres ended unexpectedly"):
        AirflowApi(address, "admin", "secret", ended).request("GET", "/dags")
