"""The annotation page: people see two faces play two sequences of one line, and choose the better one."""
