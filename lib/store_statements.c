/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store_internal.h"

/*
 * Columns are named, never "*": a later schema may add some to a function, and
 * an older program must still understand hello() to say so.
 */
#define CALL(function) "SELECT claviger." function " AS ok"

static const struct clv__statement table[CLV_STMT_LAST] = {
    [CLV_STMT_HELLO] = {"hello",
	"SELECT system_id, schema, epoch, holder, instance, lease_left_ms,"
	" list_version, timeline, pg_system_id FROM claviger.hello()",
	"", "biiibiiii", false, false},
    [CLV_STMT_GET_LIST] = {"get list",
	"SELECT version, body FROM claviger.get_list($1)", "i", "ib", false,
	false},
    [CLV_STMT_TAKE_EPOCH] = {"take epoch",
	"SELECT epoch, taken, before_ms, others_ms"
	" FROM claviger.take_epoch($1, $2, $3, $4, $5, $6)",
	"iiibii", "ioii", true, true},
    [CLV_STMT_RENEW_LEASE] = {"renew lease", CALL("renew_lease($1, $2, $3)"),
	"ibi", "o", true, true},
    [CLV_STMT_RELEASE] = {"release", CALL("release($1, $2)"), "ib", "o", true,
	true},
    [CLV_STMT_PUT_LIST] = {"put list",
	CALL("put_list($1, $2, $3, $4, $5, $6, $7, $8)"), "ibbibbti", "o", true,
	true},
    /* takes a lock, but changes nothing: no outcome to be unknown */
    [CLV_STMT_GET_OP] = {"get operation", CALL("get_op($1)"), "b", "o", false,
	true},
    [CLV_STMT_GET_ESCROW] = {"get escrow",
	"SELECT body FROM claviger.get_escrow($1)", "i", "b", false, false},
    [CLV_STMT_PUT_ESCROW] = {"put escrow", CALL("put_escrow($1, $2, $3)"),
	"iib", "o", true, true},
    [CLV_STMT_GET_TLS] = {"get certificates",
	"SELECT thumb, body FROM claviger.get_tls()", "", "bb", false, false},
    [CLV_STMT_PUT_TLS] = {"put certificate",
	CALL("put_tls($1, $2, $3, $4, $5)"), "ibbbb", "o", true, true},
    [CLV_STMT_PUT_JOIN] = {"put join request", CALL("put_join($1, $2)"), "tb",
	"o", true, true},
    [CLV_STMT_GET_JOINS] = {"get join requests",
	"SELECT name, body, age_s FROM claviger.get_joins()", "", "tbi", false,
	false},
    [CLV_STMT_PUT_ACK] = {"put acknowledgement",
	CALL("put_ack($1, $2, $3, $4)"), "iiib", "o", true, true},
    [CLV_STMT_GET_ACKS] = {"get acknowledgements",
	"SELECT node, list_version, generation, sig, age_s"
	" FROM claviger.get_acks()",
	"", "iiibi", false, false},
    [CLV_STMT_PUT_BACKUP] = {"put backup record",
	CALL("put_backup($1, $2, $3, $4, $5)"), "ibbib", "o", true, true},
    [CLV_STMT_GET_BACKUPS] = {"get backup records",
	"SELECT generation, body, age_s FROM claviger.get_backups()", "", "ibi",
	false, false},

    /* applications: members' */
    [CLV_STMT_GET_KEYS] = {"get data keys",
	"SELECT version, generation, wrapped FROM claviger.get_keys($1)", "t",
	"iib", false, false},
    [CLV_STMT_GET_CHANGES] = {"get changes",
	"SELECT name, version, deleted, hash, counter, m_counter, m_mac"
	" FROM claviger.get_changes($1, $2, $3, $4)",
	"titi", "tiobiib", false, false},
    [CLV_STMT_GET_SECRET] = {"get secret",
	"SELECT kind, name, version, deleted, key_version, hash, record,"
	" counter FROM claviger.get_secret($1, $2, $3, $4, $5)",
	"ttiii", "itioibbi", false, false},
    [CLV_STMT_PUT_SECRETS] = {"put secrets",
	"SELECT state, counter FROM claviger.put_secrets($1, $2, $3, $4, $5,"
	" $6, $7, $8, $9, $10, $11, $12)",
	"tiibbTIIBBIB", "ii", true, true},
    [CLV_STMT_GET_OPS] = {"get operations",
	"SELECT op_id, app, name, version FROM claviger.get_ops($1)", "B",
	"btti", false, false},
    [CLV_STMT_HISTORY] = {"history of a secret",
	"SELECT version, deleted, key_version, age_s, current"
	" FROM claviger.history($1, $2)",
	"tt", "ioiio", false, false},

    /* applications: the active server's */
    [CLV_STMT_INIT_APP] = {"new application",
	CALL("init_app($1, $2, $3, $4, $5, $6, $7, $8, $9)"), "ibbtibbbi", "o",
	true, true},
    [CLV_STMT_DROP_APP] = {"drop application", CALL("drop_app($1, $2, $3, $4)"),
	"ibbt", "o", true, true},
    [CLV_STMT_GET_HEADS] = {"get heads",
	"SELECT app, counter, mac FROM claviger.get_heads($1, $2)", "ti", "tib",
	false, false},
    [CLV_STMT_COUNT_SECRETS] = {"count secrets",
	"SELECT secrets, versions, keys FROM claviger.count_secrets($1)", "t",
	"iii", false, false},
    [CLV_STMT_COUNT_KEYS] = {"count data keys",
	"SELECT generation, keys, indexes FROM claviger.count_keys()", "",
	"iii", false, false},
    [CLV_STMT_GET_OLD_KEYS] = {"get older data keys",
	"SELECT app, version, generation, wrapped"
	" FROM claviger.get_old_keys($1, $2, $3, $4, $5)",
	"iitii", "tiib", false, false},
    [CLV_STMT_PUT_REWRAPPED] = {"put rewrapped data keys",
	"SELECT claviger.put_rewrapped($1, $2, $3, $4, $5, $6, $7) AS n",
	"ibiTIIB", "i", true, true},
    [CLV_STMT_ADD_KEY] = {"add data key",
	"SELECT state, counter FROM claviger.add_key($1, $2, $3, $4, $5, $6,"
	" $7, $8, $9)",
	"ibbtibiib", "ii", true, true},
    [CLV_STMT_GET_RECORDS] = {"get records",
	"SELECT name, version, current, key_version, record"
	" FROM claviger.get_records($1, $2, $3, $4, $5)",
	"titii", "tioib", false, false},
    [CLV_STMT_PUT_RECORDS] = {"put records",
	"SELECT state, counter FROM claviger.put_records($1, $2, $3, $4, $5,"
	" $6, $7, $8, $9, $10, $11)",
	"ibbtibTIIBB", "ii", true, true},
    [CLV_STMT_GET_ESCROWS] = {"get sealed copies",
	"SELECT node, generation, age_s FROM claviger.get_escrows()", "", "iii",
	false, false},
    [CLV_STMT_DROP_ESCROWS] = {"drop sealed copies",
	"SELECT claviger.drop_escrows($1, $2, $3) AS n", "ibI", "i", true,
	true},
    [CLV_STMT_PUT_REMINDER] = {"put reminder", CALL("put_reminder($1, $2)"),
	"bb", "o", true, true},
    [CLV_STMT_GET_REMINDERS] = {"get reminders",
	"SELECT file, body, age_s FROM claviger.get_reminders($1)", "b", "bbi",
	false, false},
    [CLV_STMT_PUT_AUDIT] = {"put audit rows",
	"SELECT claviger.put_audit($1, $2, $3) AS state", "iiB", "i", true,
	true},
    [CLV_STMT_GET_AUDIT] = {"get audit rows",
	"SELECT seq, body FROM claviger.get_audit($1, $2)", "ii", "ib", false,
	false},
    [CLV_STMT_GET_AUDIT_HEAD] = {"get the newest audit row",
	"SELECT seq, body FROM claviger.get_audit_head($1)", "i", "ib", false,
	false},
};

const struct clv__statement *
clv__statement_get(enum clv_stmt stmt)
{
	if ((int)stmt < CLV_STMT_HELLO || stmt >= CLV_STMT_LAST)
		return NULL;
	return &table[stmt];
}

size_t
clv_store_param_count(enum clv_stmt stmt)
{
	const struct clv__statement *st = clv__statement_get(stmt);
	size_t n = 0;

	while (st != NULL && st->params[n] != '\0')
		n++;
	return n;
}

const char *
clv_store_stmt_name(enum clv_stmt stmt)
{
	const struct clv__statement *st = clv__statement_get(stmt);

	return st == NULL ? "unknown statement" : st->name;
}
