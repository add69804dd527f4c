"""Everything that touches a socket, a disk, a process or a foreign library."""
