"""What integration and end-to-end tests use: a real server process, real publishers, real media."""
