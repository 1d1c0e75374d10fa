/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/cli/escrow/cli_recovery.h"
#include "daemon/cli/escrow/cli_restore.h"

/*
 * claviger restore: what it is restored from. A file with a passphrase; what is
 * sealed to the recovery identity, a file or the copy in the database; or the
 * copy in the database of another node, with that node's identity file.
 */
struct from {
	const char *file;	 /* NULL: the database */
	uint8_t *sk;		 /* the guard's; NULL: a passphrase */
	struct clv_identity *id; /* of a node; NULL: sk is the recovery's */
};

static int
from_passphrase(struct cli *c, struct cli_source *s, struct clv_keyring **ret)
{
	const struct from *f = s->arg;

	return cli_backup_open(c, f->file, &s->passphrase, ret);
}

static int
from_recovery(struct cli *c, struct cli_source *s, struct clv_keyring **ret)
{
	const struct from *f = s->arg;

	return cli_recovery_open(
	    c, f->sk, f->file, cli_opt(c, "dry-run") != NULL, ret);
}

static int
open_list(struct cli *c, struct clv_store *db, const uint8_t *pk,
    struct clv_list **ret)
{
	uint8_t known[8];
	const struct clv_param p = clv_param_u64(0, known);
	const void *body;
	size_t len;
	int r = cli_db_hello(c, db);

	if (r == CLV_OK)
		r = cli_db_run(c, db, CLV_STMT_GET_LIST, &p, 1);
	if (r != CLV_OK)
		return r;
	body = clv_store_get(db, 0, 1, &len);
	r = clv_list_open(body, len, pk, ret);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "compare --system with what init printed",
	    "this database's list is not signed by that system: %s",
	    clv_result_text(r));
}

/* The list says which number that node had. */
static int
node_number(struct cli *c, struct clv_store *db, const uint8_t *pk,
    const struct clv_identity *id, uint8_t *ret)
{
	struct clv_list *list = NULL;
	int r = open_list(c, db, pk, &list);

	if (r != CLV_OK)
		return r;
	*ret = 0;
	for (size_t i = 0; i < list->node_count; i++)
		if (sodium_memcmp(list->nodes[i].party.box_pk, id->box_pk,
			sizeof(id->box_pk)) == 0)
			*ret = list->nodes[i].number;
	clv_list_free(&list);
	return *ret != 0
		   ? CLV_OK
		   : cli_fail(c, CLV_E_NO_IDENTITY,
			 "give the identity of an enrolled node",
			 "no server node has that identity (%s)", id->name);
}

static int
open_row(struct cli *c, struct clv_store *db, const struct clv_identity *id,
    struct clv_keyring **ret)
{
	uint8_t pk[CLV_SIGN_PK_LEN], buf[8], number;
	struct clv_param p;
	const void *row;
	size_t len;
	int r = cli_system_pk(c, pk);

	if (r == CLV_OK)
		r = node_number(c, db, pk, id, &number);
	if (r != CLV_OK)
		return r;
	p = clv_param_u64(number, buf);
	r = cli_db_run(c, db, CLV_STMT_GET_ESCROW, &p, 1);
	if (r != CLV_OK)
		return r;
	if (clv_store_rows(db) == 0)
		return cli_fail(c, CLV_E_NOT_FOUND,
		    "use a backup, or the identity of another node",
		    "the database has no sealed copy of %s", id->name);
	row = clv_store_get(db, 0, 0, &len);
	r = clv_escrow_open(row, len, pk, id, number, ret);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r,
			 "use a backup, or the identity of another node",
			 "the sealed copy of %s was not opened: %s", id->name,
			 clv_result_text(r));
}

int
cli_restore_open_sealed(
    struct cli *c, const struct clv_identity *id, struct clv_keyring **ret)
{
	const char *passfile = c->config.database_passfile;
	struct clv_store *db = NULL;
	int r = cli_db_open(c, c->config.database,
	    passfile[0] != '\0' ? passfile : NULL, false, &db);

	if (r == CLV_OK)
		r = open_row(c, db, id, ret);
	clv_store_free(&db);
	return r;
}

static int
from_node(struct cli *c, struct cli_source *s, struct clv_keyring **ret)
{
	const struct from *f = s->arg;

	if (f->file != NULL)
		return cli_recovery_open(
		    c, f->sk, f->file, cli_opt(c, "dry-run") != NULL, ret);
	return cli_restore_open_sealed(c, f->id, ret);
}

static int
read_identity(
    struct cli *c, const char *path, struct from *f, struct cli_source *s)
{
	int r;

	f->sk = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	if (f->sk == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	r = cli_identity_read(c, path, f->sk, &f->id);
	if (r != CLV_OK)
		return r;
	crypto_scalarmult_base(s->pk, f->sk);
	s->open = f->id != NULL ? from_node : from_recovery;
	return CLV_OK;
}

/* ---- a host of no system ---- */

/* The key that was said may be one of before; what is sealed is signed by the
 * one in force. */
static int
follow(struct cli *c, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	const char *passfile = c->config.database_passfile;
	struct clv_store *db = NULL;
	struct clv_list *list = NULL;
	char key[CLI_BASE64];
	int r = cli_db_open(c, c->config.database,
	    passfile[0] != '\0' ? passfile : NULL, false, &db);

	if (r == CLV_OK)
		r = open_list(c, db, pk, &list);
	if (r == CLV_OK)
		snprintf(c->config.system, sizeof(c->config.system), "%s",
		    cli_base64(list->sign_pk, key));
	clv_list_free(&list);
	clv_store_free(&db);
	return r;
}

static int
bare(struct cli *c, bool sealed)
{
	const char *database = cli_opt(c, "database");
	const char *passfile = cli_opt(c, "database-passfile");
	const char *system = cli_opt(c, "system");
	uint8_t pk[CLV_SIGN_PK_LEN];
	int r;

	if (database == NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger restore --help",
		    "this host belongs to no system yet: --database says "
		    "which one");
	r = cli_db_check(c, "database", database);
	if (r != CLV_OK)
		return r;
	/* Anybody can seal to a public key: what was sealed is believed only
	 * under the system's own signature. */
	if (system == NULL && sealed)
		return cli_fail(c, CLV_E_USAGE,
		    "give the public key that claviger init printed",
		    "what is sealed to a recipient needs --system on a host of "
		    "no system");
	if (system != NULL && cli_key_parse(system, pk) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "copy the 44 characters that claviger init printed",
		    "'%s' is not the public key of a system", system);
	snprintf(
	    c->config.database, sizeof(c->config.database), "%s", database);
	if (passfile != NULL)
		r = cli_absolute(c, passfile, c->config.database_passfile,
		    sizeof(c->config.database_passfile));
	c->config.system[0] = '\0';
	return r == CLV_OK && system != NULL ? follow(c, pk) : r;
}

int
restore_prepare(struct cli *c, struct cli_source *s, bool sealed)
{
	s->bare = c->config_result == CLV_E_NOT_FOUND ||
		  (c->config_result == CLV_OK && c->config.system[0] == '\0');
	if (s->bare)
		return bare(c, sealed);
	if (cli_opt(c, "database") != NULL)
		return cli_fail(c, CLV_E_USAGE, "leave --database away",
		    "this host has joined a system already");
	return cli_need(c, CLI_NEED_CONFIG | CLI_NEED_SYSTEM | CLI_NEED_SERVER);
}

static int
choose(struct cli *c, struct from *f, struct cli_source *s)
{
	const char *identity = cli_opt(c, "identity");

	if (identity != NULL)
		return read_identity(c, identity, f, s);
	if (f->file != NULL)
		return CLV_OK;
	return cli_fail(c, CLV_E_USAGE, "claviger restore --help",
	    "name a backup, or an identity that opens a copy in the database "
	    "(--identity)");
}

/* The system goes on with what this node has. */
static int
accept_rollback(struct cli *c)
{
	int r =
	    cli_need(c, CLI_NEED_CONFIG | CLI_NEED_SYSTEM | CLI_NEED_SERVER);

	return r == CLV_OK ? cli_rollback(c) : r;
}

static int
from_copy(struct cli *c)
{
	struct from f = {.file = c->arg_count > 0 ? c->args[0] : NULL};
	struct cli_source s = {.open = from_passphrase, .arg = &f};
	int r = cli_guard(c);

	if (r == CLV_OK)
		r = choose(c, &f, &s);
	if (r == CLV_OK)
		r = restore_prepare(c, &s, f.sk != NULL);
	if (r == CLV_OK)
		r = cli_restore_from(c, &s);
	clv_identity_free(&f.id);
	clv_guard_put(c->guard, f.sk);
	clv_guard_put(c->guard, s.passphrase);
	return r;
}

int
cli_restore(struct cli *c)
{
	bool rollback = cli_opt(c, "accept-rollback") != NULL;
	bool copy = c->arg_count > 0 || cli_opt(c, "identity") != NULL;

	if (rollback && copy)
		return cli_fail(c, CLV_E_USAGE,
		    "restore the copy first, then accept the database",
		    "--accept-rollback takes no copy");
	return rollback ? accept_rollback(c) : from_copy(c);
}
