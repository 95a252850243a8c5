"""The HTTP gateway: runs, their events and approvals for others than the user of this machine."""
