-- SPDX-License-Identifier: LGPL-2.1-or-later
-- Claviger's schema, version 3: reminders of the passphrases of backups, so that
-- no file bears its own. Sent as one query, so it is one transaction, as 001 is.

INSERT INTO claviger.schema_version (version) VALUES (3);

-- By the SHA-256 of the file. The row is signed by the system; it outlives the
-- record of the backup, of which scheduled ones let no more than 32 be.
CREATE TABLE claviger.reminder (
	file bytea PRIMARY KEY CHECK (octet_length(file) = 32),
	body bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 4096),
	seq bigint GENERATED ALWAYS AS IDENTITY,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION claviger.put_reminder(p_file bytea, p_body bytea)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO claviger.reminder AS r (file, body)
	VALUES (p_file, p_body)
	ON CONFLICT (file) DO UPDATE SET body = excluded.body;
	DELETE FROM claviger.reminder WHERE seq IN
	    (SELECT r.seq FROM claviger.reminder r
	     ORDER BY r.seq DESC OFFSET 64);
	RETURN true;
END $$;

CREATE FUNCTION claviger.get_reminders(p_file bytea, OUT file bytea,
    OUT body bytea, OUT age_s bigint) RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
	SELECT r.file, r.body, claviger.age_s(r.at)
	FROM claviger.reminder r WHERE p_file = '' OR r.file = p_file
	ORDER BY r.seq DESC LIMIT 64;
$$;

-- Default privileges of the database may have given more than this.
REVOKE ALL ON claviger.reminder FROM PUBLIC, claviger_server, claviger_member;
REVOKE ALL ON SEQUENCE claviger.reminder_seq_seq
    FROM PUBLIC, claviger_server, claviger_member;
REVOKE ALL ON FUNCTION
    claviger.put_reminder(bytea, bytea),
    claviger.get_reminders(bytea)
    FROM PUBLIC, claviger_server, claviger_member;
GRANT EXECUTE ON FUNCTION
    claviger.put_reminder(bytea, bytea),
    claviger.get_reminders(bytea)
    TO claviger_server;
