-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Claviger's schema, version 2: applications, their data keys and secrets; and
-- how long a lease of somebody else may last.
--
-- Members write secrets themselves, so what they may call is a part of its
-- own, granted to claviger_member and to claviger_server; the rest is the
-- active server's. All that is in these tables is ciphertext, hashes and MACs.
--
-- Text is compared bytewise: the order of a page must not hang on a locale.

INSERT INTO claviger.schema_version (version) VALUES (2);

-- The generation in force, as the newest list says: a key that is wrapped
-- under an older one is not taken any more.
ALTER TABLE claviger.system ADD COLUMN generation bigint NOT NULL DEFAULT 1
    CHECK (generation BETWEEN 1 AND 4294967295);

-- By then the leases of all holders but the last have ended.
ALTER TABLE claviger.system ADD COLUMN alone_from timestamptz NOT NULL
    DEFAULT '-infinity';

-- One row an application, also of a dropped one (its MAC is 32 zeros): the
-- counter of a later one of that name goes on. The row is locked by each
-- write, and says what the last one was. The MAC vouches for which data key is
-- the newest, too, and has that in front: see claviger-formats(7).
CREATE TABLE claviger.manifest (
	app text COLLATE "C" PRIMARY KEY
	    CHECK (app ~ '^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$'),
	counter bigint NOT NULL CHECK (counter > 0),
	mac bytea NOT NULL CHECK (octet_length(mac) BETWEEN 32 AND 128),
	op_id bytea NOT NULL CHECK (octet_length(op_id) = 16)
) WITH (fillfactor = 50);

-- Version 0 is the index key, 1 and up are data keys. None is ever deleted while
-- its application is there: what applications had sealed and keep themselves
-- refers to them, too.
CREATE TABLE claviger.data_key (
	app text COLLATE "C" NOT NULL,
	version bigint NOT NULL CHECK (version BETWEEN 0 AND 4294967295),
	generation bigint NOT NULL
	    CHECK (generation BETWEEN 1 AND 4294967295),
	wrapped bytea NOT NULL CHECK (octet_length(wrapped) BETWEEN 1 AND 256),
	PRIMARY KEY (app, version)
);
CREATE INDEX data_key_generation
    ON claviger.data_key (generation, app, version);

-- `current` marks the newest version of each name, which may be a tombstone:
-- no record, no key, and a hash of zeros.
CREATE TABLE claviger.secret (
	app text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL
	    CHECK (name ~ '^[A-Za-z0-9_][A-Za-z0-9._/-]{0,127}$'),
	version bigint NOT NULL CHECK (version > 0),
	current boolean NOT NULL,
	deleted boolean NOT NULL,
	key_version bigint NOT NULL
	    CHECK (key_version BETWEEN 0 AND 4294967295),
	record bytea NOT NULL CHECK (octet_length(record) <= 61517),
	hash bytea NOT NULL CHECK (octet_length(hash) = 32),
	counter bigint NOT NULL CHECK (counter > 0),
	op_id bytea NOT NULL UNIQUE CHECK (octet_length(op_id) = 16),
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (app, name, version),
	CHECK (deleted = (record = '') AND deleted = (key_version = 0))
);
CREATE INDEX secret_current ON claviger.secret (app, counter, name)
    WHERE current;
-- Ciphertext does not get smaller: do not try.
ALTER TABLE claviger.secret ALTER COLUMN record SET STORAGE EXTERNAL;

-- What a pruned version was written by, for as long as somebody may ask.
ALTER TABLE claviger.op ADD COLUMN app text, ADD COLUMN name text,
    ADD COLUMN version bigint;

-- Parts that only the functions below call.

-- A member's fence: it has seen this epoch, and the database may not be older.
CREATE FUNCTION claviger.guard_member(p_epoch bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM 1 FROM claviger.system WHERE epoch >= p_epoch FOR SHARE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'stale epoch' USING ERRCODE = 'CL001';
	END IF;
END $$;

CREATE FUNCTION claviger.check_rows(p_rows bigint, p_max bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_rows IS NULL OR p_rows NOT BETWEEN 1 AND p_max THEN
		RAISE EXCEPTION 'between 1 and % rows at once', p_max
		USING ERRCODE = '22023';
	END IF;
END $$;

-- Down to the newest `keep` versions of each name.
CREATE FUNCTION claviger.prune(p_app text, p_names text[], p_keeps bigint[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	WITH gone AS (
		DELETE FROM claviger.secret d
		USING unnest(p_names, p_keeps) AS r (name, keep)
		WHERE r.keep > 0 AND d.app = p_app AND d.name = r.name
		AND d.version <= (SELECT o.version FROM claviger.secret o
		    WHERE o.app = p_app AND o.name = r.name
		    ORDER BY o.version DESC OFFSET r.keep LIMIT 1)
		RETURNING d.op_id, d.name, d.version
	)
	INSERT INTO claviger.op (op_id, app, name, version)
	SELECT g.op_id, p_app, g.name, g.version FROM gone g;
	DELETE FROM claviger.op WHERE op_id IN (SELECT o.op_id
	    FROM claviger.op o WHERE o.at < clock_timestamp()
	    - interval '1 day' ORDER BY o.at LIMIT 2048
	    FOR UPDATE SKIP LOCKED);
END $$;

CREATE FUNCTION claviger.check_generation(p_generation bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_generation < (SELECT s.generation FROM claviger.system s) THEN
		RAISE EXCEPTION 'generation is not in force any more'
		USING ERRCODE = 'CL002';
	END IF;
END $$;

-- Statements of members.

CREATE FUNCTION claviger.get_keys(p_app text, OUT version bigint,
    OUT generation bigint, OUT wrapped bytea) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.version, k.generation, k.wrapped FROM claviger.data_key k
	WHERE k.app = p_app ORDER BY k.version;
$$;

-- STABLE: both queries see one snapshot.
CREATE FUNCTION claviger.get_changes(p_app text, p_counter bigint,
    p_name text, p_limit bigint, OUT name text, OUT version bigint,
    OUT deleted boolean, OUT hash bytea, OUT counter bigint,
    OUT m_counter bigint, OUT m_mac bytea) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT s.name, s.version, s.deleted, s.hash, s.counter,
	    0::bigint, ''::bytea
	FROM claviger.secret s WHERE s.app = p_app AND s.current
	AND (s.counter, s.name) > (p_counter, p_name)
	ORDER BY s.counter, s.name LIMIT p_limit;
	RETURN QUERY SELECT '', 0::bigint, false, ''::bytea, 0::bigint,
	    m.counter, m.mac FROM claviger.manifest m WHERE m.app = p_app;
END $$;

CREATE FUNCTION claviger.get_secret(p_app text, p_name text,
    p_version bigint, p_counter bigint, p_limit bigint, OUT kind bigint,
    OUT name text, OUT version bigint, OUT deleted boolean,
    OUT key_version bigint, OUT hash bytea, OUT record bytea,
    OUT counter bigint) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT 0::bigint, '', 0::bigint, false, 0::bigint, m.mac,
	    ''::bytea, m.counter FROM claviger.manifest m WHERE m.app = p_app;
	RETURN QUERY SELECT 1::bigint, s.name, s.version, s.deleted,
	    s.key_version, s.hash, s.record, s.counter
	FROM claviger.secret s WHERE s.app = p_app AND s.name = p_name
	AND (p_version = 0 OR s.version = p_version)
	ORDER BY s.version DESC LIMIT 1;
	RETURN QUERY SELECT 2::bigint, s.name, s.version, s.deleted,
	    s.key_version, s.hash, ''::bytea, s.counter
	FROM claviger.secret s WHERE s.app = p_app AND s.current
	AND s.counter > p_counter ORDER BY s.counter, s.name LIMIT p_limit;
END $$;

CREATE FUNCTION claviger.put_secrets(p_app text, p_epoch bigint,
    p_counter bigint, p_mac bytea, p_op_id bytea, p_names text[],
    p_versions bigint[], p_key_versions bigint[], p_hashes bytea[],
    p_records bytea[], p_keeps bigint[], p_ops bytea[], OUT state bigint,
    OUT counter bigint) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m claviger.manifest;
	newest bigint;
BEGIN
	PERFORM claviger.check_rows(cardinality(p_names), 1024);
	PERFORM claviger.guard_member(p_epoch);
	SELECT * INTO m FROM claviger.manifest f WHERE f.app = p_app
	FOR UPDATE;
	counter := coalesce(m.counter, 0);
	IF m.op_id = p_op_id THEN
		state := 2;
		RETURN;
	END IF;
	IF EXISTS (SELECT FROM claviger.secret WHERE op_id = ANY (p_ops))
	    OR EXISTS (SELECT FROM claviger.op WHERE op_id = ANY (p_ops)) THEN
		state := 5;
		RETURN;
	END IF;
	IF counter <> p_counter THEN
		state := 3;
		RETURN;
	END IF;
	SELECT max(k.version) INTO newest FROM claviger.data_key k
	WHERE k.app = p_app;
	IF newest IS NULL OR EXISTS (SELECT FROM unnest(p_key_versions) v
	    WHERE v NOT IN (0, newest)) THEN
		state := 4;
		RETURN;
	END IF;
	WITH new AS (
		SELECT r.*, r.version = max(r.version)
		    OVER (PARTITION BY r.name) AS current
		FROM unnest(p_names, p_versions, p_key_versions, p_hashes,
		    p_records, p_ops)
		    AS r (name, version, key_version, hash, record, op_id)
	), old AS (
		UPDATE claviger.secret s SET current = false FROM new
		WHERE new.current AND s.app = p_app AND s.name = new.name
		AND s.version = (SELECT o.version FROM claviger.secret o
		    WHERE o.app = p_app AND o.name = new.name
		    ORDER BY o.version DESC LIMIT 1)
	), head AS (
		UPDATE claviger.manifest f SET counter = p_counter + 1,
		    mac = p_mac, op_id = p_op_id
		WHERE f.app = p_app
	)
	INSERT INTO claviger.secret (app, name, version, current, deleted,
	    key_version, record, hash, counter, op_id)
	SELECT p_app, n.name, n.version, n.current, n.record = '',
	    n.key_version, n.record, n.hash, p_counter + 1, n.op_id
	FROM new n;
	IF 0 < ANY (p_keeps) THEN
		PERFORM claviger.prune(p_app, p_names, p_keeps);
	END IF;
	state := 1;
	counter := p_counter + 1;
END $$;

CREATE FUNCTION claviger.get_ops(p_ops bytea[], OUT op_id bytea,
    OUT app text, OUT name text, OUT version bigint) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT s.op_id, s.app, s.name, s.version FROM claviger.secret s
	WHERE s.op_id = ANY (p_ops)
	UNION ALL
	SELECT o.op_id, o.app, o.name, o.version FROM claviger.op o
	WHERE o.op_id = ANY (p_ops) AND o.app IS NOT NULL;
$$;

CREATE FUNCTION claviger.history(p_app text, p_name text,
    OUT version bigint, OUT deleted boolean, OUT key_version bigint,
    OUT age_s bigint, OUT current boolean) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT s.version, s.deleted, s.key_version, greatest(0,
	    extract(epoch FROM clock_timestamp() - s.at))::bigint, s.current
	FROM claviger.secret s WHERE s.app = p_app AND s.name = p_name
	ORDER BY s.version DESC LIMIT 1000;
$$;

-- Statements of the active server.

-- How long until then, but no longer than a lease: a clock set back.
CREATE FUNCTION claviger.left_ms(p_until timestamptz, p_max_ms bigint)
RETURNS bigint LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN p_until > clock_timestamp()
	    THEN least(p_max_ms, ceil(1000
	        * extract(epoch FROM p_until - clock_timestamp())))::bigint
	    ELSE 0 END;
$$;

-- Compare and set, as before. A live lease of somebody else is no obstacle, but
-- whoever takes over is told how long it lasts, and those of earlier holders.
DROP FUNCTION claviger.take_epoch(bigint, bigint, bigint, bytea, bigint,
    bigint);
CREATE FUNCTION claviger.take_epoch(p_seen bigint, p_new bigint,
    p_holder bigint, p_instance bytea, p_timeline bigint, p_lease_ms bigint,
    OUT epoch bigint, OUT taken boolean, OUT before_ms bigint,
    OUT others_ms bigint) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s claviger.system;
	ends timestamptz := '-infinity';
BEGIN
	SELECT * INTO s FROM claviger.system FOR UPDATE;
	-- a repeat, after an outcome that was not known
	taken := s.epoch = p_new AND s.instance = p_instance
	    AND s.holder = p_holder;
	epoch := coalesce(s.epoch, 0); -- none before there is a system
	IF s.instance <> p_instance THEN
		ends := s.lease_expires;
	END IF;
	before_ms := claviger.left_ms(ends, p_lease_ms);
	others_ms := claviger.left_ms(s.alone_from, p_lease_ms);
	IF taken OR s.epoch IS DISTINCT FROM p_seen OR p_new <= s.epoch
	    OR p_timeline <> claviger.timeline() THEN
		taken := coalesce(taken, false);
		RETURN;
	END IF;
	UPDATE claviger.system SET epoch = p_new, holder = p_holder,
	    instance = p_instance, timeline = p_timeline,
	    lease_ms = p_lease_ms, lease_expires = clock_timestamp()
	    + p_lease_ms * interval '1 millisecond',
	    alone_from = greatest(s.alone_from, ends);
	INSERT INTO claviger.epoch_log (epoch, holder, instance, timeline)
	VALUES (p_new, p_holder, p_instance, p_timeline);
	epoch := p_new;
	taken := true;
END $$;

DROP FUNCTION claviger.put_list(bigint, bytea, bytea, bigint, bytea, bytea,
    text);
CREATE FUNCTION claviger.put_list(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_version bigint, p_body bytea, p_escrow bytea,
    p_drop_join text, p_generation bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT claviger.start_op(p_epoch, p_instance, p_op_id) THEN
		RETURN true;
	END IF;
	INSERT INTO claviger.list (version, body)
	SELECT p_version, p_body
	WHERE p_version = (SELECT max(version) + 1 FROM claviger.list)
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not the version after the newest list'
		USING ERRCODE = 'CL002';
	END IF;
	DELETE FROM claviger.list WHERE version <= p_version - 16;
	PERFORM claviger.set_escrows(p_escrow);
	DELETE FROM claviger.join_request WHERE name = p_drop_join;
	UPDATE claviger.system SET generation = p_generation
	WHERE generation <> p_generation;
	RETURN true;
END $$;

CREATE FUNCTION claviger.init_app(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_app text, p_generation bigint, p_index_key bytea,
    p_data_key bytea, p_mac bytea, p_counter bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT claviger.start_op(p_epoch, p_instance, p_op_id) THEN
		RETURN true;
	END IF;
	PERFORM claviger.check_generation(p_generation);
	INSERT INTO claviger.manifest AS m (app, counter, mac, op_id)
	VALUES (p_app, p_counter, p_mac, p_op_id)
	ON CONFLICT (app) DO UPDATE SET counter = excluded.counter,
	    mac = excluded.mac, op_id = excluded.op_id
	WHERE m.counter < excluded.counter;
	IF NOT FOUND
	    OR EXISTS (SELECT FROM claviger.data_key WHERE app = p_app)
	    OR EXISTS (SELECT FROM claviger.secret WHERE app = p_app) THEN
		RAISE EXCEPTION 'the application is there already'
		USING ERRCODE = 'CL002';
	END IF;
	INSERT INTO claviger.data_key (app, version, generation, wrapped)
	VALUES (p_app, 0, p_generation, p_index_key),
	    (p_app, 1, p_generation, p_data_key);
	RETURN true;
END $$;

-- The keys at once; of the secrets as many as can be deleted in time.
CREATE FUNCTION claviger.drop_app(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_app text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF claviger.start_op(p_epoch, p_instance, p_op_id) THEN
		UPDATE claviger.manifest SET counter = counter + 1,
		    mac = decode(repeat('00', 32), 'hex'), op_id = p_op_id
		WHERE app = p_app;
		DELETE FROM claviger.data_key WHERE app = p_app;
	ELSIF NOT EXISTS (SELECT FROM claviger.manifest
	    WHERE app = p_app AND op_id = p_op_id) THEN
		RETURN true;
	END IF;
	DELETE FROM claviger.secret WHERE ctid = ANY (ARRAY(SELECT s.ctid
	    FROM claviger.secret s WHERE s.app = p_app LIMIT 10000));
	RETURN NOT EXISTS (SELECT FROM claviger.secret WHERE app = p_app);
END $$;

CREATE FUNCTION claviger.get_heads(p_after text, p_limit bigint,
    OUT app text, OUT counter bigint, OUT mac bytea) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT m.app, m.counter, m.mac FROM claviger.manifest m
	WHERE m.app > p_after ORDER BY m.app LIMIT p_limit;
$$;

CREATE FUNCTION claviger.count_secrets(p_app text, OUT secrets bigint,
    OUT versions bigint, OUT keys bigint) RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT (SELECT count(*) FROM claviger.secret s
	    WHERE s.app = p_app AND s.current AND NOT s.deleted),
	    (SELECT count(*) FROM claviger.secret s WHERE s.app = p_app),
	    (SELECT count(*) FROM claviger.data_key k WHERE k.app = p_app);
$$;

CREATE FUNCTION claviger.count_keys(OUT generation bigint, OUT keys bigint,
    OUT indexes bigint) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.generation, count(*),
	    count(*) FILTER (WHERE k.version = 0)
	FROM claviger.data_key k GROUP BY k.generation ORDER BY k.generation;
$$;

CREATE FUNCTION claviger.get_old_keys(p_generation bigint,
    p_after_generation bigint, p_app text, p_version bigint, p_limit bigint,
    OUT app text, OUT version bigint, OUT generation bigint,
    OUT wrapped bytea) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT k.app, k.version, k.generation, k.wrapped
	FROM claviger.data_key k WHERE k.generation < p_generation
	AND (k.generation, k.app, k.version)
	    > (p_after_generation, p_app, p_version)
	ORDER BY k.generation, k.app, k.version LIMIT p_limit;
$$;

CREATE FUNCTION claviger.put_rewrapped(p_epoch bigint, p_instance bytea,
    p_generation bigint, p_apps text[], p_versions bigint[], p_olds bigint[],
    p_wrapped bytea[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM claviger.guard(p_epoch, p_instance);
	PERFORM claviger.check_generation(p_generation);
	UPDATE claviger.data_key k SET generation = p_generation,
	    wrapped = r.wrapped
	FROM unnest(p_apps, p_versions, p_olds, p_wrapped)
	    AS r (app, version, old, wrapped)
	WHERE k.app = r.app AND k.version = r.version
	AND k.generation = r.old;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;

-- One step of the manifest, whose new MAC says that this is the newest one: from
-- then on no older data key is taken.
CREATE FUNCTION claviger.add_key(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_app text, p_counter bigint, p_mac bytea,
    p_version bigint, p_generation bigint, p_wrapped bytea,
    OUT state bigint, OUT counter bigint) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM claviger.guard(p_epoch, p_instance);
	PERFORM claviger.check_generation(p_generation);
	SELECT f.counter INTO counter FROM claviger.manifest f
	WHERE f.app = p_app FOR UPDATE;
	counter := coalesce(counter, 0);
	IF EXISTS (SELECT FROM claviger.op o WHERE o.op_id = p_op_id) THEN
		state := 2;
		RETURN;
	END IF;
	IF counter <> p_counter THEN
		state := 3;
		RETURN;
	END IF;
	INSERT INTO claviger.data_key (app, version, generation, wrapped)
	SELECT p_app, p_version, p_generation, p_wrapped
	WHERE p_version <= 1000 AND p_version = (SELECT max(k.version) + 1
	    FROM claviger.data_key k WHERE k.app = p_app);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not the version after the newest data key'
		USING ERRCODE = 'CL002';
	END IF;
	INSERT INTO claviger.op (op_id) VALUES (p_op_id);
	UPDATE claviger.manifest f SET counter = p_counter + 1, mac = p_mac,
	    op_id = p_op_id
	WHERE f.app = p_app;
	state := 1;
	counter := p_counter + 1;
END $$;

CREATE FUNCTION claviger.get_records(p_app text, p_key_version bigint,
    p_name text, p_version bigint, p_limit bigint, OUT name text,
    OUT version bigint, OUT current boolean, OUT key_version bigint,
    OUT record bytea) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT s.name, s.version, s.current, s.key_version, s.record
	FROM claviger.secret s WHERE s.app = p_app AND NOT s.deleted
	AND s.key_version < p_key_version
	AND (s.name, s.version) > (p_name, p_version)
	ORDER BY s.name, s.version LIMIT p_limit;
$$;

CREATE FUNCTION claviger.put_records(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_app text, p_counter bigint, p_mac bytea,
    p_names text[], p_versions bigint[], p_key_versions bigint[],
    p_hashes bytea[], p_records bytea[], OUT state bigint,
    OUT counter bigint) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	m claviger.manifest;
	n bigint;
BEGIN
	PERFORM claviger.check_rows(cardinality(p_names), 65536);
	PERFORM claviger.guard(p_epoch, p_instance);
	SELECT * INTO m FROM claviger.manifest f WHERE f.app = p_app
	FOR UPDATE;
	counter := coalesce(m.counter, 0);
	IF m.op_id = p_op_id THEN
		state := 2;
		RETURN;
	END IF;
	IF counter <> p_counter THEN
		state := 3;
		RETURN;
	END IF;
	UPDATE claviger.secret s SET record = r.record, hash = r.hash,
	    key_version = r.key_version, counter = CASE WHEN s.current
	    THEN p_counter + 1 ELSE s.counter END
	FROM unnest(p_names, p_versions, p_key_versions, p_hashes, p_records)
	    AS r (name, version, key_version, hash, record)
	WHERE s.app = p_app AND s.name = r.name AND s.version = r.version
	AND s.key_version < r.key_version;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n <> cardinality(p_names) THEN
		RAISE EXCEPTION 'a record is not there, or has a newer key'
		USING ERRCODE = 'CL002';
	END IF;
	UPDATE claviger.manifest f SET counter = p_counter + 1, mac = p_mac,
	    op_id = p_op_id
	WHERE f.app = p_app;
	state := 1;
	counter := p_counter + 1;
END $$;

-- What is new belongs to nobody; then the two roles get their functions.
REVOKE ALL ON ALL TABLES IN SCHEMA claviger
    FROM PUBLIC, claviger_server, claviger_member;
REVOKE ALL ON FUNCTION
    claviger.guard_member(bigint),
    claviger.check_rows(bigint, bigint),
    claviger.check_generation(bigint),
    claviger.prune(text, text[], bigint[]),
    claviger.left_ms(timestamptz, bigint),
    claviger.take_epoch(bigint, bigint, bigint, bytea, bigint, bigint),
    claviger.get_keys(text),
    claviger.get_changes(text, bigint, text, bigint),
    claviger.get_secret(text, text, bigint, bigint, bigint),
    claviger.put_secrets(text, bigint, bigint, bytea, bytea, text[],
	bigint[], bigint[], bytea[], bytea[], bigint[], bytea[]),
    claviger.get_ops(bytea[]),
    claviger.history(text, text),
    claviger.put_list(bigint, bytea, bytea, bigint, bytea, bytea, text,
	bigint),
    claviger.init_app(bigint, bytea, bytea, text, bigint, bytea, bytea,
	bytea, bigint),
    claviger.drop_app(bigint, bytea, bytea, text),
    claviger.get_heads(text, bigint),
    claviger.count_secrets(text),
    claviger.count_keys(),
    claviger.get_old_keys(bigint, bigint, text, bigint, bigint),
    claviger.put_rewrapped(bigint, bytea, bigint, text[], bigint[],
	bigint[], bytea[]),
    claviger.add_key(bigint, bytea, bytea, text, bigint, bytea, bigint,
	bigint, bytea),
    claviger.get_records(text, bigint, text, bigint, bigint),
    claviger.put_records(bigint, bytea, bytea, text, bigint, bytea, text[],
	bigint[], bigint[], bytea[], bytea[])
    FROM PUBLIC, claviger_server, claviger_member;
GRANT USAGE ON SCHEMA claviger TO claviger_member;
GRANT EXECUTE ON FUNCTION claviger.hello() TO claviger_member;
GRANT EXECUTE ON FUNCTION
    claviger.get_keys(text),
    claviger.get_changes(text, bigint, text, bigint),
    claviger.get_secret(text, text, bigint, bigint, bigint),
    claviger.put_secrets(text, bigint, bigint, bytea, bytea, text[],
	bigint[], bigint[], bytea[], bytea[], bigint[], bytea[]),
    claviger.get_ops(bytea[]),
    claviger.history(text, text)
    TO claviger_server, claviger_member;
GRANT EXECUTE ON FUNCTION
    claviger.take_epoch(bigint, bigint, bigint, bytea, bigint, bigint),
    claviger.put_list(bigint, bytea, bytea, bigint, bytea, bytea, text,
	bigint),
    claviger.init_app(bigint, bytea, bytea, text, bigint, bytea, bytea,
	bytea, bigint),
    claviger.drop_app(bigint, bytea, bytea, text),
    claviger.get_heads(text, bigint),
    claviger.count_secrets(text),
    claviger.count_keys(),
    claviger.get_old_keys(bigint, bigint, text, bigint, bigint),
    claviger.put_rewrapped(bigint, bytea, bigint, text[], bigint[],
	bigint[], bytea[]),
    claviger.add_key(bigint, bytea, bytea, text, bigint, bytea, bigint,
	bigint, bytea),
    claviger.get_records(text, bigint, text, bigint, bigint),
    claviger.put_records(bigint, bytea, bytea, text, bigint, bytea, text[],
	bigint[], bigint[], bytea[], bytea[])
    TO claviger_server;

-- Sealed copies: which there are, and the end of those that nobody may use.

CREATE FUNCTION claviger.get_escrows(OUT node bigint, OUT generation bigint,
    OUT age_s bigint) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT e.node, e.generation, claviger.age_s(e.at)
	FROM claviger.escrow e ORDER BY e.node;
$$;

CREATE FUNCTION claviger.drop_escrows(p_epoch bigint, p_instance bytea,
    p_keep bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM claviger.guard(p_epoch, p_instance);
	DELETE FROM claviger.escrow WHERE node <> ALL (p_keep);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;

REVOKE ALL ON FUNCTION
    claviger.get_escrows(),
    claviger.drop_escrows(bigint, bytea, bigint[])
    FROM PUBLIC, claviger_server, claviger_member;
GRANT EXECUTE ON FUNCTION
    claviger.get_escrows(),
    claviger.drop_escrows(bigint, bytea, bigint[])
    TO claviger_server;
