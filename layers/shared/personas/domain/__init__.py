"""Rules without I/O: nothing in here knows AWS, HTTP or the clock on the wall."""
