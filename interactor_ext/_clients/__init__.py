"""The clients, put together from views and features; and those that a process shares."""
