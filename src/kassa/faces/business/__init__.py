"""The business face (seed 000): GetPayment and ListPayments over gRPC and REST."""
