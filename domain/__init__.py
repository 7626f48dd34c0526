"""Words, tables and integer arithmetic: the floor everything else stands on.

Nothing here waits, reads or remembers. Importing this package touches no clock, file, socket or thread.
"""
