/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/wire.h>
#include "daemon/cli/cli_init.h"
#include "daemon/keeper/coverage.h"

#define CREATE_MS 20000

/* What the command line and the configuration say; nothing is asked yet. */

static int
read_text(
    struct cli *c, const char *value, const char *what, char *dst, size_t cap)
{
	if (strlen(value) >= cap)
		return cli_fail(
		    c, CLV_E_INVALID, NULL, "the %s is too long", what);
	snprintf(dst, cap, "%s", value);
	return CLV_OK;
}

static int
read_names(struct cli *c, struct config *f)
{
	const char *node = cli_opt(c, "node");
	const char *name = cli_opt(c, "network-name");

	if (node != NULL && clv_name_check(node) == CLV_OK)
		snprintf(f->node, sizeof(f->node), "%s", node);
	if ((node != NULL && clv_name_check(node) != CLV_OK) ||
	    clv_name_check(f->node) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "give --node NAME with 1 to 64 letters, digits, '.', '_' "
		    "and '-': the cluster's name of this node",
		    "'%s' is not a name of a host",
		    node != NULL ? node : f->node);
	if (cli_host_name_check(name) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "the network name '%s' is not a host name", name);
	return read_text(
	    c, name, "network name", f->network_name, sizeof(f->network_name));
}

static int
read_address(struct cli *c, struct config *f)
{
	const char *port = cli_opt(c, "port");
	uint32_t number = CLV_WIRE_PORT;

	if (cli_address_parse(cli_opt(c, "ip"), f->address) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "give a free IPv4 or IPv6 address of the service's network",
		    "'%s' is not an address that can float", cli_opt(c, "ip"));
	if (port != NULL && cli_number_parse(port, 1, 65535, &number) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "the port must be a number from 1 to 65535, not '%s'",
		    port);
	f->port = (uint16_t)number;
	return CLV_OK;
}

static int
read_policy(struct cli *c, uint8_t *ret)
{
	const char *policy = cli_opt(c, "escrow-policy");

	if (coverage_policy_parse(policy != NULL ? policy : "auto", ret))
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID, NULL,
	    "the escrow policy must be " COVERAGE_POLICY_VALUES ", not '%s'",
	    policy);
}

static int
read_certificate(struct cli *c, bool *ret_ed25519)
{
	const char *kind = cli_opt(c, "certificate");

	*ret_ed25519 = kind != NULL && strcmp(kind, "ed25519") == 0;
	if (kind == NULL || *ret_ed25519 || strcmp(kind, "p256") == 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_INVALID, NULL,
	    "the certificate's key must be p256 or ed25519, not '%s'", kind);
}

static int
read_database(struct cli *c, struct init *s)
{
	const char *passfile = cli_opt(c, "database-passfile");
	int r = cli_db_check(c, "database", cli_opt(c, "database"));

	if (r == CLV_OK)
		r = read_text(c, cli_opt(c, "database"), "connection string",
		    s->config.database, sizeof(s->config.database));
	if (r == CLV_OK && passfile != NULL)
		r = cli_absolute(c, passfile, s->config.database_passfile,
		    sizeof(s->config.database_passfile));
	s->admin = cli_opt(c, "database-admin");
	s->admin_passfile = cli_opt(c, "database-admin-passfile");
	if (s->admin == NULL) {
		s->admin = s->config.database;
		if (s->admin_passfile == NULL)
			s->admin_passfile = passfile;
	} else if (r == CLV_OK) {
		r = cli_db_check(c, "database-admin", s->admin);
	}
	return r;
}

static int
read_all(struct cli *c, struct init *s)
{
	int r = CLV_OK;

	if (c->config_result == CLV_OK && c->config.system[0] != '\0')
		return cli_fail(c, CLV_E_EXISTS,
		    "claviger status; or, if no node ever served that system, "
		    "remove the file and begin again",
		    "this host belongs to system %s already, says %s",
		    c->config.system, c->path);
	if (c->config_result != CLV_OK && c->config_result != CLV_E_NOT_FOUND)
		r = cli_fail(c, c->config_result, "mend or remove that file",
		    "%s", c->config_why);
	if (r != CLV_OK)
		return r;
	s->config = c->config;
	r = read_names(c, &s->config);
	if (r == CLV_OK)
		r = read_address(c, &s->config);
	if (r == CLV_OK)
		r = read_policy(c, &s->policy);
	if (r == CLV_OK)
		r = read_certificate(c, &s->ed25519);
	return r == CLV_OK ? read_database(c, s) : r;
}

/* What only asking tells; still nothing is written. */

static int
check_users(struct cli *c, const struct config *f)
{
	const char *users[] = {f->user, f->front_user};

	for (size_t i = 0; i < 2; i++) {
		if (getpwnam(users[i]) == NULL)
			return cli_fail(c, CLV_E_NOT_FOUND,
			    "useradd --system --user-group --no-create-home "
			    "--shell /usr/sbin/nologin NAME",
			    "the service's user '%s' does not exist on this "
			    "host",
			    users[i]);
	}
	return CLV_OK;
}

static int
check_network(struct cli *c, const struct config *f)
{
	int r = CLV_OK;

	if (cli_opt(c, "no-resolve-check") == NULL)
		r = cli_net_resolves(c, f->network_name, f->address);
	if (r == CLV_OK && cli_opt(c, "force-address") == NULL)
		r = cli_net_free(c, f->address);
	return r;
}

static int
exists(struct cli *c, struct clv_store *s)
{
	char uuid[CLI_UUID] = "";
	size_t len;
	const void *id = clv_store_get(s, 0, 0, &len);

	if (len == CLV_SYSTEM_ID_LEN)
		cli_uuid(id, uuid);
	return cli_fail(c, CLV_E_EXISTS,
	    "claviger join --server adds this host to it; a new system needs "
	    "a database of its own",
	    "this database holds a system already (%s)", uuid);
}

static int
check_schema(struct cli *c, struct clv_store *s)
{
	uint32_t version = 0;
	int r = clv_store_schema_version(s, &version);

	if (r != CLV_OK)
		return cli_fail(c, r,
		    r == CLV_E_SCHEMA_NEWER
			? "upgrade this program"
			: "connect as the owner of the schema "
			  "(--database-admin), or use another database",
		    "the database cannot take a system: %s",
		    clv_store_text(s)[0] != '\0' ? clv_store_text(s)
						 : clv_result_text(r));
	if (version == 0)
		return CLV_OK;
	r = cli_db_run(c, s, CLV_STMT_HELLO, NULL, 0);
	if (r == CLV_OK && clv_store_rows(s) > 0)
		r = exists(c, s);
	return r;
}

static int
check_database(struct cli *c, struct init *s)
{
	struct clv_store *db = NULL;
	int r;

	cli_progress("asking the database");
	r = cli_db_open(c, s->config.database,
	    s->config.database_passfile[0] != '\0' ? s->config.database_passfile
						   : NULL,
	    true, &db);
	if (r != CLV_OK)
		return r;
	snprintf(s->login, sizeof(s->login), "%s", clv_store_login(db));
	clv_store_free(&db);
	r = cli_db_open(c, s->admin, s->admin_passfile, true, &db);
	if (r == CLV_OK)
		r = check_schema(c, db);
	clv_store_free(&db);
	return r;
}

static int
check_all(struct cli *c, struct init *s)
{
	int r = cli_backup_path(c, cli_opt(c, "backup"));

	if (r == CLV_OK)
		r = cli_backup_where(
		    c, cli_opt(c, "backup"), s->where, sizeof(s->where));
	if (r == CLV_OK)
		r = check_users(c, &s->config);
	if (r == CLV_OK)
		r = cli_passfile_check(c, &s->config);
	if (r == CLV_OK)
		r = check_network(c, &s->config);
	return r == CLV_OK ? check_database(c, s) : r;
}

/* The steps that write. */

/* The connection broke while the transaction was ending: ask again whose
 * system the database holds now. */
static int
resolve(struct cli *c, struct init *s)
{
	struct clv_store *db = NULL;
	size_t len;
	int r = cli_db_open(c, s->admin, s->admin_passfile, true, &db);

	if (r == CLV_OK)
		r = cli_db_run(c, db, CLV_STMT_HELLO, NULL, 0);
	if (r == CLV_OK && clv_store_rows(db) == 0)
		r = CLV_E_DATABASE;
	if (r == CLV_OK) {
		const void *id = clv_store_get(db, 0, 0, &len);

		r = len == CLV_SYSTEM_ID_LEN &&
			    memcmp(
				id, clv_keyring_system_id(s->keyring), len) == 0
			? CLV_OK
			: CLV_E_EXISTS;
	} else if (r != CLV_E_DATABASE) {
		r = CLV_E_UNKNOWN;
	}
	clv_store_free(&db);
	return r;
}

static int
create(struct cli *c, struct init *s, struct clv_store *db)
{
	const struct clv_store_system sys = {
	    .system_id = clv_keyring_system_id(s->keyring),
	    .epoch = INIT_EPOCH,
	    .holder = INIT_NODE,
	    .list = s->list.data,
	    .list_len = s->list.len,
	    .escrow = s->escrow.data,
	    .escrow_len = s->escrow.len,
	    .tls_thumb = s->cert_thumb,
	    .tls_row = s->tls_row.data,
	    .tls_row_len = s->tls_row.len,
	    .backup = s->backup.data,
	    .backup_len = s->backup.len,
	};
	char why[512];
	int r = clv_store_create_system(db, &sys, CREATE_MS);

	snprintf(why, sizeof(why), "%s", clv_store_text(db));
	if (r == CLV_E_UNKNOWN || r == CLV_E_TIMEOUT)
		r = resolve(c, s);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r,
	    r == CLV_E_UNKNOWN
		? "when the database answers again: claviger status here; the "
		  "backup and this host's files were kept"
	    : r == CLV_E_EXISTS
		? "claviger join --server adds this host to it"
		: "look into PostgreSQL's log, then begin again",
	    "the system was not created: %s",
	    why[0] != '\0' ? why : clv_result_text(r));
}

/* As the service will connect: the grant must work before there is a system. */
static int
check_login(struct cli *c, struct init *s)
{
	const char *passfile = s->config.database_passfile;
	struct clv_store *db = NULL;
	int r = cli_db_open(c, s->config.database,
	    passfile[0] != '\0' ? passfile : NULL, false, &db);

	if (r == CLV_OK)
		r = cli_db_run(c, db, CLV_STMT_HELLO, NULL, 0);
	if (r == CLV_OK && clv_store_rows(db) > 0)
		r = exists(c, db);
	clv_store_free(&db);
	return r;
}

/* Schema, roles and grant: what refuses most often, before a backup is written.
 * It is harmless without a system, and the next init finds it done. */
static int
prepare_database(struct cli *c, struct init *s, struct clv_store **ret)
{
	int r = cli_db_open(c, s->admin, s->admin_passfile, true, ret);

	if (r != CLV_OK)
		return r;
	r = clv_store_migrate(*ret, s->login);
	if (r == CLV_OK)
		return check_login(c, s);
	return cli_fail(c, r,
	    "connect as a role that may make schema and roles "
	    "(--database-admin)",
	    "the schema was not made: %s",
	    clv_store_text(*ret)[0] != '\0' ? clv_store_text(*ret)
					    : clv_result_text(r));
}

static bool
interrupted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGINT) == 1 ||
		   sigismember(&pending, SIGTERM) == 1 ||
		   sigismember(&pending, SIGHUP) == 1);
}

/* The last step is the transaction: before it everything can be taken back. */
static int
write_all(struct cli *c, struct init *s, struct clv_store **db)
{
	const char *backup = cli_opt(c, "backup");
	int r = prepare_database(c, s, db);

	if (r == CLV_OK)
		r = cli_state_dir(c, &s->config, &s->undo, &s->state_fd);
	if (r == CLV_OK)
		r = cli_system_make(c, s);
	if (r == CLV_OK) {
		r = cli_backup_write(c, s->keyring, backup, s->passphrase);
		if (r == CLV_OK)
			cli_undo_add(&s->undo, backup, false);
	}
	if (r == CLV_OK)
		r = cli_system_save(c, s);
	if (r == CLV_OK && interrupted())
		r = cli_fail(
		    c, CLV_E_CANCELLED, "repeat the command", "interrupted");
	if (r != CLV_OK)
		return r;
	cli_progress("creating the system in the database");
	return create(c, s, *db);
}

static int
write_or_undo(struct cli *c, struct init *s)
{
	struct clv_store *db = NULL;
	sigset_t signals, old;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &old);
	r = write_all(c, s, &db);
	clv_store_free(&db);
	if (r == CLV_OK || r == CLV_E_UNKNOWN) {
		cli_undo_forget(&s->undo);
	} else {
		cli_undo_run(c, &s->undo);
		fputs("  nothing was changed; the files made were removed\n",
		    stderr);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

static void
print_json(const struct cli *c, const struct init *s)
{
	struct cli_json *j = cli_json_new();
	char hex[CLI_HEX];

	cli_json_str(j, "system", s->config.system);
	cli_json_str(j, "node", s->config.node);
	cli_json_u64(j, "node_number", INIT_NODE);
	cli_json_str(j, "network_name", s->config.network_name);
	cli_json_str(j, "address", s->config.address);
	cli_json_u64(j, "port", s->config.port);
	cli_json_str(j, "server_thumbprint", cli_hex(s->cert_thumb, hex));
	cli_json_str(j, "backup", cli_opt(c, "backup"));
	cli_json_print(j);
}

static void
print(const struct cli *c, const struct init *s)
{
	char hex[CLI_HEX];

	printf("system              %s\n"
	       "node                %s (number %d)\n"
	       "network name        %s (%s port %u)\n"
	       "server thumbprint   %s\n"
	       "backup              %s, opened again\n\n"
	       "On every further server node:\n"
	       "  claviger join --server --system %s --database '%s'%s%s\n"
	       "and then here: claviger node approve NODE --fingerprint F\n"
	       "The cluster's resource: claviger cluster commands --pcs (or "
	       "--crm)\n",
	    s->config.system, s->config.node, INIT_NODE, s->config.network_name,
	    s->config.address, s->config.port, cli_hex(s->cert_thumb, hex),
	    cli_opt(c, "backup"), s->config.system, s->config.database,
	    s->config.database_passfile[0] != '\0' ? " --database-passfile "
						   : "",
	    s->config.database_passfile);
}

int
cli_init(struct cli *c)
{
	struct init s;
	int r = cli_guard(c);

	if (r != CLV_OK)
		return r;
	cli_system_init(&s);
	r = read_all(c, &s);
	if (r == CLV_OK)
		r = check_all(c, &s);
	if (r == CLV_OK)
		r = cli_passphrase(c, CLI_PASS_WRITE, &s.passphrase);
	if (r == CLV_OK)
		r = write_or_undo(c, &s);
	if (r == CLV_OK && cli_opt(c, "json") != NULL)
		print_json(c, &s);
	else if (r == CLV_OK)
		print(c, &s);
	cli_system_fini(c, &s);
	return r;
}
