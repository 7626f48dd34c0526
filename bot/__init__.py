"""The process and the hat command: clocks, sockets, files and the environment meet the machine here."""
