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

-- One row an application, also of a dropped one (its MAC is 32 zeros and it has
-- no key): the counter of a later one of that name goes on. Each write changes
-- it first, so that they come one after the other; op_id is the last one's.
-- key_version is that of the newest data key, and so is what mac begins with, for
-- which it vouches: claviger-formats(7). A row is so short that nothing of it is
-- compressed or kept elsewhere, and that a page has room for several of them.
--
-- Neither this table nor `secret` has a CHECK: PostgreSQL reads its text anew
-- for each statement, which is a third of what a write costs. The functions
-- give NULL for what is out of bounds, and no column takes that.
CREATE TABLE claviger.manifest (
	app text COLLATE "C" PRIMARY KEY,
	counter bigint NOT NULL,
	mac bytea NOT NULL,
	op_id bytea NOT NULL,
	key_version bigint NOT NULL
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

-- Rows are added, never marked: the newest version of a name is its current
-- one, which may be a tombstone (no record, no key, a hash of zeros). By their
-- counters they are the log that an index is carried on with; a name comes once
-- in a write.
CREATE TABLE claviger.secret (
	app text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL,
	version bigint NOT NULL,
	deleted boolean NOT NULL,
	key_version bigint NOT NULL,
	record bytea NOT NULL,
	hash bytea NOT NULL,
	counter bigint NOT NULL,
	op_id bytea NOT NULL UNIQUE,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (app, name, version),
	UNIQUE (app, counter, name)
);
-- Ciphertext does not get smaller: do not try.
ALTER TABLE claviger.secret ALTER COLUMN record SET STORAGE EXTERNAL;

-- What a pruned version was written by, for as long as somebody may ask.
ALTER TABLE claviger.op ADD COLUMN app text, ADD COLUMN name text,
    ADD COLUMN version bigint;

-- The fence, anew. Members' writes come all the time, and a row lock that is
-- shared is not fair: whoever wants to change the row waits as long as they
-- overlap. So those who change the epoch lock the table first, where all wait
-- in the order in which they came; and the writes lock the row FOR KEY SHARE,
-- which takes the table in ROW SHARE mode, and does not hold up a renewal of
-- the lease. FOR UPDATE makes that row lock wait for a take-over, too.

CREATE OR REPLACE FUNCTION claviger.guard(p_epoch bigint, p_instance bytea)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM 1 FROM claviger.system WHERE epoch = p_epoch
	    AND instance = p_instance AND holder <> 0 FOR KEY SHARE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'stale epoch' USING ERRCODE = 'CL001';
	END IF;
END $$;

CREATE FUNCTION claviger.lock_system() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE claviger.system IN EXCLUSIVE MODE;
	PERFORM 1 FROM claviger.system FOR UPDATE;
END $$;

CREATE OR REPLACE FUNCTION claviger.release(p_epoch bigint, p_instance bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM claviger.lock_system();
	UPDATE claviger.system SET holder = 0, lease_ms = 0,
	    lease_expires = clock_timestamp()
	WHERE epoch = p_epoch AND instance = p_instance;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'stale epoch' USING ERRCODE = 'CL001';
	END IF;
	RETURN true;
END $$;

CREATE OR REPLACE FUNCTION claviger.get_op(p_op_id bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM claviger.lock_system();
	RETURN EXISTS (SELECT FROM claviger.op WHERE op_id = p_op_id);
END $$;

-- Parts that only the functions below call.

-- A member's fence: it has seen this epoch, and the database may not be older.
CREATE FUNCTION claviger.guard_member(p_epoch bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM 1 FROM claviger.system WHERE epoch >= p_epoch FOR KEY SHARE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'stale epoch' USING ERRCODE = 'CL001';
	END IF;
END $$;

-- Down to the newest `keep` versions of each name.
CREATE FUNCTION claviger.prune(p_app text, p_names text[], p_keeps bigint[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	WITH gone AS (
		DELETE FROM claviger.secret d
		USING unnest(p_names, p_keeps) AS r (name, keep),
		LATERAL (SELECT o.version FROM claviger.secret o
		    WHERE o.app = p_app AND o.name = r.name
		    ORDER BY o.version DESC OFFSET r.keep LIMIT 1) AS x
		WHERE r.keep > 0 AND d.app = p_app AND d.name = r.name
		AND d.version <= x.version
		RETURNING d.op_id, d.name, d.version, d.at
	)
	INSERT INTO claviger.op (op_id, app, name, version)
	SELECT g.op_id, p_app, g.name, g.version FROM gone g
	WHERE g.at > clock_timestamp() - interval '1 day';
	IF FOUND THEN
		DELETE FROM claviger.op WHERE op_id IN (SELECT o.op_id
		    FROM claviger.op o WHERE o.at < clock_timestamp()
		    - interval '1 day' ORDER BY o.at LIMIT 2048
		    FOR UPDATE SKIP LOCKED);
	END IF;
END $$;

CREATE FUNCTION claviger.check_generation(p_generation bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_generation < (SELECT s.generation FROM claviger.system s) THEN
		RAISE EXCEPTION 'generation is not in force any more'
		USING ERRCODE = 'CL002';
	END IF;
END $$;

-- Why a write of secrets was not done.
CREATE FUNCTION claviger.why_not(p_app text, p_counter bigint, p_op_id bytea,
    p_ops bytea[], OUT state bigint, OUT counter bigint) RETURNS record
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	last bytea;
BEGIN
	SELECT m.counter, m.op_id INTO counter, last
	FROM claviger.manifest m WHERE m.app = p_app;
	counter := coalesce(counter, 0);
	IF last = p_op_id THEN
		state := 2;
	ELSIF EXISTS (SELECT FROM claviger.get_ops(p_ops)) THEN
		state := 5;
	ELSIF counter <> p_counter THEN
		state := 3;
	ELSE
		state := 4;
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

-- STABLE: both queries see one snapshot. max() of each row is one step down the
-- primary key, which no join would be.
CREATE FUNCTION claviger.get_changes(p_app text, p_counter bigint,
    p_name text, p_limit bigint, OUT name text, OUT version bigint,
    OUT deleted boolean, OUT hash bytea, OUT counter bigint,
    OUT m_counter bigint, OUT m_mac bytea) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT s.name, s.version, s.deleted, s.hash, s.counter,
	    0::bigint, ''::bytea
	FROM claviger.secret s WHERE s.app = p_app
	AND (s.counter, s.name) > (p_counter, p_name)
	AND s.version = (SELECT max(n.version) FROM claviger.secret n
	    WHERE n.app = p_app AND n.name = s.name)
	ORDER BY s.counter, s.name LIMIT p_limit;
	RETURN QUERY SELECT '', 0::bigint, false, ''::bytea, 0::bigint,
	    m.counter, m.mac FROM claviger.manifest m WHERE m.app = p_app;
END $$;

-- STABLE: one snapshot. Three short queries cost less than one with all in it.
-- Their plans are made once a connection, perhaps while the tables are empty.
-- Who has the newest manifest gets its head alone, without the links.
CREATE FUNCTION claviger.get_secret(p_app text, p_name text,
    p_version bigint, p_counter bigint, p_limit bigint, OUT kind bigint,
    OUT name text, OUT version bigint, OUT deleted boolean,
    OUT key_version bigint, OUT hash bytea, OUT record bytea,
    OUT counter bigint) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
	newest bigint;
BEGIN
	SELECT 0, '', 0, false, 0, CASE WHEN m.counter > p_counter
	    THEN m.mac ELSE substr(m.mac, 1, 68) END, '', m.counter, m.counter
	INTO kind, name, version, deleted, key_version, hash, record, counter,
	    newest
	FROM claviger.manifest m WHERE m.app = p_app;
	IF FOUND THEN
		RETURN NEXT;
	END IF;
	SELECT 1, s.name, s.version, s.deleted, s.key_version, s.hash,
	    s.record, s.counter
	INTO kind, name, version, deleted, key_version, hash, record, counter
	FROM claviger.secret s WHERE s.app = p_app AND s.name = p_name
	AND s.version BETWEEN p_version
	AND coalesce(nullif(p_version, 0), 9223372036854775807)
	ORDER BY s.version DESC LIMIT 1;
	IF FOUND THEN
		RETURN NEXT;
	END IF;
	IF newest > p_counter THEN
		RETURN QUERY SELECT 2::bigint, s.name, s.version, s.deleted,
		    s.key_version, s.hash, ''::bytea, s.counter
		FROM claviger.secret s
		WHERE s.app = p_app AND s.counter > p_counter
		AND s.version = (SELECT max(n.version)
		    FROM claviger.secret n
		    WHERE n.app = p_app AND n.name = s.name)
		ORDER BY s.counter, s.name LIMIT p_limit;
	END IF;
END $$;

CREATE FUNCTION claviger.put_secrets(p_app text, p_epoch bigint,
    p_counter bigint, p_mac bytea, p_op_id bytea, p_names text[],
    p_versions bigint[], p_key_versions bigint[], p_hashes bytea[],
    p_records bytea[], p_keeps bigint[], p_ops bytea[], OUT state bigint,
    OUT counter bigint) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
	UPDATE claviger.manifest m SET counter = p_counter + 1,
	    mac = CASE WHEN octet_length(p_mac) BETWEEN 32 AND 1200 THEN p_mac END,
	    op_id = CASE WHEN octet_length(p_op_id) = 16 THEN p_op_id END
	FROM (SELECT FROM claviger.system WHERE epoch >= p_epoch FOR KEY SHARE) s
	WHERE m.app = p_app AND m.counter = p_counter
	AND m.key_version > 0 AND p_key_versions <@ ARRAY[0, m.key_version]
	AND NOT EXISTS (SELECT FROM claviger.secret o
	    WHERE o.op_id = ANY (p_ops))
	AND NOT EXISTS (SELECT FROM claviger.op o
	    WHERE o.op_id = ANY (p_ops));
	IF NOT FOUND THEN
		PERFORM claviger.guard_member(p_epoch);
		SELECT * INTO state, counter FROM claviger.why_not(p_app,
		    p_counter, p_op_id, p_ops);
		RETURN;
	END IF;
	state := 1;
	counter := p_counter + 1;
	INSERT INTO claviger.secret (app, name, version, deleted, key_version,
	    record, hash, counter, op_id)
	SELECT p_app, r.name, r.version, CASE WHEN r.version > 0
	    AND octet_length(r.name) BETWEEN 1 AND 128
	    AND octet_length(r.record) <= 61517
	    AND (octet_length(r.record) = 0) = (r.key_version = 0)
	    AND octet_length(r.hash) = 32 AND octet_length(r.op_id) = 16
	    THEN r.key_version = 0 END,
	    r.key_version, r.record, r.hash, p_counter + 1, r.op_id
	FROM unnest(p_names, p_versions, p_key_versions, p_records, p_hashes,
	    p_ops) AS r (name, version, key_version, record, hash, op_id);
	IF 0 < ANY (p_keeps) THEN
		PERFORM claviger.prune(p_app, p_names, p_keeps);
	END IF;
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
	    extract(epoch FROM clock_timestamp() - s.at))::bigint,
	    row_number() OVER (ORDER BY s.version DESC) = 1
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
	PERFORM claviger.lock_system();
	SELECT * INTO s FROM claviger.system;
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
	INSERT INTO claviger.manifest AS m (app, counter, mac, op_id,
	    key_version)
	VALUES (p_app, CASE WHEN octet_length(p_app) BETWEEN 1 AND 64
	    AND octet_length(p_mac) BETWEEN 32 AND 1200 AND p_counter > 0
	    THEN p_counter END, p_mac, p_op_id, 1)
	ON CONFLICT (app) DO UPDATE SET counter = excluded.counter,
	    mac = excluded.mac, op_id = excluded.op_id, key_version = 1
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

-- The keys at once; of the secrets as many as can be deleted in time, though
-- each were as long as one can be.
CREATE FUNCTION claviger.drop_app(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_app text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF claviger.start_op(p_epoch, p_instance, p_op_id) THEN
		UPDATE claviger.manifest SET counter = counter + 1,
		    mac = decode(repeat('00', 32), 'hex'), op_id = p_op_id,
		    key_version = 0
		WHERE app = p_app;
		DELETE FROM claviger.data_key WHERE app = p_app;
	ELSIF NOT EXISTS (SELECT FROM claviger.manifest
	    WHERE app = p_app AND op_id = p_op_id) THEN
		RETURN true;
	END IF;
	DELETE FROM claviger.secret WHERE ctid = ANY (ARRAY(SELECT s.ctid
	    FROM claviger.secret s WHERE s.app = p_app LIMIT 1000));
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
	SELECT count(*) FILTER (WHERE x.newest AND NOT x.deleted), count(*),
	    (SELECT count(*) FROM claviger.data_key k WHERE k.app = p_app)
	FROM (SELECT s.deleted, lead(s.name) OVER (ORDER BY s.name, s.version)
	    IS DISTINCT FROM s.name AS newest
	    FROM claviger.secret s WHERE s.app = p_app) x;
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
	UPDATE claviger.manifest f SET counter = p_counter + 1,
	    mac = CASE WHEN octet_length(p_mac) BETWEEN 32 AND 1200
	    THEN p_mac END, op_id = p_op_id, key_version = p_version
	WHERE f.app = p_app AND f.key_version = p_version - 1
	AND p_version BETWEEN 2 AND 1000;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'not the version after the newest data key'
		USING ERRCODE = 'CL002';
	END IF;
	INSERT INTO claviger.op (op_id) VALUES (p_op_id);
	INSERT INTO claviger.data_key (app, version, generation, wrapped)
	VALUES (p_app, p_version, p_generation, p_wrapped);
	state := 1;
	counter := p_counter + 1;
END $$;

CREATE FUNCTION claviger.get_records(p_app text, p_key_version bigint,
    p_name text, p_version bigint, p_limit bigint, OUT name text,
    OUT version bigint, OUT current boolean, OUT key_version bigint,
    OUT record bytea) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT s.name, s.version, NOT EXISTS (SELECT FROM claviger.secret n
	    WHERE n.app = p_app AND n.name = s.name AND n.version > s.version),
	    s.key_version, s.record
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
	n bigint;
BEGIN
	PERFORM claviger.guard(p_epoch, p_instance);
	UPDATE claviger.manifest m SET counter = p_counter + 1,
	    mac = CASE WHEN octet_length(p_mac) BETWEEN 32 AND 1200 THEN p_mac END,
	    op_id = CASE WHEN octet_length(p_op_id) = 16 THEN p_op_id END
	WHERE m.app = p_app AND m.counter = p_counter;
	IF NOT FOUND THEN
		SELECT * INTO state, counter FROM claviger.why_not(p_app,
		    p_counter, p_op_id, '{}');
		RETURN;
	END IF;
	state := 1;
	counter := p_counter + 1;
	UPDATE claviger.secret s SET hash = r.hash,
	    record = CASE WHEN octet_length(r.hash) = 32
	    AND octet_length(r.record) BETWEEN 1 AND 61517 THEN r.record END,
	    key_version = r.key_version, counter = CASE WHEN EXISTS (SELECT
	    FROM claviger.secret o WHERE o.app = p_app AND o.name = r.name
	    AND o.version > r.version) THEN s.counter ELSE p_counter + 1 END
	FROM unnest(p_names, p_versions, p_key_versions, p_hashes, p_records)
	    AS r (name, version, key_version, hash, record)
	WHERE s.app = p_app AND s.name = r.name AND s.version = r.version
	AND s.key_version < r.key_version AND NOT s.deleted;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n <> cardinality(p_names) THEN
		RAISE EXCEPTION 'a record is not there, or has a newer key'
		USING ERRCODE = 'CL002';
	END IF;
END $$;

-- What is new belongs to nobody; then the two roles get their functions.
REVOKE ALL ON ALL TABLES IN SCHEMA claviger
    FROM PUBLIC, claviger_server, claviger_member;
REVOKE ALL ON FUNCTION
    claviger.lock_system(),
    claviger.guard_member(bigint),
    claviger.why_not(text, bigint, bytea, bytea[]),
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
