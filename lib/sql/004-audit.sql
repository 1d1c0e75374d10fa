-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Claviger's schema, version 4: the audit trail. Sent as one query, so it is one
-- transaction, as 001 is.

INSERT INTO claviger.schema_version (version) VALUES (4);

-- Each row is signed by the system, and names the hash of the one before it.
CREATE TABLE claviger.audit (
	seq bigint PRIMARY KEY CHECK (seq > 0),
	body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 4096)
);

-- Rows from p_first on, behind p_last: 1 they were written, 2 they are there
-- already, 0 another row is the newest. Under no epoch: who was the active
-- server may still say what it did, and two that write at once are told.
CREATE FUNCTION claviger.put_audit(p_last bigint, p_first bigint,
    p_bodies bytea[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	newest bigint;
BEGIN
	IF p_first <= p_last THEN
		RAISE EXCEPTION 'rows of the audit trail go upwards'
		USING ERRCODE = '22023';
	END IF;
	LOCK TABLE claviger.audit IN SHARE ROW EXCLUSIVE MODE;
	SELECT coalesce(max(a.seq), 0) INTO newest FROM claviger.audit a;
	IF newest <> p_last THEN
		PERFORM 1 FROM claviger.audit a
		    WHERE a.seq = p_first AND a.body = p_bodies[1];
		RETURN CASE WHEN FOUND THEN 2 ELSE 0 END;
	END IF;
	INSERT INTO claviger.audit (seq, body)
	SELECT p_first + b.n - 1, b.body
	FROM unnest(p_bodies) WITH ORDINALITY AS b (body, n);
	RETURN 1;
END $$;

CREATE FUNCTION claviger.get_audit(p_after bigint, p_limit bigint,
    OUT seq bigint, OUT body bytea) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.seq, a.body FROM claviger.audit a
	WHERE a.seq > p_after ORDER BY a.seq LIMIT p_limit;
$$;

-- The newest row, and that one.
CREATE FUNCTION claviger.get_audit_head(p_seq bigint,
    OUT seq bigint, OUT body bytea) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT a.seq, a.body FROM claviger.audit a
	WHERE a.seq = p_seq
	    OR a.seq = (SELECT max(n.seq) FROM claviger.audit n)
	ORDER BY a.seq;
$$;

-- Default privileges of the database may have given more than this.
REVOKE ALL ON claviger.audit FROM PUBLIC, claviger_server, claviger_member;
REVOKE ALL ON FUNCTION
    claviger.put_audit(bigint, bigint, bytea[]),
    claviger.get_audit(bigint, bigint),
    claviger.get_audit_head(bigint)
    FROM PUBLIC, claviger_server, claviger_member;
GRANT EXECUTE ON FUNCTION
    claviger.put_audit(bigint, bigint, bytea[]),
    claviger.get_audit(bigint, bigint),
    claviger.get_audit_head(bigint)
    TO claviger_server;
