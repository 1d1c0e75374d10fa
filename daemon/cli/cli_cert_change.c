/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_cert.h"
#include "daemon/front/tls.h"

/*
 * cert rotate and cert use: the network name's next certificate is made or
 * read here, and sealed here, for its key travels nowhere in the clear. From
 * then on the active server does the rest; the command waits for it, and
 * repeated goes on with what was begun.
 */
#define LOOK_MS 250
#define SILENCE_MS 60000 /* a failover takes a fraction of it */
#define WAIT_MS 200000	 /* whoever is live no more is waited for no more */

struct change {
	bool now;
	bool own; /* not one that was given */
	struct clv_buf cert, key, row;
	uint8_t thumb[32];
	bool goes_on; /* it was begun before */
	bool serves;  /* there is an active server, which does the rest */
	struct cli_cert_state state;
};

uint64_t
cli_cert_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
cli_cert_pause(void)
{
	const struct timespec t = {0, LOOK_MS * 1000000};

	nanosleep(&t, NULL);
}

/* One line, drawn over itself; not for a file. */
void
cli_cert_draw(const char *why)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K... %.100s", why);
}

void
cli_cert_end_line(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* What was begun before, by the newest list that is known here. */
static void
find_begun(struct change *t, const struct clv_list *list)
{
	t->goes_on = t->own && !t->now && !list->cert_switched &&
		     !sodium_is_zero(list->cert_thumb[1], 32);
	if (t->goes_on)
		memcpy(t->thumb, list->cert_thumb[1], 32);
}

/* There are two places for thumbprints. */
static void
wait_for_place(struct cli *c, struct change *t)
{
	while (!t->now && cli_cert_state(c, &t->state) == CLV_OK &&
	       t->state.phase == TLSNEXT_SWITCHED) {
		cli_cert_draw(t->state.why);
		cli_cert_pause();
	}
	cli_cert_end_line();
}

int
cli_cert_confirm(struct cli *c)
{
	fputs("Type yes to go on: ", stderr);
	return cli_typed(c, "yes", "changed");
}

static int
confirm(struct cli *c, struct change *t)
{
	const struct cli_cert_hosts *away = &t->state.not_live;
	const char *who = "whoever is not a server node";

	if (!t->now || cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (cli_cert_state(c, &t->state) == CLV_OK)
		who = away->n > 0 ? away->names : "nobody";
	if (!isatty(STDIN_FILENO))
		return cli_fail(c, CLV_E_DENIED, "if that is meant, give --yes",
		    "the certificate in force would be refused at once, and "
		    "these hosts cut off: %s",
		    who);
	fprintf(stderr,
	    "From then on only the new certificate is accepted. Hosts that "
	    "are connected learn\nof it at once. Cut off, until "
	    "'server_thumbprint' is set anew there by hand:\n%s\n",
	    who);
	return cli_cert_confirm(c);
}

/* The key never leaves this process but sealed. */
static int
seal(struct cli *c, struct change *t, const struct clv_list *list)
{
	struct clv_keyring *k = NULL;
	int r = cli_keyring_export(c, &k);

	if (r != CLV_OK)
		return r;
	r = cert_thumb(t->cert.data, t->cert.len, t->thumb);
	if (r == CLV_OK)
		r = clv_tls_row_seal(c->guard, k,
		    clv_list_current(list)->number, t->cert.data, t->cert.len,
		    t->key.data, t->key.len, &t->row);
	clv_keyring_free(&k);
	if (r == CLV_OK && t->row.len > ADMIN_REQUEST_MAX - 128)
		return cli_fail(c, CLV_E_FULL, "use a smaller one",
		    "the certificate and its key are too large");
	return r == CLV_OK ? r
			   : cli_fail(c, r, NULL,
				 "the certificate cannot be sealed: %s",
				 clv_result_text(r));
}

static int
publish(struct cli *c, struct change *t)
{
	struct cli_answer a;
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	cli_admin_begin(&b, ADMIN_CERT_NEXT);
	clv_buf_raw(&b, t->thumb, sizeof(t->thumb));
	clv_buf_u8(&b, t->now);
	clv_buf_bytes(&b, t->row.data, t->row.len);
	r = cli_admin(c, &b, "publish the next certificate", &a);
	if (r == CLV_OK) {
		clv_rd_init(&rd, a.data.data, a.data.len);
		t->serves = clv_rd_u8(&rd) != 0;
	}
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static int
look(struct cli *c, struct change *t, uint64_t *heard)
{
	struct cli_cert_state *s = &t->state;

	if (cli_cert_state(c, s) != CLV_OK) {
		cli_cert_draw("no active server answers");
		return CLV_E_AGAIN;
	}
	*heard = cli_cert_now_ms();
	cli_cert_draw(s->why);
	if (memcmp(s->thumb[0], t->thumb, 32) == 0)
		return CLV_OK;
	if (memcmp(s->thumb[1], t->thumb, 32) != 0)
		return cli_fail(c, CLV_E_EXISTS, "claviger cert show",
		    "another certificate has taken its place");
	return CLV_E_AGAIN;
}

/* Ending the command does not end the work. */
static int
follow(struct cli *c, struct change *t)
{
	uint64_t began = cli_cert_now_ms(), heard = began, now;
	int r;

	for (;;) {
		r = look(c, t, &heard);
		now = cli_cert_now_ms();
		if (r != CLV_E_AGAIN || now - heard >= SILENCE_MS ||
		    now - began >= WAIT_MS)
			break;
		cli_cert_pause();
	}
	cli_cert_end_line();
	if (r != CLV_E_AGAIN)
		return r;
	if (now - heard >= SILENCE_MS)
		return cli_fail(c, CLV_E_NOT_ACTIVE,
		    "claviger status; the next active server goes on by itself",
		    "no active server has gone on with it for %u s",
		    SILENCE_MS / 1000);
	return cli_fail(c, CLV_E_TIMEOUT,
	    "look at these hosts: the active server goes on by itself when "
	    "they have it; --now waits for nobody",
	    "the next certificate is not in force yet: %s", t->state.why);
}

static void
print_text(const struct change *t)
{
	const struct cli_cert_hosts *away = &t->state.host[ACK_AWAY];
	char hex[CLI_HEX];

	if (!t->serves && !t->now) {
		printf("the next certificate is published, thumbprint %s: "
		       "the next active server goes on\n",
		    cli_hex(t->thumb, hex));
		return;
	}
	printf("the network name's certificate is changed: thumbprint %s\n",
	    cli_hex(t->thumb, hex));
	if (!t->now)
		puts("the one before stays pinned for two refresh intervals");
	if (away->n > 0)
		printf("hosts that are away and did not learn of it (each that "
		       "cannot connect any more\nneeds 'server_thumbprint' "
		       "in its configuration anew): %s\n",
		    away->names);
}

static void
print(const struct cli *c, const struct change *t)
{
	struct cli_json *j;
	char hex[CLI_HEX];

	if (cli_opt(c, "json") == NULL) {
		print_text(t);
		return;
	}
	j = cli_json_new();
	cli_json_str(j, "thumbprint", cli_hex(t->thumb, hex));
	cli_json_bool(j, "in_force", t->serves || t->now);
	cli_json_bool(j, "begun_before", t->goes_on);
	cli_cert_hosts_json(j, "away", &t->state.host[ACK_AWAY]);
	cli_json_print(j);
}

/* make: the certificate and its key. */
static int
change(struct cli *c, struct change *t, const struct clv_list *list,
    int (*make)(struct cli *, struct change *, const struct clv_list *))
{
	int r = CLV_OK;

	if (!t->goes_on) {
		wait_for_place(c, t);
		r = make(c, t, list);
		if (r == CLV_OK)
			r = confirm(c, t);
		if (r == CLV_OK)
			r = seal(c, t, list);
		if (r == CLV_OK)
			r = publish(c, t);
	} else {
		cli_progress("going on with what was begun before");
		t->serves = cli_cert_state(c, &t->state) == CLV_OK;
	}
	return r == CLV_OK && t->serves ? follow(c, t) : r;
}

static int
run(struct cli *c, struct change *t,
    int (*make)(struct cli *, struct change *, const struct clv_list *))
{
	struct cli_daemon d = {.started = false};
	struct clv_list *list = NULL;
	int r;

	clv_buf_init(&t->cert);
	clv_buf_init(&t->key);
	clv_buf_init(&t->row);
	t->now = cli_opt(c, "now") != NULL;
	r = cli_guard(c);
	if (r == CLV_OK)
		r = cli_daemon_need(c, &d);
	if (r == CLV_OK)
		r = cli_list_need(c, &list);
	if (r == CLV_OK) {
		find_begun(t, list);
		r = change(c, t, list, make);
	}
	cli_daemon_stop(c, &d);
	clv_list_free(&list);
	clv_buf_fini(&t->row);
	clv_buf_fini(&t->key);
	clv_buf_fini(&t->cert);
	return r;
}

/* As init makes it. */
static int
make_own(struct cli *c, struct change *t, const struct clv_list *list)
{
	const char *names[] = {list->network_name, list->address};
	int r = cert_make(list->network_name, names, 2, &t->cert, &t->key);

	return r == CLV_OK
		   ? r
		   : cli_fail(c, r, NULL, "a certificate cannot be made: %s",
			 clv_result_text(r));
}

static int
load_given(struct cli *c, struct change *t)
{
	const char *cert = cli_opt(c, "cert"), *key = cli_opt(c, "key");
	int r = cert_load(cert, &t->cert);

	if (r != CLV_OK)
		return cli_fail(c, r, "a certificate in PEM or DER is wanted",
		    "%s cannot be used: %s", cert, clv_result_text(r));
	r = cert_key_load(key, &t->key);
	if (r == CLV_E_PERMISSION)
		return cli_fail(c, r, "chmod 600 it",
		    "%s can be read by others, or not by you", key);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r,
			 "a private key in PEM or DER, without a "
			 "passphrase, is wanted",
			 "%s cannot be used: %s", key, clv_result_text(r));
}

static int
use_given(struct cli *c, struct change *t, const struct clv_list *list)
{
	char why[256] = "";
	int r = load_given(c, t);

	if (r != CLV_OK)
		return r;
	r = cert_check(
	    &t->cert, &t->key, list->network_name, (int64_t)time(NULL), why);
	return r == CLV_OK
		   ? r
		   : cli_fail(c, r,
			 "claviger cert rotate --server makes one that fits",
			 "%s is not used: %s", cli_opt(c, "cert"),
			 cli_printable(why));
}

static int
run_verb(struct cli *c, struct change *t,
    int (*make)(struct cli *, struct change *, const struct clv_list *))
{
	int r;

	if (cli_opt(c, "server") == NULL)
		return cli_fail(
		    c, CLV_E_USAGE, NULL, "whose certificate? Give --server");
	r = run(c, t, make);
	if (r == CLV_OK)
		print(c, t);
	return r;
}

int
cli_cert_rotate(struct cli *c)
{
	bool server = cli_opt(c, "server") != NULL;
	bool member = cli_opt(c, "member") != NULL;
	const char *name = c->arg_count > 0 ? c->args[0] : NULL;
	struct change t = {.own = true};

	if (server == member)
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "whose certificate? Give --server or --member");
	if (server && name != NULL)
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "a host's name goes with --member alone");
	if (member && name != NULL && strcmp(name, c->config.node) != 0)
		return cli_cert_rotate_other(c, name);
	if (member)
		return cli_cert_rotate_member(c);
	return config_is_server(&c->config)
		   ? run_verb(c, &t, make_own)
		   : cli_fail(c, CLV_E_CONFIG, "run it on a server node",
			 "this host is not a server node");
}

int
cli_cert_renew(struct cli *c)
{
	struct change t = {.own = true};
	int r = run(c, &t, make_own);

	if (r == CLV_OK && cli_opt(c, "json") == NULL)
		print_text(&t);
	return r;
}

int
cli_cert_use(struct cli *c)
{
	struct change t = {.own = false};

	return run_verb(c, &t, use_given);
}
