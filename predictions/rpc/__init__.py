"""The Open Inference Protocol over gRPC, an extra: nothing but `mlsite.rpc` may load these modules."""
