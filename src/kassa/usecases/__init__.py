"""The verbs: every rule about who may do what to a payment, and every transaction."""
