"""CodePlanner: a task as ordered, checked steps over files."""
