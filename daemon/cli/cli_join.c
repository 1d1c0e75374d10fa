/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include <claviger/wire.h>
#include "daemon/cli/cli_join.h"
#include "daemon/base/state.h"
#include "daemon/base/system_pin.h"

/* Options and what the configuration says already. */

static int
other_system(struct cli *c)
{
	return cli_fail(c, CLV_E_WRONG_SYSTEM,
	    "remove that file and the state directory first, if this host is "
	    "to change",
	    "this host belongs to another system, %s, says %s",
	    c->config.system, c->path);
}

/* A host that has joined goes by the key that it has pinned; which one was said
 * is only compared: by a server node with the list, which has all of them. */
static int
check_config(struct cli *c, struct join *j, const char *system)
{
	if (cli_key_parse(system, j->said) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "copy the 44 characters that claviger init printed",
		    "'%s' is not the public key of a system", system);
	if (c->config_result != CLV_OK && c->config_result != CLV_E_NOT_FOUND)
		return cli_fail(c, c->config_result, "mend or remove that file",
		    "%s", c->config_why);
	j->again = c->config.system[0] != '\0';
	j->config = c->config;
	memcpy(j->pk, j->said, sizeof(j->pk));
	if (!j->again) {
		snprintf(
		    j->config.system, sizeof(j->config.system), "%s", system);
		return CLV_OK;
	}
	if (system_pin_load(&c->config, j->pk) == CLV_E_CONFIG)
		return other_system(c);
	if (!j->by_list && strcmp(c->config.system, system) != 0 &&
	    memcmp(j->pk, j->said, sizeof(j->pk)) != 0)
		return other_system(c);
	return CLV_OK;
}

static int
check_node(struct cli *c, struct join *j, const char *node)
{
	if (node == NULL)
		node = c->config.node;
	if (clv_name_check(node) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "give --node NAME with 1 to 64 letters, digits, '.', '_' "
		    "and '-'",
		    "'%s' is not a name of a host", node);
	if (j->again && strcmp(node, c->config.node) != 0)
		return cli_fail(c, CLV_E_EXISTS,
		    "leave --node away, or remove the configuration and the "
		    "state directory to begin anew",
		    "this host has joined as '%s' already", c->config.node);
	if (node != j->config.node)
		snprintf(j->config.node, sizeof(j->config.node), "%s", node);
	return CLV_OK;
}

int
cli_join_prepare(
    struct cli *c, struct join *j, const char *system, const char *node)
{
	int r = check_config(c, j, system);

	if (r == CLV_OK)
		r = check_node(c, j, node);
	return r == CLV_OK ? cli_guard(c) : r;
}

/* The identity of the first join is kept when the command is repeated. */
int
cli_join_host(struct cli *c, struct join *j)
{
	int r = cli_state_dir(c, &j->config, &j->undo, &j->state_fd);

	if (r != CLV_OK)
		return r;
	if (j->again)
		return cli_host_load(c, &j->host);
	r = cli_host_make(c, j->config.node, NULL, &j->host);
	return r == CLV_OK ? cli_host_save(c, &j->config, &j->host, &j->undo)
			   : r;
}

/* Server node. */

/* Any key that the system has had may have been said. All nodes have the first
 * one in their configurations: they meet in the cluster by it, and it names the
 * system for ever. */
static int
check_system(struct cli *c, struct join *j)
{
	const struct clv_list *l = j->list;
	char key[CLI_BASE64];

	if (memcmp(l->sign_pk, j->said, sizeof(j->said)) != 0 &&
	    clv_chain_at(l->successions, l->succession_count, j->said) ==
		l->succession_count)
		return other_system(c);
	snprintf(j->config.system, sizeof(j->config.system), "%s",
	    cli_base64(clv_list_first_pk(l), key));
	return CLV_OK;
}

static int
open_list(struct cli *c, struct join *j)
{
	uint8_t known[8];
	const struct clv_param p = clv_param_u64(0, known);
	const void *body;
	size_t len;
	int r = cli_db_hello(c, j->db);

	if (r == CLV_OK)
		r = cli_db_run(c, j->db, CLV_STMT_GET_LIST, &p, 1);
	if (r != CLV_OK)
		return r;
	body = clv_store_get(j->db, 0, 1, &len);
	clv_buf_raw(&j->blob, body, len);
	r = clv_buf_result(&j->blob);
	if (r == CLV_OK)
		r = clv_list_open(j->blob.data, j->blob.len, j->pk, &j->list);
	if (r == CLV_OK)
		return check_system(c, j);
	return cli_fail(c, r == CLV_E_SIGNATURE ? CLV_E_WRONG_SYSTEM : r,
	    "compare --system with claviger status on a node of the system; if "
	    "it is right, somebody changed the database",
	    "this database's list is not signed by that system: %s",
	    clv_result_text(r));
}

static int
take_database(struct cli *c, struct join *j)
{
	const char *database = cli_opt(c, "database");
	const char *passfile = cli_opt(c, "database-passfile");
	int r;

	if (database == NULL)
		return CLV_OK;
	r = cli_db_check(c, "database", database);
	if (r == CLV_OK && strlen(database) >= sizeof(j->config.database))
		r = cli_fail(c, CLV_E_INVALID, NULL,
		    "the connection string is too long");
	if (r != CLV_OK)
		return r;
	snprintf(
	    j->config.database, sizeof(j->config.database), "%s", database);
	if (passfile == NULL)
		return CLV_OK;
	return cli_absolute(c, passfile, j->config.database_passfile,
	    sizeof(j->config.database_passfile));
}

int
cli_join_database(struct cli *c, struct join *j)
{
	int r = take_database(c, j);

	return r == CLV_OK ? cli_passfile_check(c, &j->config) : r;
}

static int
check_server_options(struct cli *c, struct join *j)
{
	if (cli_opt(c, "database") == NULL && !j->again)
		return cli_fail(c, CLV_E_USAGE, "claviger join --help",
		    "--server needs --database CONNINFO");
	return cli_join_database(c, j);
}

/* A name that is enrolled with other keys could never be approved. */
static int
check_name_free(struct cli *c, const struct join *j)
{
	struct clv_list_node *n =
	    clv_list_node_by_name(j->list, j->config.node);

	if (n == NULL || n->revoked || j->again || j->by_keyring)
		return CLV_OK;
	return cli_fail(c, CLV_E_EXISTS,
	    "give another name by --node, or claviger node revoke it first, "
	    "on a node that is ready",
	    "a server node '%s' is enrolled already, with keys that are not "
	    "on this host",
	    j->config.node);
}

static int
put_request(struct cli *c, struct join *j)
{
	struct clv_buf party;
	int r;

	clv_buf_init(&party);
	r = clv_party_format(j->host.id, j->host.party.thumb, &party);
	if (r == CLV_OK) {
		const struct clv_param p[2] = {
		    {j->config.node, strlen(j->config.node)},
		    {party.data, party.len}};

		r = cli_db_run(c, j->db, CLV_STMT_PUT_JOIN, p, 2);
	} else {
		r = cli_fail(c, r, NULL, "the request cannot be made: %s",
		    clv_result_text(r));
	}
	clv_buf_fini(&party);
	return r;
}

/* What the list was verified by is believed from the first moment on. */
static int
put_pin(struct cli *c, struct join *j)
{
	uint8_t pk[CLV_SIGN_PK_LEN];

	if (system_pin_load(&j->config, pk) == CLV_OK &&
	    memcmp(pk, j->list->sign_pk, sizeof(pk)) == 0)
		return CLV_OK;
	return cli_pin_put(
	    c, &j->config, j->list->sign_pk, j->again ? NULL : &j->undo);
}

static int
save_server(struct cli *c, struct join *j)
{
	int r;

	snprintf(j->config.network_name, sizeof(j->config.network_name), "%s",
	    j->list->network_name);
	snprintf(j->config.address, sizeof(j->config.address), "%s",
	    j->list->address);
	j->config.port = j->list->port;
	r = cli_join_host(c, j);
	if (r == CLV_OK)
		r = put_pin(c, j);
	if (r == CLV_OK)
		r = cli_config_put(c, &j->config, &j->undo);
	return r == CLV_OK ? put_request(c, j) : r;
}

static int
join_server(struct cli *c, struct join *j)
{
	const char *passfile;
	int r = check_server_options(c, j);

	passfile = j->config.database_passfile;
	if (r == CLV_OK)
		r = cli_db_open(c, j->config.database,
		    passfile[0] != '\0' ? passfile : NULL, false, &j->db);
	if (r == CLV_OK)
		r = open_list(c, j);
	if (r == CLV_OK)
		r = check_name_free(c, j);
	return r == CLV_OK ? save_server(c, j) : r;
}

static void
print_server(const struct join *j)
{
	char print[CLV_FINGERPRINT_TEXT];

	clv_party_fingerprint(&j->host.party, print);
	printf("node                %s\n"
	       "network name        %s (%s port %u)\n"
	       "fingerprint         %s\n\n"
	       "On a server node that is ready:\n"
	       "  claviger node approve %s --fingerprint %s\n",
	    j->config.node, j->config.network_name, j->config.address,
	    j->config.port, print, j->config.node, print);
	if (j->list->escrow_policy == CLV_ESCROW_MANUAL)
		puts("The escrow policy is manual: give this node the secret by"
		     "\n  claviger restore FILE");
}

/* Member. */

int
cli_join_address(struct cli *c, struct join *j)
{
	const char *ip = cli_opt(c, "ip");

	if (ip != NULL && cli_address_parse(ip, j->config.address) != CLV_OK)
		return cli_fail(
		    c, CLV_E_INVALID, NULL, "'%s' is not an IP address", ip);
	return CLV_OK;
}

static int
check_member_options(struct cli *c, struct join *j)
{
	const char *thumb = cli_opt(c, "server-thumbprint");
	const char *name = cli_opt(c, "network-name");
	const char *port = cli_opt(c, "port");
	uint32_t number = CLV_WIRE_PORT;
	uint8_t pin[32];
	int r;

	if (thumb == NULL || name == NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger join --help",
		    "--member needs --server-thumbprint and --network-name");
	if (cli_thumb_parse(thumb, pin) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "claviger settings show on a server node prints it",
		    "--server-thumbprint is not a SHA-256 thumbprint (64 "
		    "hexadecimal digits)");
	if (cli_host_name_check(name) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "the network name '%s' is not a host name", name);
	if ((r = cli_join_address(c, j)) != CLV_OK)
		return r;
	if (port != NULL && cli_number_parse(port, 1, 65535, &number) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "the port must be a number from 1 to 65535, not '%s'",
		    port);
	cli_hex(pin, j->config.server_thumbprint);
	snprintf(
	    j->config.network_name, sizeof(j->config.network_name), "%s", name);
	j->config.port = (uint16_t)number;
	return CLV_OK;
}

static int
join_member(struct cli *c, struct join *j)
{
	int r;

	if (j->again && config_is_server(&c->config))
		return cli_fail(c, CLV_E_EXISTS,
		    "a server node is a member already: claviger fetch --check",
		    "this host is a server node of that system");
	snprintf(j->config.role, sizeof(j->config.role), "member");
	r = check_member_options(c, j);
	if (r == CLV_OK)
		r = cli_join_database(c, j);
	if (r == CLV_OK)
		r = cli_join_host(c, j);
	return r == CLV_OK ? cli_config_put(c, &j->config, &j->undo) : r;
}

static void
print_member(const struct join *j)
{
	char recipient[CLV_AGE_RECIPIENT_MAX], key[CLI_BASE64], hex[CLI_HEX];

	if (clv_age_recipient_format(j->host.party.box_pk, recipient) != CLV_OK)
		return;
	printf("member              %s\n"
	       "thumbprint          %s\n\n"
	       "Copy %s/tls.crt to a server node as %s.crt, and there:\n"
	       "  claviger member add %s --certificate %s.crt --recipient %s "
	       "--sign-key %s --scope all\n"
	       "(or --scope APP[,APP] for single applications). Then here:\n"
	       "  claviger fetch --check\n",
	    j->config.node, cli_hex(j->host.party.thumb, hex),
	    j->config.state_dir, j->config.node, j->config.node, j->config.node,
	    recipient, cli_base64(j->host.party.sign_pk, key));
}

static void
print_json(const struct join *j)
{
	char print[CLV_FINGERPRINT_TEXT], hex[CLI_HEX], key[CLI_BASE64];
	char recipient[CLV_AGE_RECIPIENT_MAX];
	const struct clv_party *p = &j->host.party;
	struct cli_json *o = cli_json_new();

	clv_party_fingerprint(p, print);
	cli_json_str(o, "node", j->config.node);
	cli_json_str(o, "system", j->config.system);
	cli_json_str(o, "network_name", j->config.network_name);
	cli_json_str(o, "address", j->config.address);
	cli_json_u64(o, "port", j->config.port);
	cli_json_str(o, "fingerprint", print);
	cli_json_str(o, "thumbprint", cli_hex(p->thumb, hex));
	cli_json_str(o, "sign_key", cli_base64(p->sign_pk, key));
	if (clv_age_recipient_format(p->box_pk, recipient) == CLV_OK)
		cli_json_str(o, "recipient", recipient);
	cli_json_print(o);
}

/* How, and what is printed then. */
static const struct way {
	const char *flag;
	int (*join)(struct cli *, struct join *);
	void (*print)(const struct join *);
} ways[] = {{"server", join_server, print_server},
    {"member", join_member, print_member}},
  by_token = {NULL, cli_join_token, cli_join_token_print};

/* What was made for a join that failed is taken away again. */
static int
settle(struct cli *c, struct join *j, int r)
{
	if (r != CLV_OK && r != CLV_E_UNKNOWN)
		cli_undo_run(c, &j->undo);
	else
		cli_undo_forget(&j->undo);
	return r;
}

static int
run(struct cli *c, struct join *j, const struct way *way)
{
	const char *system = cli_opt(c, "system");
	int r = CLV_OK;

	if (way->flag != NULL && system == NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger join --help",
		    "option --system is missing");
	if (way->flag != NULL)
		r = cli_join_prepare(c, j, system, cli_opt(c, "node"));
	return settle(c, j, r == CLV_OK ? way->join(c, j) : r);
}

static void
begin(struct join *j)
{
	memset(j, 0, sizeof(*j));
	cli_host_init(&j->host);
	clv_buf_init(&j->blob);
	j->state_fd = -1;
}

static void
end(struct join *j)
{
	cli_host_fini(&j->host);
	clv_list_free(&j->list);
	clv_buf_fini(&j->blob);
	clv_store_free(&j->db);
	if (j->state_fd >= 0)
		close(j->state_fd);
}

int
cli_join(struct cli *c)
{
	bool server = cli_opt(c, "server") != NULL;
	bool member = cli_opt(c, "member") != NULL;
	bool token = c->arg_count > 0 || cli_opt(c, "token-file") != NULL;
	const struct way *way = server	 ? &ways[0]
				: member ? &ways[1]
					 : &by_token;
	struct join j;
	int r;

	if (server + member + token > 1 ||
	    (server + member + token == 0 && !isatty(STDIN_FILENO)))
		return cli_fail(c, CLV_E_USAGE, "claviger join --help",
		    "give either --server or --member, or a join token by - "
		    "(standard input) or --token-file");
	begin(&j);
	j.by_list = server;
	r = run(c, &j, way);
	if (r == CLV_OK && cli_opt(c, "json") != NULL)
		print_json(&j);
	else if (r == CLV_OK)
		way->print(&j);
	end(&j);
	return r;
}

int
cli_join_by_keyring(struct cli *c, const uint8_t pk[static 32])
{
	char key[CLI_BASE64];
	struct join j;
	int r;

	begin(&j);
	j.by_list = j.by_keyring = true;
	c->config.system[0] = '\0'; /* it was only said */
	r = cli_join_prepare(c, &j, cli_base64(pk, key), cli_opt(c, "node"));
	r = settle(c, &j, r == CLV_OK ? join_server(c, &j) : r);
	if (r == CLV_OK) {
		c->config = j.config;
		c->config_result = CLV_OK;
	}
	end(&j);
	return r;
}
