/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/cli/escrow/cli_restore.h"

/*
 * Before anything is changed: what this host has, what the database has, and
 * what would become of both.
 */

static int
open_database(struct cli *c, struct restore *s)
{
	const char *passfile = c->config.database_passfile;
	char why[256] = "";
	int r = clv_store_connect(c->config.database,
	    passfile[0] != '\0' ? passfile : NULL, CLV_STORE_SERVER,
	    CLI_TIMEOUT_MS, &s->db, why);

	/* A node that is enrolled is restored without it, too. */
	if (r == CLV_OK || !s->bare)
		return CLV_OK;
	return cli_fail(c, r,
	    "check that PostgreSQL runs there and lets this user in "
	    "(pg_hba.conf, password file)",
	    "the database cannot be used: %s",
	    why[0] != '\0' ? why : clv_result_text(r));
}

/* A list that the system did not sign is no list: doctor tells of it. */
static int
read_list(struct cli *c, struct restore *s)
{
	uint8_t known[8];
	const struct clv_param p = clv_param_u64(0, known);
	const void *body;
	size_t len;
	int r = cli_db_run(c, s->db, CLV_STMT_GET_LIST, &p, 1);

	if (r != CLV_OK)
		return r;
	body = clv_store_get(s->db, 0, 1, &len);
	r = clv_list_open(body, len, s->pk, &s->there);
	if (r == CLV_OK || !s->bare)
		return CLV_OK;
	return cli_fail(c, r == CLV_E_SIGNATURE ? CLV_E_WRONG_SYSTEM : r,
	    "look for the backup of the system that this database is of",
	    "this database's list is not signed by the system of the keyring: "
	    "%s",
	    clv_result_text(r));
}

static int
ask_database(struct cli *c, struct restore *s)
{
	const void *id;
	size_t len;
	int r = cli_db_hello(c, s->db);

	if (r != CLV_OK)
		return r;
	id = clv_store_get(s->db, 0, 0, &len);
	if (len != CLV_SYSTEM_ID_LEN ||
	    memcmp(id, clv_keyring_system_id(s->keyring), len) != 0)
		return cli_fail(c, CLV_E_WRONG_SYSTEM,
		    "is 'database' this system's? claviger settings show",
		    "the database belongs to another system than the keyring");
	s->epoch = clv_store_get_u64(s->db, 0, 2);
	if (clv_store_get_u64(s->db, 0, 5) > 0)
		s->holder = (uint8_t)clv_store_get_u64(s->db, 0, 3);
	s->list_version = clv_store_get_u64(s->db, 0, 6);
	s->timeline = clv_store_get_u64(s->db, 0, 7);
	return read_list(c, s);
}

static void
look_here(struct cli *c, struct restore *s)
{
	if (s->bare)
		return;
	(void)cli_list_get(c, &s->list);
	(void)cli_keyring_try(c, &s->had);
	if (cli_become(c, &c->config) != CLV_OK)
		return;
	(void)state_load(c->config.state_dir, &s->seen);
	cli_unbecome();
}

/* The entry of this host's name and keys, or NULL. */
static const struct clv_list_node *
own_entry(const struct restore *s)
{
	const struct clv_list *list = s->there != NULL ? s->there : s->list;
	const struct clv_list_node *n;

	if (s->bare || list == NULL)
		return NULL;
	n = clv_list_node_by_name(list, s->host.id->name);
	if (n == NULL || memcmp(n->party.box_pk, s->host.party.box_pk, 32) != 0)
		return NULL;
	return n;
}

/* Nobody is active who could approve it. */
static int
find_node(struct cli *c, struct restore *s)
{
	const struct clv_list_node *n = own_entry(s);

	/* That is not undone by a backup. */
	if (n != NULL && n->revoked)
		return cli_fail(c, CLV_E_REVOKED,
		    "remove its configuration and its state directory, and "
		    "have it join anew",
		    "this node was revoked");
	s->number = n != NULL ? n->number : 0;
	s->enrols = n == NULL && s->there != NULL && s->holder == 0;
	return CLV_OK;
}

int
restore_look(struct cli *c, struct restore *s)
{
	int r;

	look_here(c, s);
	r = open_database(c, s);
	if (r == CLV_OK && s->db != NULL)
		r = ask_database(c, s);
	return r == CLV_OK ? find_node(c, s) : r;
}

int
restore_check(struct cli *c, const struct restore *s)
{
	uint32_t newest = clv_keyring_newest(s->keyring);
	int r = CLV_OK;

	if (s->list != NULL)
		r = cli_keyring_check(c, s->keyring, s->list);
	if (r == CLV_OK && s->there != NULL)
		r = cli_keyring_check(c, s->keyring, s->there);
	if (r != CLV_OK || newest >= s->seen.generation)
		return r;
	return cli_fail(c, CLV_E_STALE,
	    "use a newer backup; claviger status names the newest",
	    "it is older than what this node has seen: its newest generation "
	    "is %u, and %u was current",
	    newest, s->seen.generation);
}

/* What would be done. */

static void
generations(const struct clv_keyring *k, char *dst, size_t cap)
{
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; k != NULL && i < clv_keyring_count(k); i++) {
		at += (size_t)snprintf(dst + at, cap - at, "%s%u",
		    i > 0 ? " " : "", clv_keyring_number(k, i));
		if (at >= cap)
			return;
	}
}

static const char *
node_name(const struct cli *c, const struct restore *s)
{
	const char *given = cli_opt(c, "node");

	if (!s->bare)
		return s->host.id->name;
	return given != NULL ? given : c->config.node;
}

static void
json_generations(
    struct cli_json *j, const char *key, const struct clv_keyring *k)
{
	cli_json_array(j, key);
	for (size_t i = 0; k != NULL && i < clv_keyring_count(k); i++)
		cli_json_u64(
		    cli_json_push(j, key), "number", clv_keyring_number(k, i));
}

static void
json_plan(const struct cli *c, const struct restore *s)
{
	const struct clv_list *list = s->there != NULL ? s->there : s->list;
	struct cli_json *j = cli_json_new();
	char key[CLI_BASE64];

	cli_json_bool(j, "dry_run", true);
	cli_json_str(j, "system", cli_base64(s->pk, key));
	cli_json_str(j, "node", node_name(c, s));
	cli_json_u64(j, "node_number", s->number);
	cli_json_bool(j, "enrols", s->enrols);
	json_generations(j, "generations", s->keyring);
	json_generations(j, "generations_here", s->had);
	cli_json_u64(j, "current_generation",
	    list != NULL ? clv_list_current(list)->number : 0);
	cli_json_u64(j, "list_version", s->list != NULL ? s->list->version : 0);
	cli_json_u64(j, "list_version_there", s->list_version);
	cli_json_bool(j, "replaces", s->had != NULL);
	cli_json_print(j);
}

/* A node that is enrolled under the name, with keys that are not here. */
static bool
has_other(const struct cli *c, const struct restore *s)
{
	const struct clv_list_node *n =
	    s->there != NULL ? clv_list_node_by_name(s->there, node_name(c, s))
			     : NULL;

	return n != NULL && !n->revoked;
}

static void
print_node(const struct cli *c, const struct restore *s)
{
	printf("node                %s", node_name(c, s));
	if (s->number > 0)
		printf(" (number %u)\n", s->number);
	else if (s->enrols)
		printf(", to be enrolled by this keyring: nobody is active%s\n",
		    has_other(c, s) ? "; the node of that name is revoked"
				    : "");
	else
		puts(", not enrolled: claviger node approve it");
}

void
restore_print_plan(struct cli *c, const struct restore *s)
{
	char key[CLI_BASE64], brought[256], here[256];

	if (cli_opt(c, "json") != NULL) {
		json_plan(c, s);
		return;
	}
	generations(s->keyring, brought, sizeof(brought));
	generations(s->had, here, sizeof(here));
	printf("system              %s\n", cli_base64(s->pk, key));
	print_node(c, s);
	printf("generations         %s; here: %s\n", brought,
	    here[0] != '\0' ? here : "none");
	if (s->list != NULL)
		printf("signed list here    version %llu, generation %u is "
		       "current\n",
		    (unsigned long long)s->list->version,
		    clv_list_current(s->list)->number);
	if (s->there != NULL)
		printf("in the database     version %llu, generation %u is "
		       "current\n",
		    (unsigned long long)s->there->version,
		    clv_list_current(s->there)->number);
	puts(s->had != NULL
		 ? "replaced            the keyring that is here; it "
		   "is kept beside this node's identity"
		 : "replaced            nothing");
	puts("nothing was changed");
}
