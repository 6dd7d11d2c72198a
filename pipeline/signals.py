"""What happened here, for whoever wants to be told; sent after the commit."""

from django.dispatch import Signal

run_queued = Signal()
"""A run waits for a worker. Arguments: run_id (UUID), kind (str)."""

alert_raised = Signal()
"""An alert was opened. Arguments: alert_id (int)."""
