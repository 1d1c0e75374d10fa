/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "daemon/cli/doctor/cli_doctor.h"

/*
 * The applications of this host's scope: the daemon, which has their keys,
 * reads each one anew, and says part by part what is wrong.
 */

/* What to do, by the kind of a finding; of the others the check says it. */
static const struct {
	const char *kind, *next;
} nexts[] = {
    {"rolled-back",
	"find out who restored the database; what was written since is lost: "
	"see RESTORED DATABASE in claviger(1)"},
    {"forked",
	"find out who restored the database; what was written after the day it "
	"was set back to is lost: see RESTORED DATABASE in claviger(1)"},
    {"generation",
	"claviger status: is this host's key newer than the server's list? "
	"claviger restore FILE on a server node"},
    {"keys-missing",
	"put the rows of claviger.data_key back from the database's backup"},
    {"key-changed",
	"put the rows of claviger.data_key back from the database's backup"},
    {"record-key",
	"put the rows of claviger.data_key back from the database's backup"},
    {"again", "mend what is told, then claviger doctor again"},
    {"more", "mend what is told, then claviger doctor again"},
};

static const char *
next_of(const char *kind)
{
	for (size_t i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++)
		if (strcmp(nexts[i].kind, kind) == 0)
			return nexts[i].next;
	return NULL;
}

static void
progress(const char *app, uint64_t done, uint64_t total, bool more)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (total > 0)
		fprintf(stderr, "\r... %s: %" PRIu64 " of %" PRIu64, app, done,
		    total);
	if (!more)
		fputs("\r\033[K", stderr); /* nothing is left of it */
	fflush(stderr);
}

/* u8 more, u64 done, u64 total, u32 n, n x (str kind, str subject, str text) */
static bool
take_part(struct doctor *d, const char *app, const uint8_t *p, size_t len,
    uint64_t *ret_done)
{
	char kind[32], subject[160], text[300], what[240];
	struct clv_rd rd;
	uint64_t total;
	uint32_t n;
	bool more;

	clv_rd_init(&rd, p, len);
	more = clv_rd_u8(&rd) != 0;
	*ret_done = clv_rd_u64(&rd);
	total = clv_rd_u64(&rd);
	n = clv_rd_u32(&rd);
	progress(app, *ret_done, total, more);
	while (n-- > 0 && !rd.failed) {
		clv_rd_str(&rd, kind, sizeof(kind));
		clv_rd_str(&rd, subject, sizeof(subject));
		clv_rd_str(&rd, text, sizeof(text));
		if (rd.failed)
			break;
		if (strcmp(subject, app) == 0)
			snprintf(what, sizeof(what), "%s", app);
		else
			snprintf(what, sizeof(what), "%s: %s", app, subject);
		doctor_found(d, cli_printable(what), next_of(kind), "%s", text);
	}
	return more && !rd.failed;
}

static uint64_t
check_app(struct doctor *d, const char *app)
{
	static uint8_t answer[CLV_API_MSG_MAX];
	struct clv_buf b;
	uint64_t done = 0;
	uint8_t begin = 1;
	size_t len;
	int r;

	do {
		clv_buf_init(&b);
		clv_buf_str(&b, app);
		clv_buf_u8(&b, begin);
		begin = 0;
		r = clv_client_ask(d->api, CLV_API_INSPECT, b.data, b.len,
		    answer, sizeof(answer), &len);
		clv_buf_fini(&b);
	} while (r == CLV_OK && take_part(d, app, answer, len, &done));
	if (r != CLV_OK)
		doctor_found(d, app, "claviger doctor --only applications",
		    "it could not be read to its end: %s",
		    clv_client_text(d->api));
	return done;
}

void
doctor_applications(struct doctor *d)
{
	struct clv_client_app *apps = NULL;
	char after[CLV_NAME_MAX] = "";
	uint64_t secrets = 0;
	unsigned all = 0;
	size_t n = 0;
	bool more = true;
	int r = CLV_OK;

	while (more) {
		r = clv_client_apps(d->api, after, &apps, &n, &more);
		if (r != CLV_OK)
			break;
		for (size_t i = 0; i < n; i++)
			secrets += check_app(d, apps[i].name);
		if (n > 0)
			memcpy(after, apps[n - 1].name, sizeof(after));
		all += (unsigned)n;
		free(apps);
	}
	if (r != CLV_OK)
		doctor_found(
		    d, "", "claviger status", "%s", clv_client_text(d->api));
	doctor_note(d, "%u, with %" PRIu64 " secrets", all, secrets);
}
