# ruff: noqa: E501, B905, PLC0207
"""Inputs to begin with, made of what other tests read: python3 tests/fuzz/seeds.py FOLDER.

What they grew into, minimised, is in corpus/; this is for a fuzzer whose input format changes. The messages of `cluster`
and the configurations and states of `operators` were recorded from runs once and are in the corpus alone.
"""

import io
import json
import struct
import sys
from decimal import Decimal
from pathlib import Path

import fastavro
import pyarrow
import pyarrow.parquet

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"

EVENTS_A_STREAM = 24
EVENT_BYTES_MAX = 2048


def block(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def without_codec(data: bytes) -> bytes:
    """An Avro file whose records are not compressed: changes of its bytes are changes of its records."""
    reader = fastavro.reader(io.BytesIO(data))
    records = list(reader)
    out = io.BytesIO()
    assert reader.writer_schema is not None
    fastavro.writer(out, reader.writer_schema, records, codec="null", sync_marker=b"0123456789abcdef")
    return out.getvalue()


def table(folder: Path, snapshots_max: int = 2) -> bytes:
    """A table as fuzz_table takes it: the newest snapshots, and what they name."""
    snapshots = sorted(folder.glob("snapshot/snapshot-*"), key=lambda path: int(path.name.split("-")[1]))
    texts = [path.read_text() for path in snapshots[-snapshots_max:]]
    out = b""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        kind = name.split("/")[0]
        if path.is_dir() or kind not in ("schema", "snapshot", "manifest", "index"):
            continue
        content = path.read_bytes()
        if kind == "snapshot" and path in snapshots[:-snapshots_max]:
            continue
        if kind == "manifest":
            if "-list-" in name and not any(path.name in text for text in texts):
                continue
            content = without_codec(content)
        out += block(name.encode()) + block(content)
    return out


def seeds_table() -> dict[str, bytes]:
    folders = [path.parent for path in DATA.glob("paimon/**/snapshot")]
    return {folder.name: table(folder) for folder in folders}


def seeds_avro() -> dict[str, bytes]:
    files = [path for path in DATA.glob("paimon/*/*/manifest/*") if path.is_file()][:20]
    both = {}
    for i, path in enumerate(files):
        both[f"{i}-null"] = without_codec(path.read_bytes())
        both[f"{i}-zstd"] = path.read_bytes()
    return both


def seeds_paimon() -> dict[str, bytes]:
    made = {}
    for i, path in enumerate(DATA.glob("paimon/*/*/schema/*")):
        made[f"schema-{i}"] = b"\0" + path.read_bytes()
    for i, path in enumerate(DATA.glob("paimon/*/*/snapshot/snapshot-*")):
        made[f"snapshot-{i}"] = b"\1" + path.read_bytes()
    made["row"] = b"\4" + struct.pack(">I", 5) + bytes(8) + struct.pack("<Q", 7) + b"abc\0\0\0\0\x83" + bytes(24)
    return made


def seeds_binlog() -> dict[str, bytes]:
    made = {}
    for path in DATA.glob("cdc/*.hex"):
        events = [bytes.fromhex(line) for line in path.read_text().split()]
        events = [event for event in events if len(event) <= EVENT_BYTES_MAX]
        head = b"".join(block(event) for event in events[:2])
        for at in range(2, len(events), EVENTS_A_STREAM):
            stream = b"".join(block(event) for event in events[at : at + EVENTS_A_STREAM])
            made[f"{path.stem}-{at}"] = head + stream
    return made


def seeds_text() -> dict[str, bytes]:
    csv = b'true,1,2,3,4,1.5,2.5e3,12.50000,abc,"a ""q"" b",QUJD,QUJDRA==,2024-02-29,10:11:12.5,2024-02-29 10:11:12.123456,'
    csv += b"2024-02-29 10:11:12Z,99999999999999999999999999999999999999\n,,,,,,,,,,,,,,,,\n# x\nn/a,\\,,1\n"
    row = (
        b'{"b":true,"t":-1,"s":2,"i":3,"l":9223372036854775807,"f":1.5,"d":"NaN","n":12.34567,"c":"abc","v":"\\u00e9",'
        b'"y":"QUJD","bin":"QUJDRA==","date":"2024-02-29","time":"10:11:12","ts":"2024-02-29 10:11:12.1",'
        b'"ltz":"2024-02-29 10:11:12Z","big":"1e3"}'
    )
    iso = row.replace(b"29 10", b"29T10")
    debezium = b'{"before":null,"after":' + row + b',"op":"c"}\n{"before":' + row + b',"after":' + row + b',"op":"u"}\n'
    debezium += b'{"before":' + row + b',"after":null,"op":"d"}'
    return {
        "csv": b"\0" + csv,
        "csv-ignore": b"\4" + csv,
        "csv-dress": b"\3" + csv,
        "json": b"\1" + row + b"\n{}\n" + row,
        "json-iso": b"\x0d" + iso + b"\n[]\n" + iso,
        "debezium": b"\2" + debezium,
        "debezium-ignore": b"\6" + b"{}\n" + debezium,
    }


def statements() -> list[str]:
    cases = [json.loads(line) for line in (DATA / "flink-sql/cases.jsonl").read_text().splitlines()]
    found = [case["sql"] for case in cases if "sql" in case]
    found += [path.read_text() for path in ROOT.glob("demo/*.sql")]
    found += [
        "SHOW CATALOGS; SHOW DATABASES; SHOW TABLES FROM house.d LIKE 't%'; DESCRIBE orders; SHOW CREATE TABLE house.d.t;",
        "INSERT INTO house.d.t SELECT oid, CAST(amt AS STRING), DATE '2024-01-01' FROM orders;",
        "SELECT k FROM house.d.t /*+ OPTIONS('scan.mode'='latest') */ WHERE k > 3 AND v LIKE 'a%' LIMIT 3;",
        "CREATE TABLE x (a INT, b AS a + 1, w AS PROCTIME(), PRIMARY KEY (a) NOT ENFORCED) PARTITIONED BY (a) "
        "WITH ('connector'='print'); DROP TABLE IF EXISTS x; ALTER TABLE orders RENAME TO o;",
        "CREATE TEMPORARY VIEW v AS SELECT id, COUNT(*) c, SUM(DISTINCT pay) FROM people GROUP BY id HAVING COUNT(*) > 1;"
        "EXPLAIN SELECT * FROM v ORDER BY c DESC LIMIT 2;",
        "SET 'execution.runtime-mode' = 'batch'; RESET; USE house.d; USE CATALOG house;",
        "BEGIN STATEMENT SET; INSERT INTO house.d.t SELECT id, name, CURRENT_DATE FROM people; END;",
        "SELECT o.oid, p.name FROM orders o JOIN people FOR SYSTEM_TIME AS OF o.at AS p ON o.pid = p.id;",
    ]
    return found


def seeds_session() -> dict[str, bytes]:
    return {str(i): text.encode() for i, text in enumerate(statements())}


def seeds_http() -> dict[str, bytes]:
    paths = "/overview /config /jobmanager/config /jobmanager/metrics?get=a /taskmanagers /taskmanagers/x /jobs "
    paths += (
        "/jobs/overview /jobs/0123456789abcdef0123456789abcdef /jobs/zz/plan / /index.html /v1/jobs /../../etc/passwd "
    )
    paths += "/taskmanagers/metrics?get=Status.JVM.CPU.Load&agg=min,max /jobs/metrics /%2e%2e/%00 "
    paths += "/leat/v1/sessions/x/statements/1/rows?from=0&format=csv&wait=false /leat/v1/sessions/x/tables/a/b/c"
    made = {f"get-{i}": f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode() for i, path in enumerate(paths.split())}
    bodies = [
        ("POST", "/leat/v1/sessions", {"config": {"parallelism.default": "2"}}),
        ("POST", "/leat/v1/sessions/x/scripts", {"name": "a.sql", "text": "SELECT 1;", "variables": {"A": "b"}}),
        ("POST", "/leat/v1/sessions/x/statements", {}),
        ("POST", "/leat/v1/actions/mysql_sync_table", {"arguments": [["warehouse", "mem:/w"]], "config": {}}),
        ("PATCH", "/jobs/0123456789abcdef0123456789abcdef", {}),
        ("DELETE", "/leat/v1/sessions/x", {}),
        ("PUT", "/jobs", [1, 2]),
    ]
    for i, (method, path, body) in enumerate(bodies):
        text = json.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(text)}\r\n\r\n"
        made[f"body-{i}"] = (head + text).encode()
    made["two"] = made["get-0"] + made["body-0"]
    made["chunked"] = b"POST /jobs HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    made["half"] = b"GET /over"
    made["long"] = b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n\r\n"
    return made


def seeds_parquet() -> dict[str, bytes]:
    rows = 300
    columns = {
        "i": pyarrow.array([None if i % 7 == 0 else i for i in range(rows)], pyarrow.int32()),
        "l": pyarrow.array(range(rows), pyarrow.int64()),
        "s": pyarrow.array([f"value {i % 5}" for i in range(rows)], pyarrow.string()),
        "d": pyarrow.array([i / 3 for i in range(rows)], pyarrow.float64()),
        "n": pyarrow.array([Decimal(i).scaleb(-2) for i in range(rows)], pyarrow.decimal128(20, 2)),
        "b": pyarrow.array([i % 2 == 0 for i in range(rows)], pyarrow.bool_()),
    }
    made = {}
    for compression in ("none", "snappy", "zstd"):
        for version in ("1.0", "2.0"):
            for use_dictionary in (False, True):
                out = io.BytesIO()
                pyarrow.parquet.write_table(
                    pyarrow.table(columns),
                    out,
                    compression=compression,
                    data_page_version=version,
                    use_dictionary=use_dictionary,
                    row_group_size=120,
                    data_page_size=512,
                )
                made[f"{compression}-{version}-{use_dictionary}"] = out.getvalue()
    return made


def seeds_s3() -> dict[str, bytes]:
    page = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents>"
        b"<Key>a&amp;b</Key><Size>3</Size><LastModified>2024-02-29T10:11:12.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        b"</Contents><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>"
    )
    failure = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"
    upload = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    removal = b"<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    head = b'HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/9\r\nETag: "e"\r\nDate: Thu, 29 Feb 2024 10:11:12 GMT\r\n\r\n'
    profile = b"[default]\nregion = eu-west-1\n[profile x]\naws_access_key_id=a # b\n"
    kinds = [page, failure, upload, removal, head, profile]
    return {str(i): bytes([i]) + text for i, text in enumerate(kinds)}


def seeds_metadata() -> dict[str, bytes]:
    operator = b"\x0a\x03uid\x12\x05state\x32\x01c"
    subtask = b"\x08\x00" + b"\x12" + bytes([len(operator)]) + operator + b"\x18\x00"
    vertex = b"\x0a\x03uid\x10\x01\x18\x80\x01" + b"\x22" + bytes([len(subtask)]) + subtask + b"\x2a\x01e"
    whole = b"\x08\x01\x12\x10" + bytes(16) + b"\x18\x05\x20\x07\x2a\x01j\x32\x01u\x38\x01"
    whole += b"\x42" + bytes([len(vertex)]) + vertex
    return {"whole": b"\1" + whole, "torn": b"\0" + whole}


def seeds_wire() -> dict[str, bytes]:
    frame = b"LEAD" + struct.pack("<BxxxII", 0, 1, 0) + bytes(16) + struct.pack("<IIQqQ", 0, 0, 1, 0, 0)
    layouts = [0, 1, 2, 3, 4, 5]
    head = struct.pack("<IIII", int.from_bytes(b"LBT1", "little"), 1, 6, 1)
    buffers, places = b"", []
    start = 64 * ((16 + 40 * 6 + 8 + 63) // 64)
    for layout in layouts:
        places.append(start + len(buffers))
        width = 1 << layout if layout < 5 else 16
        buffers += bytes([1] + [0] * (width - 1)).ljust(64, b"\0")
    for layout, place in zip(layouts, places):
        head += struct.pack("<IIQQQQ", layout, 0, 0, place, 0, 0)
    head += struct.pack("<Q", start + len(buffers))
    batch = head.ljust(start, b"\0") + buffers + bytes(64)
    schema = struct.pack("<I", 1) + block(b"a") + block(b"DECIMAL(10, 2) NOT NULL")
    key = b"\1" * 6
    return {"frame": b"\0" + frame, "batch": b"\1" + batch, "schema": b"\2" + schema, "key": b"\4" + key}


def main() -> None:
    target = Path(sys.argv[1])
    makers = {name[6:]: maker for name, maker in globals().items() if name.startswith("seeds_")}
    makers["sql"] = seeds_session
    for name, maker in makers.items():
        folder = target / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, data in maker().items():
            (folder / seed).write_bytes(data)


if __name__ == "__main__":
    main()
