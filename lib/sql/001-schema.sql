-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Claviger's schema, version 1. Sent as one query, so it is one transaction.
-- Once released, a migration is never edited: the next change is 002.
--
-- The tables belong to the role that migrates; the server role reaches them by
-- the functions below alone. Each function that it may call is SECURITY
-- DEFINER with a fixed search_path (pg_temp last, or a temporary table could
-- stand in for a real one). Names in `claviger` are always qualified.
--
-- Errors: CL001 stale epoch, CL002 wrong version.

CREATE SCHEMA claviger;
REVOKE ALL ON SCHEMA claviger FROM PUBLIC;

CREATE TABLE claviger.schema_version (
	version bigint PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO claviger.schema_version (version) VALUES (1);

-- One row: who may write. It is locked FOR SHARE by every protected write and
-- changed by a take-over, so that the two wait for each other.
CREATE TABLE claviger.system (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	system_id bytea NOT NULL CHECK (octet_length(system_id) = 16),
	epoch bigint NOT NULL CHECK (epoch > 0),
	holder bigint NOT NULL CHECK (holder BETWEEN 0 AND 255),
	instance bytea NOT NULL CHECK (octet_length(instance) = 16),
	lease_ms bigint NOT NULL CHECK (lease_ms BETWEEN 0 AND 3600000),
	lease_expires timestamptz NOT NULL,
	timeline bigint NOT NULL
);

-- Every epoch once: a fork of the history is a visible error.
CREATE TABLE claviger.epoch_log (
	epoch bigint PRIMARY KEY CHECK (epoch > 0),
	holder bigint NOT NULL CHECK (holder BETWEEN 1 AND 255),
	instance bytea NOT NULL CHECK (octet_length(instance) = 16),
	timeline bigint NOT NULL,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE claviger.list (
	version bigint PRIMARY KEY CHECK (version > 0),
	body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 8389632),
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE claviger.escrow (
	node bigint PRIMARY KEY CHECK (node BETWEEN 1 AND 255),
	generation bigint NOT NULL CHECK (generation BETWEEN 1 AND 4294967295),
	body bytea NOT NULL CHECK (octet_length(body) BETWEEN 6 AND 65536),
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE claviger.tls (
	thumb bytea PRIMARY KEY CHECK (octet_length(thumb) = 32),
	body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 65536),
	seq bigint GENERATED ALWAYS AS IDENTITY,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE claviger.join_request (
	name text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 253),
	body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 65536),
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE claviger.ack (
	node bigint PRIMARY KEY CHECK (node BETWEEN 1 AND 255),
	list_version bigint NOT NULL CHECK (list_version > 0),
	generation bigint NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
	sig bytea NOT NULL CHECK (octet_length(sig) = 64),
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE claviger.backup (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	generation bigint NOT NULL CHECK (generation BETWEEN 1 AND 4294967295),
	body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 65536),
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Done operations: what resolves an outcome that is not known.
CREATE TABLE claviger.op (
	op_id bytea PRIMARY KEY CHECK (octet_length(op_id) = 16),
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX op_at ON claviger.op (at);

-- Parts that only the functions below call.

CREATE FUNCTION claviger.timeline() RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	-- not pg_control_checkpoint(): that lags behind after a promotion
	SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))
	    ::bit(32)::bigint;
$$;

CREATE FUNCTION claviger.age_s(p_at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT greatest(0, extract(epoch FROM clock_timestamp() - p_at))::bigint;
$$;

CREATE FUNCTION claviger.u32(p bytea, p_at bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
	SELECT get_byte(p, p_at::int)::bigint << 24
	    | get_byte(p, p_at::int + 1) << 16
	    | get_byte(p, p_at::int + 2) << 8 | get_byte(p, p_at::int + 3);
$$;

-- The fence: held until the transaction ends. FOR SHARE, because FOR KEY SHARE
-- would not wait for a take-over.
CREATE FUNCTION claviger.guard(p_epoch bigint, p_instance bytea) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM 1 FROM claviger.system WHERE epoch = p_epoch
	    AND instance = p_instance AND holder <> 0 FOR SHARE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'stale epoch' USING ERRCODE = 'CL001';
	END IF;
END $$;

-- Guard, and true when this operation has not been done yet.
CREATE FUNCTION claviger.start_op(p_epoch bigint, p_instance bytea,
    p_op_id bytea) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM claviger.guard(p_epoch, p_instance);
	DELETE FROM claviger.op WHERE at < clock_timestamp() - interval '1 day'
	    AND op_id <> p_op_id;
	INSERT INTO claviger.op (op_id) VALUES (p_op_id) ON CONFLICT DO NOTHING;
	RETURN FOUND;
END $$;

-- One escrow row (u8 node, u32 generation, ...); false when the copy that is
-- there is of a newer generation.
CREATE FUNCTION claviger.set_escrow(p_row bytea) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO claviger.escrow AS e (node, generation, body)
	VALUES (get_byte(p_row, 0), claviger.u32(p_row, 1), p_row)
	ON CONFLICT (node) DO UPDATE SET generation = excluded.generation,
	    body = excluded.body, at = excluded.at
	WHERE e.generation <= excluded.generation;
	RETURN FOUND;
END $$;

-- Escrow rows as (u32 length, row)*.
CREATE FUNCTION claviger.set_escrows(p bytea) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	pos bigint := 0;
	len bigint;
BEGIN
	WHILE pos < octet_length(p) LOOP
		len := claviger.u32(p, pos);
		IF len NOT BETWEEN 6 AND 65536
		    OR pos + 4 + len > octet_length(p) THEN
			RAISE EXCEPTION 'escrow rows are not well-formed'
			USING ERRCODE = '22023';
		END IF;
		IF NOT claviger.set_escrow(
		    substr(p, (pos + 5)::int, len::int)) THEN
			RAISE EXCEPTION 'escrow copy older than the stored one'
			USING ERRCODE = 'CL002';
		END IF;
		pos := pos + 4 + len;
	END LOOP;
END $$;

-- The server's statements, one function each.

-- The first two columns keep their names and types in every later version: by
-- them a program finds out that the schema is not its own.
CREATE FUNCTION claviger.hello(OUT system_id bytea, OUT schema bigint,
    OUT epoch bigint, OUT holder bigint, OUT instance bytea,
    OUT lease_left_ms bigint, OUT list_version bigint, OUT timeline bigint,
    OUT pg_system_id bigint) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT s.system_id,
	    (SELECT max(v.version) FROM claviger.schema_version v),
	    s.epoch, s.holder, s.instance,
	    -- a clock set back must not stretch the lease beyond its length
	    least(s.lease_ms, greatest(0, floor(1000
	        * extract(epoch FROM s.lease_expires - clock_timestamp()))))
	        ::bigint,
	    (SELECT coalesce(max(l.version), 0) FROM claviger.list l),
	    claviger.timeline(),
	    (SELECT c.system_identifier FROM pg_control_system() c)
	FROM claviger.system s;
$$;

CREATE FUNCTION claviger.get_list(p_known bigint, OUT version bigint,
    OUT body bytea) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT n.version, n.body FROM (SELECT l.version, l.body
	    FROM claviger.list l ORDER BY l.version DESC LIMIT 1) n
	WHERE n.version <> p_known;
$$;

-- Compare and set. A live lease of somebody else is no obstacle: who may take
-- over is decided by the cluster, or by whoever reads lease_left_ms first.
CREATE FUNCTION claviger.take_epoch(p_seen bigint, p_new bigint,
    p_holder bigint, p_instance bytea, p_timeline bigint, p_lease_ms bigint,
    OUT epoch bigint, OUT taken boolean) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	s claviger.system;
BEGIN
	SELECT * INTO s FROM claviger.system FOR UPDATE;
	-- a repeat, after an outcome that was not known
	taken := s.epoch = p_new AND s.instance = p_instance
	    AND s.holder = p_holder;
	epoch := coalesce(s.epoch, 0); -- none before there is a system
	IF taken OR s.epoch IS DISTINCT FROM p_seen OR p_new <= s.epoch
	    OR p_timeline <> claviger.timeline() THEN
		taken := coalesce(taken, false);
		RETURN;
	END IF;
	UPDATE claviger.system SET epoch = p_new, holder = p_holder,
	    instance = p_instance, timeline = p_timeline,
	    lease_ms = p_lease_ms, lease_expires = clock_timestamp()
	    + p_lease_ms * interval '1 millisecond';
	INSERT INTO claviger.epoch_log (epoch, holder, instance, timeline)
	VALUES (p_new, p_holder, p_instance, p_timeline);
	epoch := p_new;
	taken := true;
END $$;

CREATE FUNCTION claviger.renew_lease(p_epoch bigint, p_instance bytea,
    p_lease_ms bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE claviger.system SET lease_ms = p_lease_ms,
	    lease_expires = clock_timestamp()
	    + p_lease_ms * interval '1 millisecond'
	WHERE epoch = p_epoch AND instance = p_instance AND holder <> 0;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'stale epoch' USING ERRCODE = 'CL001';
	END IF;
	RETURN true;
END $$;

CREATE FUNCTION claviger.release(p_epoch bigint, p_instance bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE claviger.system SET holder = 0, lease_ms = 0,
	    lease_expires = clock_timestamp()
	WHERE epoch = p_epoch AND instance = p_instance;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'stale epoch' USING ERRCODE = 'CL001';
	END IF;
	RETURN true;
END $$;

CREATE FUNCTION claviger.put_list(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_version bigint, p_body bytea, p_escrow bytea,
    p_drop_join text) RETURNS boolean
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
	RETURN true;
END $$;

-- The lock waits for every protected write that has passed its guard, one that
-- waits for a synchronous standby too: false means not done, not "not yet".
CREATE FUNCTION claviger.get_op(p_op_id bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM 1 FROM claviger.system FOR UPDATE;
	RETURN EXISTS (SELECT FROM claviger.op WHERE op_id = p_op_id);
END $$;

CREATE FUNCTION claviger.get_escrow(p_node bigint, OUT body bytea)
RETURNS SETOF bytea
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT e.body FROM claviger.escrow e WHERE e.node = p_node;
$$;

CREATE FUNCTION claviger.put_escrow(p_node bigint, p_generation bigint,
    p_row bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF get_byte(p_row, 0) IS DISTINCT FROM p_node
	    OR claviger.u32(p_row, 1) IS DISTINCT FROM p_generation THEN
		RAISE EXCEPTION 'escrow row of another node or generation'
		USING ERRCODE = '22023';
	END IF;
	RETURN claviger.set_escrow(p_row);
END $$;

CREATE FUNCTION claviger.get_tls(OUT thumb bytea, OUT body bytea)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT t.thumb, t.body FROM claviger.tls t ORDER BY t.seq DESC;
$$;

-- Current and next, and two more for whoever comes late.
CREATE FUNCTION claviger.put_tls(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_thumb bytea, p_row bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT claviger.start_op(p_epoch, p_instance, p_op_id) THEN
		RETURN true;
	END IF;
	INSERT INTO claviger.tls (thumb, body) VALUES (p_thumb, p_row)
	ON CONFLICT (thumb) DO UPDATE SET body = excluded.body, at = excluded.at;
	DELETE FROM claviger.tls WHERE thumb NOT IN
	    (SELECT t.thumb FROM claviger.tls t ORDER BY t.seq DESC LIMIT 4);
	RETURN true;
END $$;

-- At most 64 requests are kept; the oldest gives way.
CREATE FUNCTION claviger.put_join(p_name text, p_body bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE claviger.join_request IN SHARE ROW EXCLUSIVE MODE;
	INSERT INTO claviger.join_request (name, body) VALUES (p_name, p_body)
	ON CONFLICT (name) DO UPDATE SET body = excluded.body,
	    at = excluded.at;
	DELETE FROM claviger.join_request WHERE name IN
	    (SELECT j.name FROM claviger.join_request j
	    ORDER BY j.at DESC, j.name = p_name DESC OFFSET 64);
	RETURN true;
END $$;

CREATE FUNCTION claviger.get_joins(OUT name text, OUT body bytea,
    OUT age_s bigint) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT j.name, j.body, claviger.age_s(j.at)
	FROM claviger.join_request j ORDER BY j.name LIMIT 64;
$$;

-- False for a list that this database does not know, or knows better.
CREATE FUNCTION claviger.put_ack(p_node bigint, p_list_version bigint,
    p_generation bigint, p_sig bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO claviger.ack AS a (node, list_version, generation, sig)
	SELECT p_node, p_list_version, p_generation, p_sig
	WHERE p_list_version <= (SELECT max(version) FROM claviger.list)
	ON CONFLICT (node) DO UPDATE SET list_version = excluded.list_version,
	    generation = excluded.generation, sig = excluded.sig,
	    at = excluded.at
	WHERE a.list_version <= excluded.list_version;
	RETURN FOUND;
END $$;

CREATE FUNCTION claviger.get_acks(OUT node bigint, OUT list_version bigint,
    OUT generation bigint, OUT sig bytea, OUT age_s bigint)
RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.node, a.list_version, a.generation, a.sig, claviger.age_s(a.at)
	FROM claviger.ack a ORDER BY a.node;
$$;

CREATE FUNCTION claviger.put_backup(p_epoch bigint, p_instance bytea,
    p_op_id bytea, p_generation bigint, p_body bytea) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT claviger.start_op(p_epoch, p_instance, p_op_id) THEN
		RETURN true;
	END IF;
	INSERT INTO claviger.backup (generation, body)
	VALUES (p_generation, p_body);
	DELETE FROM claviger.backup WHERE id IN
	    (SELECT b.id FROM claviger.backup b ORDER BY b.id DESC OFFSET 32);
	RETURN true;
END $$;

CREATE FUNCTION claviger.get_backups(OUT generation bigint, OUT body bytea,
    OUT age_s bigint) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT b.generation, b.body, claviger.age_s(b.at)
	FROM claviger.backup b ORDER BY b.id DESC LIMIT 32;
$$;

-- The owner's: a new system, whole or not at all. The second of two gets a
-- unique violation of system. Its lease is over from the start.
CREATE FUNCTION claviger.create_system(p_system_id bytea, p_epoch bigint,
    p_holder bigint, p_list bytea, p_escrow bytea, p_thumb bytea,
    p_tls_row bytea, p_backup bytea) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	nobody CONSTANT bytea := decode(repeat('00', 16), 'hex');
BEGIN
	INSERT INTO claviger.system (system_id, epoch, holder, instance,
	    lease_ms, lease_expires, timeline)
	VALUES (p_system_id, p_epoch, p_holder, nobody, 0, clock_timestamp(),
	    claviger.timeline());
	INSERT INTO claviger.epoch_log (epoch, holder, instance, timeline)
	VALUES (p_epoch, p_holder, nobody, claviger.timeline());
	INSERT INTO claviger.list (version, body) VALUES (1, p_list);
	IF get_byte(p_escrow, 0) <> p_holder THEN
		RAISE EXCEPTION 'escrow row of another node'
		USING ERRCODE = '22023';
	END IF;
	PERFORM claviger.set_escrow(p_escrow);
	INSERT INTO claviger.tls (thumb, body) VALUES (p_thumb, p_tls_row);
	INSERT INTO claviger.backup (generation, body) VALUES (1, p_backup);
	RETURN true;
END $$;

-- Default privileges of the database may have given more than this.
REVOKE ALL ON ALL TABLES IN SCHEMA claviger
    FROM PUBLIC, claviger_server, claviger_member;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA claviger
    FROM PUBLIC, claviger_server, claviger_member;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA claviger
    FROM PUBLIC, claviger_server, claviger_member;
GRANT USAGE ON SCHEMA claviger TO claviger_server;
GRANT EXECUTE ON FUNCTION
    claviger.hello(),
    claviger.get_list(bigint),
    claviger.take_epoch(bigint, bigint, bigint, bytea, bigint, bigint),
    claviger.renew_lease(bigint, bytea, bigint),
    claviger.release(bigint, bytea),
    claviger.put_list(bigint, bytea, bytea, bigint, bytea, bytea, text),
    claviger.get_op(bytea),
    claviger.get_escrow(bigint),
    claviger.put_escrow(bigint, bigint, bytea),
    claviger.get_tls(),
    claviger.put_tls(bigint, bytea, bytea, bytea, bytea),
    claviger.put_join(text, bytea),
    claviger.get_joins(),
    claviger.put_ack(bigint, bigint, bigint, bytea),
    claviger.get_acks(),
    claviger.put_backup(bigint, bytea, bytea, bigint, bytea),
    claviger.get_backups()
    TO claviger_server;
