/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <sodium.h>
#include "daemon/cli/doctor/cli_doctor.h"
#include "daemon/keeper/coverage.h"

/* The database, by a connection of our own: clavigerd's may be another. */

static int
read_hello(struct doctor *d)
{
	struct clv_store *s = d->store;
	size_t len;
	const void *id;
	int r = clv_store_run(s, CLV_STMT_HELLO, NULL, 0, CLI_TIMEOUT_MS);

	if (r != CLV_OK) {
		snprintf(d->database_why, sizeof(d->database_why), "%s",
		    clv_store_text(s));
		return r;
	}
	if (clv_store_rows(s) == 0) {
		snprintf(d->database_why, sizeof(d->database_why),
		    "it holds no system");
		return CLV_E_NOT_FOUND;
	}
	id = clv_store_get(s, 0, DOCTOR_HELLO_SYSTEM, &len);
	if (len == sizeof(d->system_id))
		memcpy(d->system_id, id, len);
	d->hello[DOCTOR_HELLO_SCHEMA] =
	    clv_store_get_u64(s, 0, DOCTOR_HELLO_SCHEMA);
	if (d->hello[DOCTOR_HELLO_SCHEMA] != CLV_SCHEMA_VERSION)
		return d->hello[DOCTOR_HELLO_SCHEMA] > CLV_SCHEMA_VERSION
			   ? CLV_E_SCHEMA_NEWER
			   : CLV_E_SCHEMA_OLDER;
	for (int i = DOCTOR_HELLO_EPOCH; i <= DOCTOR_HELLO_SERVER; i++)
		if (i != DOCTOR_HELLO_INSTANCE)
			d->hello[i] = clv_store_get_u64(s, 0, (size_t)i);
	return CLV_OK;
}

/* Another system's database is none for us. */
static int
check_system(struct doctor *d)
{
	static const uint8_t none[CLV_SYSTEM_ID_LEN];

	if (memcmp(d->seen.system_id, none, sizeof(none)) == 0 ||
	    memcmp(d->seen.system_id, d->system_id, sizeof(none)) == 0)
		return CLV_OK;
	snprintf(d->database_why, sizeof(d->database_why),
	    "it holds another system than this host's");
	return CLV_E_WRONG_SYSTEM;
}

void
doctor_open(struct doctor *d)
{
	const struct config *config = &d->c->config;
	const char *passfile = config->database_passfile;

	d->database = CLV_E_NOT_FOUND;
	snprintf(d->database_why, sizeof(d->database_why),
	    "%s names no database: secrets cannot be read or written here",
	    d->c->path);
	if (config->database[0] == '\0')
		return;
	d->database_why[0] = '\0';
	d->database = clv_store_connect(config->database,
	    passfile[0] != '\0' ? passfile : NULL,
	    d->is_server ? CLV_STORE_SERVER : CLV_STORE_MEMBER, CLI_TIMEOUT_MS,
	    &d->store, d->database_why);
	if (d->database == CLV_OK)
		d->database = read_hello(d);
	if (d->database == CLV_OK)
		d->database = check_system(d);
	if (d->database == CLV_OK && d->is_server)
		doctor_open_list(d);
}

void
doctor_close(struct doctor *d)
{
	coverage_free(&d->coverage);
	clv_list_free(&d->list);
	clv_buf_fini(&d->list_blob);
	clv_keyring_free(&d->keyring);
	clv_identity_free(&d->id);
	clv_store_free(&d->store);
	clv_client_close(&d->api);
}

void
doctor_database(struct doctor *d)
{
	const char *why = d->database_why, *next = NULL;

	if (d->database == CLV_OK) {
		doctor_note(d, "schema version %" PRIu64,
		    d->hello[DOCTOR_HELLO_SCHEMA]);
		return;
	}
	if (d->database == CLV_E_SCHEMA_OLDER)
		next = "claviger settings upgrade, on a server node";
	else if (d->database == CLV_E_SCHEMA_NEWER)
		next = "upgrade this program";
	doctor_found(d, "", next, "%s",
	    why[0] != '\0' ? why : clv_result_text(d->database));
}

/* The daemon reaches the same server, and that is the one that gave it its
 * epoch. */
void
doctor_server(struct doctor *d)
{
	uint64_t timeline, server, held_timeline, held_server;
	uint8_t body[1024];
	char why[256];
	struct clv_rd rd;
	size_t len;
	bool up;

	if (clv_client_ask(d->api, CLV_API_DATABASE, NULL, 0, body,
		sizeof(body), &len) != CLV_OK) {
		doctor_found(d, "", "claviger doctor again",
		    "clavigerd does not say which one it uses: %s",
		    clv_client_text(d->api));
		return;
	}
	clv_rd_init(&rd, body, len);
	up = clv_rd_u8(&rd) != 0;
	clv_rd_str(&rd, why, sizeof(why));
	(void)clv_rd_u64(&rd); /* epoch */
	(void)clv_rd_u64(&rd); /* list version */
	timeline = clv_rd_u64(&rd);
	server = clv_rd_u64(&rd);
	held_timeline = clv_rd_u64(&rd);
	held_server = clv_rd_u64(&rd);
	if (!up)
		doctor_found(d, "",
		    "wait some seconds; clavigerd's log says more",
		    "clavigerd has no connection to it: %s", why);
	else if (server != d->hello[DOCTOR_HELLO_SERVER] ||
		 timeline != d->hello[DOCTOR_HELLO_TIMELINE])
		doctor_found(d, "", NULL,
		    "clavigerd is connected to server %" PRIu64 ", timeline "
		    "%" PRIu64 ", this command to %" PRIu64
		    ", timeline %" PRIu64,
		    server, timeline, d->hello[DOCTOR_HELLO_SERVER],
		    d->hello[DOCTOR_HELLO_TIMELINE]);
	else if (held_server != 0 &&
		 (held_server != server || held_timeline != timeline))
		doctor_found(d, "", NULL,
		    "the epoch was taken from server %" PRIu64 ", timeline "
		    "%" PRIu64 ", and now it is %" PRIu64 ", timeline %" PRIu64,
		    held_server, held_timeline, server, timeline);
	doctor_note(d, "PostgreSQL system %" PRIu64 ", timeline %" PRIu64,
	    d->hello[DOCTOR_HELLO_SERVER], d->hello[DOCTOR_HELLO_TIMELINE]);
}

/* While a server is in its lease, another one may have been promised more. */
void
doctor_epoch(struct doctor *d)
{
	uint64_t epoch = d->hello[DOCTOR_HELLO_EPOCH];

	if (epoch < d->seen.epoch && d->hello[DOCTOR_HELLO_LEASE] == 0)
		doctor_found(d, "",
		    "let the cluster promote a node; if other checks find the "
		    "database older, too, it was restored: see RESTORED "
		    "DATABASE in claviger(1)",
		    "the database is at epoch %" PRIu64 ", and %" PRIu64
		    " was seen here: it was restored to an earlier day, or a "
		    "promotion has not come to its end",
		    epoch, d->seen.epoch);
	doctor_note(
	    d, "%" PRIu64 ", seen here: %" PRIu64, epoch, d->seen.epoch);
}

void
doctor_version(struct doctor *d)
{
	uint64_t version = d->hello[DOCTOR_HELLO_LIST];

	if (version < d->seen.list_version)
		doctor_found(d, "", NULL,
		    "the database has version %" PRIu64 " of the signed list, "
		    "and version %" PRIu64 " was seen here: it was restored to "
		    "an earlier day, or a row was taken away",
		    version, d->seen.list_version);
	doctor_note(d, "%" PRIu64 ", seen here: %" PRIu64, version,
	    d->seen.list_version);
}
