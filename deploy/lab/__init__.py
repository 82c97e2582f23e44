"""What the demo, the integration tests and the benchmarks share: a private MariaDB, a cluster of Leat's programs, and
reading Paimon tables with pypaimon (none of Leat's code)."""
