/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/cli_cert.h"

/*
 * cert rotate --member NAME, on a server node: another host's certificate. The
 * active server asks that host; the command waits for it, and goes on with the
 * next active server after a failover.
 */
#define SILENCE_MS 60000 /* a failover takes a fraction of it */
#define WAIT_MS 200000	 /* three refresh intervals and more */

struct other {
	const char *name;
	bool now;
	uint8_t instead[2][32];
	bool done;
	uint8_t thumb[32];
	char why[160];
};

static int
confirm(struct cli *c, const struct other *o)
{
	if (!o->now || cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(c, CLV_E_DENIED, "if that is meant, give --yes",
		    "the certificate that %s uses would be refused at once, "
		    "and with it whoever has a copy of its key",
		    o->name);
	fprintf(stderr,
	    "Once %s has made a new one, its present certificate is refused. "
	    "Cut off: whoever\nhas a copy of the key in use, also a clone of "
	    "that host or one that is restored\nfrom a backup. The host itself "
	    "goes on.\n",
	    o->name);
	return cli_cert_confirm(c);
}

static int
read_answer(const struct cli_answer *a, struct other *ret)
{
	struct clv_rd rd;

	clv_rd_init(&rd, a->data.data, a->data.len);
	clv_rd_copy(&rd, ret->instead, sizeof(ret->instead));
	ret->done = clv_rd_u8(&rd) != 0;
	clv_rd_copy(&rd, ret->thumb, sizeof(ret->thumb));
	clv_rd_str(&rd, ret->why, sizeof(ret->why));
	cli_printable(ret->why);
	return clv_rd_end(&rd) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
}

/* The same question begins it and tells how far it is. */
static int
ask(struct cli *c, struct other *o, char *text, size_t cap)
{
	struct cli_answer a;
	struct clv_buf b;
	int r;

	cli_answer_init(&a);
	cli_admin_begin(&b, ADMIN_MEMBER_ROTATE);
	clv_buf_str(&b, o->name);
	clv_buf_u8(&b, o->now);
	clv_buf_raw(&b, o->instead, sizeof(o->instead));
	r = cli_admin_quietly(c, &b, &a);
	if (r == CLV_OK)
		r = read_answer(&a, o);
	snprintf(text, cap, "%s",
	    a.text[0] != '\0' ? cli_printable(a.text) : clv_result_text(r));
	cli_answer_fini(&a);
	clv_buf_fini(&b);
	return r;
}

static int
begin(struct cli *c, struct other *o)
{
	char text[ADMIN_TEXT_MAX];
	int r = ask(c, o, text, sizeof(text));

	if (r == CLV_OK)
		return r;
	return cli_fail(c, r,
	    r == CLV_E_AWAY
		? "claviger member list; repeat the command when it is live: "
		  "claviger member revoke cuts it off meanwhile"
	    : r == CLV_E_NOT_FOUND ? "claviger member list; claviger node list"
				   : "claviger status",
	    "the certificate of %s is not changed: %s", o->name, text);
}

/* Ending the command does not end the work. */
static int
follow(struct cli *c, struct other *o)
{
	uint64_t began = cli_cert_now_ms(), heard = began, now = began;
	char text[ADMIN_TEXT_MAX];

	while (!o->done && now - began < WAIT_MS && now - heard < SILENCE_MS) {
		cli_cert_draw(o->why);
		cli_cert_pause();
		if (ask(c, o, text, sizeof(text)) == CLV_OK)
			heard = cli_cert_now_ms();
		else
			snprintf(o->why, sizeof(o->why), "%.159s", text);
		now = cli_cert_now_ms();
	}
	cli_cert_end_line();
	if (o->done)
		return CLV_OK;
	return cli_fail(c,
	    now - heard >= SILENCE_MS ? CLV_E_NOT_ACTIVE : CLV_E_TIMEOUT,
	    "claviger member list: is it live, and does it run this release? "
	    "Repeat the command",
	    "the new certificate of %s is not in use yet: %s", o->name, o->why);
}

static void
print(const struct cli *c, const struct other *o)
{
	char hex[CLI_HEX], at[CLI_DATE];
	struct cli_json *j;

	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_str(j, "thumbprint", cli_hex(o->thumb, hex));
		cli_json_bool(j, "in_force", true);
		cli_json_print(j);
		return;
	}
	printf("the certificate of %s is changed, by %s: thumbprint %s\n"
	       "the one before %s\n",
	    o->name, cli_date(time(NULL), at), cli_hex(o->thumb, hex),
	    o->now ? "is refused"
		   : "stays accepted for some refresh intervals");
}

int
cli_cert_rotate_other(struct cli *c, const char *name)
{
	struct other o = {.name = name, .now = cli_opt(c, "now") != NULL};
	int r;

	if (clv_name_check(name) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "use 1 to 64 letters, digits, '.', '_' and '-'",
		    "'%s' is not a name of a host", name);
	if (!config_is_server(&c->config))
		return cli_fail(c, CLV_E_CONFIG,
		    "run it on a server node, or on that host without a name",
		    "this host is not a server node, and not %s", name);
	r = confirm(c, &o);
	if (r == CLV_OK)
		r = begin(c, &o);
	if (r == CLV_OK)
		r = follow(c, &o);
	if (r == CLV_OK)
		print(c, &o);
	return r;
}
