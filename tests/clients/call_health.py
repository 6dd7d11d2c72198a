"""Ask a server for its health through gRPC's own clients; prints what came back. Runs in the clients' environment."""

import json
import sys

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from tritonclient.grpc import service_pb2, service_pb2_grpc

SERVICES = ("", "inference.GRPCInferenceService", "tiny", "kept", "size", "nope")


def status(answer):
    return HealthCheckResponse.ServingStatus.Name(answer.status)


def checked(client, service):
    try:
        return status(client.Check(HealthCheckRequest(service=service), timeout=20))
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


def watched(client, service):
    call = client.Watch(HealthCheckRequest(service=service), timeout=20)
    found = status(next(call))
    call.cancel()
    return found


def sent(address, token, service):
    """Return how a call ends on a channel that asks for the health of a service before it sends anything."""
    config = {"healthCheckConfig": {"serviceName": service}, "loadBalancingConfig": [{"round_robin": {}}]}
    with grpc.insecure_channel(address, [("grpc.service_config", json.dumps(config))]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            metadata = [("authorization", f"Bearer {token}")]
            stub.ModelReady(service_pb2.ModelReadyRequest(name="tiny"), metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def main():
    address, token = sys.argv[1], sys.argv[2]
    with grpc.insecure_channel(address) as channel:
        client = HealthStub(channel)
        print(
            json.dumps(
                {
                    "checked": {service: checked(client, service) for service in SERVICES},
                    "watched": {service: watched(client, service) for service in SERVICES},
                    "channels": {service: sent(address, token, service) for service in ("tiny", "nope")},
                }
            )
        )


main()
