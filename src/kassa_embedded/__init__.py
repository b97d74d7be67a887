"""The private PostgreSQL, and the supervisor that keeps it and the processes beside it running.

It knows nothing of payments: whatever is started here is a program with arguments.
"""
