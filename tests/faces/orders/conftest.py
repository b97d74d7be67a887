"""A merchant's server, as it calls the orders interface over HTTP."""

import json

import pytest


@pytest.fixture
def headers(demo):
    return {
        "x-client-id": demo.orders_client_id,
        "x-client-secret": demo.orders_client_secret,
        "content-type": "application/json",
    }


@pytest.fixture
def ask(client, headers):
    async def send(path, said=None, **more):
        content = None if said is None else json.dumps(said).encode()
        method = "GET" if said is None else "POST"
        return await client.request(method, path, headers=headers | more, content=content)

    return send
