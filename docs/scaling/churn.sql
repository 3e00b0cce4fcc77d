-- A day of a registry in which every device publishes 700 bytes, with the default settings: 5 bundles held, superseded payloads
-- remembered for 90 days. Rows come, move and go as by the program's own statements. The last day is today.

CREATE OR REPLACE PROCEDURE simulate_day(day int, days int, devices int) LANGUAGE plpgsql AS $$
DECLARE
    at bigint := extract(epoch FROM now()) * 1000 - (days - day) * 86400000::bigint;
    part int := greatest(1, devices / 10);
BEGIN
    FOR lowest IN 1..devices BY part LOOP
        -- In an order that has nothing to do with the ids.
        INSERT INTO device (id) SELECT sha256(i::text::bytea) FROM generate_series(lowest, least(lowest + part - 1, devices)) AS i
            ON CONFLICT (id) DO NOTHING;
        INSERT INTO bundle (device, seq, received, digest, checksum, signature, payload)
            SELECT sha256(i::text::bytea), day, at, hashint8extended(i, day), 0,
                sha512(i::text::bytea), decode(left(repeat(md5(day::text || i), 44), 1400), 'hex')
            FROM generate_series(lowest, least(lowest + part - 1, devices)) AS i;
        WITH dropped AS (
            DELETE FROM bundle WHERE seq = day - 5
                AND device IN (SELECT sha256(i::text::bytea) FROM generate_series(lowest, least(lowest + part - 1, devices)) AS i)
            RETURNING device, seq, received, digest)
        INSERT INTO spent (device, seq, received, digest) SELECT device, seq, received, digest FROM dropped;
        COMMIT;
    END LOOP;
    DELETE FROM spent WHERE received < at - 90 * 86400000::bigint;
    COMMIT;
END $$;
