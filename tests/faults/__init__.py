"""The real programs with MariaDB and S3 under faults: drawn from a seed (world.py), and one kind at a time."""
