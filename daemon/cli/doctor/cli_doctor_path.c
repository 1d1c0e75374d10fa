/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/doctor/cli_doctor.h"
#include "daemon/front/tls.h"

/* The way from this host to the server that is active, step by step: what the
 * commands on it say when they fail is the finding. */

static void
begin(struct doctor *d, struct cli_failure *f)
{
	memset(f, 0, sizeof(*f));
	d->c->kept = f;
}

/* next NULL: what the failure says. */
static void
end(struct doctor *d, const struct cli_failure *f, const char *next)
{
	d->c->kept = NULL;
	if (f->text[0] == '\0')
		return;
	if (next == NULL && f->next[0] != '\0')
		next = f->next;
	doctor_found(d, "", next, "%s", f->text);
}

/* address: "" where only the name is known */
static void
resolve(struct doctor *d, const char *name, const char *address)
{
	struct cli_failure f;
	char found[256];
	int r = CLV_OK;

	begin(d, &f);
	if (address[0] != '\0')
		r = cli_net_resolves(d->c, name, address);
	if (r == CLV_OK &&
	    cli_net_look_up(d->c, name, found, sizeof(found)) == CLV_OK)
		doctor_note(d, "%s is %s", name, found);
	end(d, &f, d->check->next);
}

void
doctor_name(struct doctor *d)
{
	const struct config *config = &d->c->config;
	struct clv_list *list = NULL;
	struct cli_failure f;

	if (!d->is_server) {
		resolve(d, config->network_name, config->address);
		return;
	}
	begin(d, &f);
	(void)cli_list_need(d->c, &list);
	end(d, &f, NULL);
	if (list != NULL)
		resolve(d, list->network_name, list->address);
	clv_list_free(&list);
}

/* That it ended keeps nobody out: the pin decides. */
static void
look_at_certificate(struct doctor *d, const struct tls_client *tls)
{
	struct clv_buf der;

	clv_buf_init(&der);
	if (tls_client_cert(tls, &der) == CLV_OK)
		doctor_cert(d, "the server", der.data, der.len);
	clv_buf_fini(&der);
}

void
doctor_connection(struct doctor *d)
{
	struct cli_failure f;
	int r;

	d->fetch = malloc(sizeof(*d->fetch));
	if (d->fetch == NULL) {
		doctor_found(d, "", "free memory", "out of memory");
		return;
	}
	cli_fetch_init(d->fetch);
	begin(d, &f);
	r = cli_wire_open(d->c, &d->fetch->wire);
	end(d, &f, NULL);
	if (r != CLV_OK)
		return;
	look_at_certificate(d, d->fetch->wire.tls);
	doctor_note(d, "%s answers with the certificate that is pinned",
	    d->fetch->wire.server);
}

void
doctor_answer(struct doctor *d)
{
	struct cli_fetch *fetch = d->fetch;
	const struct clv_wire_answer *a = &fetch->answer;
	struct cli_failure f;
	int r;

	begin(d, &f);
	r = cli_fetch_ask(d->c, fetch, false);
	if (r == CLV_OK)
		r = cli_fetch_check(d->c, fetch);
	if (r == CLV_OK)
		r = cli_fetch_open(d->c, fetch);
	end(d, &f, NULL);
	if (r == CLV_OK)
		doctor_note(d,
		    "generation %u of server %s, epoch %" PRIu64 ", new "
		    "secrets %s be written",
		    a->generation, a->server, a->epoch,
		    a->encrypt ? "can" : "cannot");
}

void
doctor_path_close(struct doctor *d)
{
	if (d->fetch != NULL)
		cli_fetch_fini(d->fetch);
	free(d->fetch);
	d->fetch = NULL;
}
