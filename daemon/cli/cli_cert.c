/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "daemon/cli/cli_cert.h"
#include "daemon/front/tls.h"

#define COLONS (32 * 3)

/* One certificate, as it is shown. */
struct shown {
	const char *party; /* "host" or "network-name", */
	const char *name;  /* and whose */
	uint8_t thumb[32];
	struct cert_info info;
	char pinned[160]; /* where others look its thumbprint up */
};

/* AA:BB:…, as browsers and openssl show it. */
static const char *
colons(const uint8_t thumb[static 32], char ret[static COLONS])
{
	for (int i = 0; i < 32; i++)
		snprintf(ret + 3 * i, 4, "%02X%s", thumb[i], i < 31 ? ":" : "");
	return ret;
}

static int
days_left(const struct shown *s)
{
	return cert_days_left(&s->info, (int64_t)time(NULL));
}

static void
left_text(const struct shown *s, char ret[static 48])
{
	int n = days_left(s);

	if (n >= 0)
		snprintf(ret, 48, "%d days left", n);
	else
		snprintf(ret, 48, "ended %d days ago", -n);
}

static void
print(const struct shown *s)
{
	char hex[CLI_HEX], text[COLONS], from[CLI_DATE], to[CLI_DATE];
	char left[48];

	printf("%s %s\n",
	    strcmp(s->party, "host") == 0 ? "this host:" : "network name:",
	    s->name);
	printf("  %-11s %s\n", "subject", s->info.subject);
	for (int i = 0; i < s->info.name_count; i++)
		printf("  %-11s %s\n", i == 0 ? "names" : "", s->info.name[i]);
	printf("  %-11s %s\n", "key", s->info.key);
	left_text(s, left);
	printf("  %-11s %s to %s, %s\n", "valid",
	    cli_date(s->info.not_before, from), cli_date(s->info.not_after, to),
	    left);
	printf("  %-11s %s\n", "thumbprint", cli_hex(s->thumb, hex));
	printf("  %-11s %s\n", "", colons(s->thumb, text));
	printf("  %-11s %s\n", "pinned", s->pinned);
}

static void
json(struct cli_json *j, const struct shown *s)
{
	struct cli_json *o = cli_json_push(j, "certificates");
	char hex[CLI_HEX], text[COLONS], when[CLI_DATE];
	int left = days_left(s);

	cli_json_str(o, "party", s->party);
	cli_json_str(o, "name", s->name);
	cli_json_str(o, "subject", s->info.subject);
	cli_json_array(o, "names");
	for (int i = 0; i < s->info.name_count; i++)
		cli_json_str_push(o, "names", s->info.name[i]);
	cli_json_str(o, "key", s->info.key);
	cli_json_str(o, "not_before", cli_date(s->info.not_before, when));
	cli_json_str(o, "not_after", cli_date(s->info.not_after, when));
	cli_json_u64(o, "days_left", left > 0 ? (uint64_t)left : 0);
	cli_json_bool(o, "ended", left < 0);
	cli_json_str(o, "thumbprint", cli_hex(s->thumb, hex));
	cli_json_str(o, "thumbprint_colons", colons(s->thumb, text));
	cli_json_str(o, "pinned", s->pinned);
}

/* Shown, and warned of. */
static int
show(struct cli *c, struct cli_json *j, const struct clv_buf *der,
    struct shown *s)
{
	char left[48];
	int r = cert_info(der->data, der->len, &s->info);

	if (r == CLV_OK)
		r = cert_thumb(der->data, der->len, s->thumb);
	if (r != CLV_OK)
		return cli_fail(c, r, NULL,
		    "the certificate of %s cannot be read: %s", s->name,
		    clv_result_text(r));
	cli_printable(s->info.subject);
	for (int i = 0; i < s->info.name_count; i++)
		cli_printable(s->info.name[i]);
	if (j != NULL)
		json(j, s);
	else
		print(s);
	if (days_left(s) > CERT_WARN_DAYS)
		return CLV_OK;
	left_text(s, left);
	cli_warn(c,
	    "the certificate of %s: %s; who has it pinned goes on "
	    "trusting it",
	    s->name, left);
	return CLV_E_FINDINGS;
}

static int
show_host(struct cli *c, struct cli_json *j)
{
	struct shown s = {.party = "host", .name = c->config.node};
	struct cli_host h;
	int r;

	snprintf(s.pinned, sizeof(s.pinned),
	    "in the signed list, once this host is enrolled: claviger %s list",
	    config_is_server(&c->config) ? "node" : "member");
	cli_host_init(&h);
	r = cli_host_load(c, &h);
	if (r == CLV_OK)
		r = show(c, j, &h.cert, &s);
	cli_host_fini(&h);
	return r;
}

static void
where_pinned(const struct cli *c, const struct cli_wire *w, struct shown *s)
{
	const char *which =
	    w->list != NULL && w->list->cert_switched ? "former" : "next";

	if (w->list == NULL) {
		snprintf(s->pinned, sizeof(s->pinned),
		    "here in %.100s, and in the signed list", c->path);
		return;
	}
	if (memcmp(s->thumb, w->list->cert_thumb[0], 32) == 0)
		which = "current";
	snprintf(s->pinned, sizeof(s->pinned),
	    "in the signed list, version %" PRIu64 ", as the %s one, and in "
	    "each member's configuration",
	    w->list->version, which);
}

/* As it is served: a pin that is not met is an error. */
static int
show_server(struct cli *c, struct cli_json *j)
{
	struct shown s = {.party = "network-name"};
	struct cli_wire w;
	struct clv_buf der;
	int r;

	clv_buf_init(&der);
	r = cli_wire_open(c, &w);
	if (r == CLV_OK) {
		r = tls_client_cert(w.tls, &der);
		if (r == CLV_OK)
			r = cert_thumb(der.data, der.len, s.thumb);
	}
	s.name = w.list != NULL ? w.list->network_name : c->config.network_name;
	where_pinned(c, &w, &s);
	if (r == CLV_OK)
		r = show(c, j, &der, &s);
	clv_buf_fini(&der);
	cli_wire_close(&w);
	return r;
}

static void
print_hosts(const char *what, const struct cli_cert_hosts *h)
{
	if (h->n > 0)
		printf("  %-11s %u: %s\n", what, h->n, h->names);
}

static void
print_change(const struct cli_cert_state *s)
{
	char hex[CLI_HEX], text[COLONS];

	printf("network name, %s one:\n",
	    s->phase == TLSNEXT_NEXT ? "the next" : "the former");
	printf("  %-11s %s\n", "thumbprint", cli_hex(s->thumb[1], hex));
	printf("  %-11s %s\n", "", colons(s->thumb[1], text));
	print_hosts("known to", &s->host[ACK_GIVEN]);
	print_hosts("not yet to", &s->host[ACK_LATE]);
	print_hosts("away", &s->host[ACK_AWAY]);
	if (s->why[0] != '\0')
		printf("  %-11s %s\n", "waits", s->why);
}

static void
json_change(struct cli_json *j, const struct cli_cert_state *s)
{
	struct cli_json *o = cli_json_push(j, "changes");
	char hex[CLI_HEX], text[COLONS];

	cli_json_str(o, "party", "network-name");
	cli_json_str(o, "which", s->phase == TLSNEXT_NEXT ? "next" : "former");
	cli_json_str(o, "thumbprint", cli_hex(s->thumb[1], hex));
	cli_json_str(o, "thumbprint_colons", colons(s->thumb[1], text));
	cli_cert_hosts_json(o, "acknowledged", &s->host[ACK_GIVEN]);
	cli_cert_hosts_json(o, "late", &s->host[ACK_LATE]);
	cli_cert_hosts_json(o, "away", &s->host[ACK_AWAY]);
	cli_json_str(o, "waits", s->why);
}

/* Another one is on its way, or going; the active server says how far. */
static void
show_change(struct cli *c, struct cli_json *j)
{
	struct cli_cert_state s;

	if (!config_is_server(&c->config) || cli_cert_state(c, &s) != CLV_OK ||
	    s.phase == TLSNEXT_NONE)
		return;
	if (j != NULL)
		json_change(j, &s);
	else
		print_change(&s);
}

/* This host's own: the local daemon says. */
static void
show_own(struct cli *c, struct cli_json *j)
{
	struct cli_cert_own s;
	struct cli_json *o;
	char hex[CLI_HEX], text[COLONS];

	if (cli_cert_own(c, &s) != CLV_OK || !s.waits)
		return;
	if (j == NULL) {
		printf("this host, the next one:\n  %-11s %s\n  %-11s %s\n"
		       "  %-11s %s\n",
		    "thumbprint", cli_hex(s.next, hex), "",
		    colons(s.next, text), "waits", s.why);
		return;
	}
	o = cli_json_push(j, "changes");
	cli_json_str(o, "party", "host");
	cli_json_str(o, "which", "next");
	cli_json_str(o, "thumbprint", cli_hex(s.next, hex));
	cli_json_str(o, "thumbprint_colons", colons(s.next, text));
	cli_json_str(o, "waits", s.why);
}

int
cli_cert_show(struct cli *c)
{
	struct cli_json *j = NULL;
	int host, server;

	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_array(j, "certificates");
		cli_json_array(j, "changes");
	}
	host = show_host(c, j);
	server = show_server(c, j);
	show_change(c, j);
	show_own(c, j);
	if (j != NULL)
		cli_json_print(j);
	return server != CLV_OK ? server : host;
}
