/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/wire.h>
#include "daemon/cli/cli_join.h"
#include "daemon/front/tls.h"

/*
 * claviger join by a token. The server must first prove, on this very
 * connection, that it is of the system that the token names; only then is the
 * token used, which itself never leaves this process.
 */
#define TRIES 20 /* while another change is under way there */
#define PAUSE_MS 500

struct joining {
	struct clv_token *token;
	struct tls_client *tls;
	const char *server;
	uint8_t binding[TLS_BINDING_LEN];
	struct clv_wire_request asked;
	struct clv_buf body; /* of the answer, borrowed by it */
	struct clv_wire_answer answer;
	struct clv_wire_offer offer;
};

/* The token. */

/* What is pasted has white space around it. */
static char *
trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	for (len = strlen(text);
	     len > 0 && isspace((unsigned char)text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

static int
bad_token(struct cli *c, int r)
{
	const char *again = "copy the whole line that claviger member token "
			    "printed, or make another one";

	switch (r) {
	case CLV_E_FORMAT:
		return cli_fail(c, r, again, "this is not a join token");
	case CLV_E_DAMAGED:
		return cli_fail(c, r, again,
		    "the join token is damaged: a character is missing or is "
		    "another one");
	case CLV_E_VERSION:
		return cli_fail(c, r, "upgrade this program",
		    "the join token is of a newer release");
	default:
		return cli_fail(c, r, NULL, "the join token cannot be used: %s",
		    clv_result_text(r));
	}
}

static int
read_text(struct cli *c, char **ret)
{
	const char *file = cli_opt(c, "token-file");
	char why[256] = "";
	int r;

	if (file == NULL && isatty(STDIN_FILENO))
		return cli_ask(c, "Join token", ret);
	r = cli_pass_lines(c->guard, file != NULL ? file : "-", ret, why);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "the file must be for its owner alone: chmod 600",
	    "the join token cannot be read from %s: %s",
	    file != NULL ? file : "standard input", why);
}

static int
read_token(struct cli *c, struct clv_token **ret)
{
	char *text = NULL;
	int r = cli_guard(c);

	if (r == CLV_OK)
		r = read_text(c, &text);
	if (r != CLV_OK)
		return r;
	r = clv_token_parse(c->guard, trim(text), ret);
	clv_guard_put(c->guard, text);
	return r == CLV_OK ? r : bad_token(c, r);
}

/* What is in argv can be read by everybody on this host, and may be in the
 * shell's history. It is not repeated. */
static int
check_arguments(struct cli *c)
{
	if (c->arg_count > 1 ||
	    (c->arg_count == 1 && strcmp(c->args[0], "-") != 0))
		return cli_fail(c, CLV_E_USAGE,
		    "give it to claviger join - on standard input, or by "
		    "--token-file; one that stood on the command line is "
		    "better withdrawn (claviger member token --revoke)",
		    "a join token is a secret, and no argument");
	if (c->arg_count == 1 && cli_opt(c, "token-file") != NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger join --help",
		    "give either - or --token-file");
	if (cli_opt(c, "system") != NULL ||
	    cli_opt(c, "server-thumbprint") != NULL ||
	    cli_opt(c, "network-name") != NULL || cli_opt(c, "port") != NULL ||
	    cli_opt(c, "node") != NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger join --help",
		    "the join token says which system and where it is, and "
		    "this host's name");
	return CLV_OK;
}

/* What the configuration will say, but for the server's certificate. */
static int
take_place(struct cli *c, struct join *j, const struct clv_token *t)
{
	char system[CLI_BASE64];
	int r =
	    cli_join_prepare(c, j, cli_base64(t->system_pk, system), t->name);

	if (r == CLV_OK && j->again && config_is_server(&c->config))
		r = cli_fail(c, CLV_E_EXISTS,
		    "a server node is a member already: claviger fetch --check",
		    "this host is a server node of that system");
	if (r == CLV_OK)
		r = cli_join_address(c, j);
	if (r == CLV_OK)
		r = cli_join_database(c, j);
	if (r != CLV_OK)
		return r;
	snprintf(j->config.role, sizeof(j->config.role), "member");
	snprintf(j->config.network_name, sizeof(j->config.network_name), "%s",
	    t->network_name);
	j->config.port = t->port;
	return CLV_OK;
}

/* The server. */

static int
unreachable(struct cli *c, const struct joining *g, int r, const char *why)
{
	if (r == CLV_E_UNKNOWN_PEER)
		return cli_fail(c, CLV_E_DENIED,
		    "claviger member token on a server node makes another one",
		    "the server at %s admits nobody to join: the token for %s "
		    "was used or withdrawn, or has expired",
		    g->server, g->token->name);
	return cli_fail(c, r,
	    r == CLV_E_NOT_FOUND
		? "enter the name in the name service or in /etc/hosts, or "
		  "give --ip"
		: "claviger status on the server nodes tells which one is "
		  "active",
	    "the server at %s port %u cannot be used: %s", g->server,
	    g->token->port, why[0] != '\0' ? why : clv_result_text(r));
}

static int
open_server(struct cli *c, const struct join *j, struct joining *g)
{
	char why[256] = "";
	int r;

	tls_client_close(&g->tls);
	r = tls_client_open_any(g->server, g->token->port, j->host.cert.data,
	    j->host.cert.len, j->host.key.data, j->host.key.len, CLI_TIMEOUT_MS,
	    &g->tls, why);
	if (r == CLV_OK)
		r = tls_client_binding(g->tls, g->binding);
	return r == CLV_OK ? r : unreachable(c, g, r, why);
}

/* One request, and whatever comes back. *ret_sent: perhaps it arrived. */
static int
exchange(const struct join *j, struct joining *g, int timeout_ms,
    char why[static 256])
{
	struct clv_buf request;
	int r;

	clv_buf_init(&request);
	clv_buf_reset(&g->body);
	r = clv_wire_request_format(&g->asked, j->host.id->sign_sk, &request);
	if (r == CLV_OK)
		r = tls_client_exchange(
		    g->tls, &request, &g->body, timeout_ms, why);
	clv_buf_fini(&request);
	return r;
}

static int
wrong_system(struct cli *c, const struct joining *g, const char *how)
{
	return cli_fail(c, CLV_E_WRONG_SYSTEM,
	    "somebody else answers at this address, or the token is of another "
	    "system, or of before it changed its signing key (then make "
	    "another one); the token was not used",
	    "the server at %s does not prove to be of the system that the "
	    "token names: %s",
	    g->server, how);
}

/* Only who has the system's key can have signed this, for this question. */
static int
read_answer(struct cli *c, struct joining *g)
{
	int r = clv_wire_answer_parse(
	    g->body.data, g->body.len, g->token->system_pk, &g->answer);

	if (r == CLV_OK)
		r = clv_wire_answer_match(&g->answer, &g->asked);
	if (r != CLV_OK)
		return wrong_system(c, g, clv_result_text(r));
	cli_printable(g->answer.text);
	return CLV_OK;
}

static bool
is_certificate_right(const struct joining *g)
{
	const uint8_t *thumb = tls_client_thumb(g->tls);
	int found = 0;

	for (size_t i = 0; i < CLV_LIST_CERTS; i++)
		found |= sodium_memcmp(g->offer.thumb[i], thumb, 32) == 0;
	return found != 0;
}

/* Whom do we talk to? And no other connection than this one is meant. */
static int
check_server(struct cli *c, struct joining *g)
{
	const struct clv_wire_answer *a = &g->answer;
	bool enrolled = a->result == CLV_E_EXISTS;

	if (a->result != CLV_OK && !enrolled)
		return cli_fail(c, a->result,
		    "claviger member token on a server node makes another one",
		    "the server %s refused: %s", g->server,
		    a->text[0] != '\0' ? a->text : clv_result_text(a->result));
	if (clv_wire_offer_parse(a->payload, a->payload_len, &g->offer) !=
	    CLV_OK)
		return wrong_system(c, g, "its answer is malformed");
	if (!is_certificate_right(g))
		return wrong_system(c, g, "its certificate is another one");
	if (!enrolled && sodium_memcmp(g->offer.binding, g->binding,
			     sizeof(g->binding)) != 0)
		return wrong_system(c, g, "it speaks for another connection");
	return CLV_OK;
}

static void
ask_anew(const struct join *j, struct joining *g)
{
	g->asked = (struct clv_wire_request){.op = CLV_WIRE_JOIN};
	memcpy(g->asked.name, j->host.id->name, sizeof(g->asked.name));
	randombytes_buf(g->asked.nonce, sizeof(g->asked.nonce));
}

static int
greet(struct cli *c, const struct join *j, struct joining *g)
{
	char why[256] = "";
	int r = open_server(c, j, g);

	if (r != CLV_OK)
		return r;
	ask_anew(j, g);
	r = exchange(j, g, CLI_TIMEOUT_MS, why);
	if (r != CLV_OK)
		return unreachable(c, g, r, why);
	r = read_answer(c, g);
	return r == CLV_OK ? check_server(c, g) : r;
}

/* The proof. */

static int
make_proof(const struct join *j, const struct joining *g, struct clv_buf *ret)
{
	struct clv_token_proof p = {.party = j->host.party};
	struct clv_wire_join w = {.party = j->host.party};
	int r;

	memcpy(p.system_pk, g->token->system_pk, sizeof(p.system_pk));
	memcpy(p.binding, g->binding, sizeof(p.binding));
	memcpy(p.challenge, g->offer.challenge, sizeof(p.challenge));
	memcpy(p.nonce, g->asked.nonce, sizeof(p.nonce));
	memcpy(w.token_pk, g->token->sign_pk, sizeof(w.token_pk));
	r = clv_token_sign(g->token, &p, w.proof);
	return r == CLV_OK ? clv_wire_join_format(&w, j->host.id, ret) : r;
}

/* The outcome is not known, and the files stay as they are. */
static int
unknown(struct cli *c, const struct joining *g, const char *why)
{
	return cli_fail(c, CLV_E_UNKNOWN,
	    "repeat the command with the same token: it does no harm",
	    "it is not known whether %s was enrolled: %s", g->token->name, why);
}

static int
prove(struct cli *c, const struct join *j, struct joining *g)
{
	struct clv_buf proof;
	char why[256] = "";
	int r;

	clv_buf_init(&proof);
	r = make_proof(j, g, &proof);
	if (r == CLV_OK) {
		ask_anew(j, g);
		memcpy(g->asked.challenge, g->offer.challenge,
		    sizeof(g->asked.challenge));
		g->asked.payload = proof.data;
		g->asked.payload_len = proof.len;
		r = exchange(j, g, CLI_ADMIN_TIMEOUT_MS, why);
		if (r != CLV_OK)
			r = unknown(c, g, why);
		else if (read_answer(c, g) != CLV_OK)
			r = CLV_E_UNKNOWN;
	} else {
		r = cli_fail(c, r, NULL, "the proof cannot be made: %s",
		    clv_result_text(r));
	}
	g->asked.payload = NULL;
	clv_buf_fini(&proof);
	return r;
}

/* What the server has made of the proof. */
static int
judge(struct cli *c, const struct joining *g)
{
	const struct clv_wire_answer *a = &g->answer;
	const char *said =
	    a->text[0] != '\0' ? a->text : clv_result_text(a->result);
	struct cli_answer admin;

	if (a->result == CLV_E_UNKNOWN || a->result == CLV_E_TIMEOUT)
		return unknown(c, g, said);
	if (a->result != CLV_OK)
		return cli_fail(c, a->result,
		    a->result == CLV_E_DENIED || a->result == CLV_E_EXISTS
			? "claviger member list on a server node; claviger "
			  "member token makes another token"
			: "claviger status on the server nodes; the token is "
			  "still good",
		    "%s did not join: %s", g->token->name, said);
	cli_answer_init(&admin);
	if (cli_answer_read(a->payload, a->payload_len, &admin) == CLV_OK &&
	    admin.late[0] != '\0')
		cli_warn(c,
		    "in force; these nodes fetch it when they are back: %s",
		    cli_printable(admin.late));
	cli_answer_fini(&admin);
	return CLV_OK;
}

/* From here on this host knows its system, whatever comes of the proof. */
static int
save(struct cli *c, struct join *j, const struct joining *g)
{
	cli_hex(tls_client_thumb(g->tls), j->config.server_thumbprint);
	return cli_config_put(c, &j->config, &j->undo);
}

static int
enrol(struct cli *c, struct join *j, struct joining *g)
{
	const struct timespec pause = {0, PAUSE_MS * 1000000};
	bool saved = false;
	int r = CLV_OK;

	for (int i = 0; i < TRIES; i++) {
		r = greet(c, j, g);
		if (r == CLV_OK && !saved) {
			r = save(c, j, g);
			saved = true;
		}
		if (r != CLV_OK || g->answer.result == CLV_E_EXISTS)
			return r;
		r = prove(c, j, g);
		/* STALE: others who asked in between took the offer's place. */
		if (r != CLV_OK || (g->answer.result != CLV_E_BUSY &&
				       g->answer.result != CLV_E_STALE))
			break;
		nanosleep(&pause, NULL);
	}
	return r == CLV_OK ? judge(c, g) : r;
}

int
cli_join_token(struct cli *c, struct join *j)
{
	struct joining g = {.token = NULL};
	int r = check_arguments(c);

	clv_buf_init(&g.body);
	if (r == CLV_OK)
		r = read_token(c, &g.token);
	if (r == CLV_OK)
		r = take_place(c, j, g.token);
	if (r == CLV_OK)
		r = cli_join_host(c, j);
	if (r == CLV_OK) {
		g.server = j->config.address[0] != '\0'
			       ? j->config.address
			       : j->config.network_name;
		r = enrol(c, j, &g);
	}
	tls_client_close(&g.tls);
	clv_token_free(&g.token);
	clv_buf_fini(&g.body);
	return r;
}

void
cli_join_token_print(const struct join *j)
{
	char hex[CLI_HEX];

	printf("member              %s, enrolled\n"
	       "network name        %s port %u\n"
	       "thumbprint          %s\n",
	    j->config.node, j->config.network_name, j->config.port,
	    cli_hex(j->host.party.thumb, hex));
	if (j->config.database[0] == '\0')
		puts("database            none: secrets are read and written "
		     "with one.\n  Give it by --database and "
		     "--database-passfile, in the same command again.");
	puts("\nThen here:\n  claviger fetch --check\n  systemctl start "
	     "clavigerd");
}
