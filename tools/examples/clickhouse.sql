-- Points of a fleet in ClickHouse. Column names are the field names of dunlin.v1.Sample, so nothing
-- has to be mapped. telemetry.proto lies in the server's folder for schemas (format_schema_path).
--
--     clickhouse-client --multiquery < clickhouse.sql
--     dunlin watch -L 'mqtt://127.0.0.1:1883/dunlin/#' -c -i clickhouse --format delimited |
--         clickhouse-client --query "INSERT INTO dunlin.samples
--             SETTINGS format_schema = 'telemetry.proto:Sample' FORMAT Protobuf"
--
-- A capture goes the same way: dunlin decode --format delimited FILE | clickhouse-client ...
CREATE DATABASE IF NOT EXISTS dunlin;

-- `time` is unix ms, NULL as long as the device's clock was not set: then only boot and uptime_ms
-- tell when. A point that came twice (device, boot, uptime) is merged away by the engine.
CREATE TABLE IF NOT EXISTS dunlin.samples
(
    device LowCardinality(String),
    metric LowCardinality(String),
    unit LowCardinality(String),
    value Float64 CODEC(Gorilla, ZSTD),
    time Nullable(Int64) CODEC(Delta, ZSTD),
    attributes Nested(key String, value String),
    boot UInt32,
    uptime_ms UInt64 CODEC(Delta, ZSTD),
    state LowCardinality(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (metric, device, attributes.value, boot, uptime_ms);

-- The same with a date and the attributes as a map.
CREATE VIEW IF NOT EXISTS dunlin.points AS
SELECT
    fromUnixTimestamp64Milli(assumeNotNull(time), 'UTC') AS date,
    device,
    metric,
    value,
    unit,
    state,
    mapFromArrays(attributes.key, attributes.value) AS labels
FROM dunlin.samples
WHERE time IS NOT NULL;
