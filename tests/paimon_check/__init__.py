"""Independent reader and verifier of Apache Paimon tables (on-disk format of Paimon 1.3.1).

Written from the public Paimon sources (tag release-1.3.1);
it shares no code with the engine under test. Modules:

    types     type strings, values, casts of schema evolution, text forms
    binrow    BinaryRow (bit-exact), Murmur hash, buckets
    roaring   roaring bitmaps and deletion-vector files
    table     folders, schemas, snapshots, manifests, the live files of a snapshot
    datafile  rows of Parquet, ORC and Avro data files
    merge     merge engines
    reader    batch reads and changelogs
    stats     column statistics as a writer must record them
    verify    the checks
    cli       the command line
"""
