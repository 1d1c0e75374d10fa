/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>
#include "daemon/cli/cli_cert.h"

/*
 * cert rotate --member: this host's own certificate. The local daemon makes the
 * new one and does the rest; the command waits for it, and repeated goes on
 * with what was begun.
 */
#define WAIT_MS 90000 /* a refresh interval, if it was changed too often */

static int
ask(struct cli *c, uint8_t what, struct cli_cert_own *ret)
{
	struct cli_reply reply;
	struct clv_rd rd;
	int r =
	    cli_ctl(c, CTL_CERT, &what, sizeof(what), &reply, CLI_TIMEOUT_MS);

	if (r != CLV_OK)
		return r;
	clv_rd_init(&rd, reply.body, reply.len);
	ret->waits = clv_rd_u8(&rd) != 0;
	clv_rd_copy(&rd, ret->thumb, sizeof(ret->thumb));
	clv_rd_copy(&rd, ret->next, sizeof(ret->next));
	clv_rd_str(&rd, ret->why, sizeof(ret->why));
	cli_printable(ret->why);
	return clv_rd_end(&rd) == CLV_OK ? CLV_OK : CLV_E_PROTOCOL;
}

int
cli_cert_own(struct cli *c, struct cli_cert_own *ret)
{
	return ask(c, CTL_CERT_SHOW, ret);
}

static int
confirm(struct cli *c)
{
	const char *yes = "the certificate in use would be refused at once, "
			  "and with it whoever has a copy of its key";

	if (cli_opt(c, "now") == NULL || cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(
		    c, CLV_E_DENIED, "if that is meant, give --yes", "%s", yes);
	fprintf(stderr,
	    "From then on only the new certificate of %s is accepted. Cut off: "
	    "whoever has a\ncopy of the key in use, also a clone of this host "
	    "or one that is restored from a\nbackup. This host itself goes "
	    "on.\n",
	    c->config.node);
	return cli_cert_confirm(c);
}

static int
failed(struct cli *c, int r)
{
	if (r == CLV_E_NO_SERVER)
		return cli_fail(c, r, "systemctl start clavigerd",
		    "clavigerd does not run on this host; it does the work");
	return cli_fail(c, r,
	    r == CLV_E_NOT_READY ? "claviger doctor"
				 : "journalctl -u clavigerd",
	    "clavigerd has not made a new certificate: %s", clv_result_text(r));
}

/* Ending the command does not end the work. */
static int
follow(struct cli *c, const uint8_t next[static 32], struct cli_cert_own *s)
{
	uint64_t began = cli_cert_now_ms();
	int r;

	do {
		cli_cert_draw(s->why);
		cli_cert_pause();
		r = ask(c, CTL_CERT_SHOW, s);
		if (r == CLV_OK && !s->waits)
			break;
	} while (cli_cert_now_ms() - began < WAIT_MS);
	cli_cert_end_line();
	if (r != CLV_OK)
		return failed(c, r);
	if (s->waits)
		return cli_fail(c, CLV_E_TIMEOUT,
		    "claviger status here and on the server nodes; the daemon "
		    "goes on by itself, with either certificate",
		    "the new certificate is not in use yet: %s", s->why);
	if (memcmp(s->thumb, next, sizeof(s->thumb)) != 0)
		return cli_fail(c, CLV_E_EXISTS, "claviger cert show",
		    "another certificate has taken its place");
	return CLV_OK;
}

static int
rotate(struct cli *c, bool now, struct cli_cert_own *s)
{
	uint8_t next[32];
	int r = ask(c, now ? CTL_CERT_NOW : CTL_CERT_ROTATE, s);

	if (r != CLV_OK)
		return failed(c, r);
	memcpy(next, s->next, sizeof(next));
	return follow(c, next, s);
}

static void
print(const struct cli *c, bool now, const struct cli_cert_own *s)
{
	struct cli_json *j;
	char hex[CLI_HEX];

	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_str(j, "thumbprint", cli_hex(s->thumb, hex));
		cli_json_bool(j, "in_force", true);
		cli_json_print(j);
		return;
	}
	printf("this host's certificate is changed: thumbprint %s\n"
	       "the one before %s\n",
	    cli_hex(s->thumb, hex),
	    now ? "is refused" : "stays accepted for some refresh intervals");
}

/* With --now what lay on this disk before is not enough: what was begun is
 * finished, and then changed once more. */
int
cli_cert_rotate_member(struct cli *c)
{
	bool now = cli_opt(c, "now") != NULL;
	struct cli_cert_own s;
	int r = confirm(c);

	if (r != CLV_OK)
		return r;
	r = cli_cert_own(c, &s);
	if (r != CLV_OK)
		return failed(c, r);
	if (s.waits)
		cli_progress("going on with what was begun before");
	if (s.waits && now)
		r = rotate(c, false, &s);
	if (r == CLV_OK)
		r = rotate(c, now, &s);
	if (r == CLV_OK)
		print(c, now, &s);
	return r;
}
