/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/cli/status/cli_status.h"
#include "daemon/keeper/audit.h"
#include "daemon/member/member_policy.h"

/*
 * claviger metrics: what `claviger status` knows, as a file for node_exporter's
 * textfile collector. It is the text format of Prometheus and, with the unit at
 * the end of names, gauges alone and its last line, OpenMetrics as well. What
 * is not known has no line: an absent value is no 0.
 */
#define PREFIX "claviger_"

static void
head(FILE *f, const char *name, const char *help)
{
	fprintf(f, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s gauge\n", name,
	    help, name);
}

static void
gauge(FILE *f, const char *name, uint64_t value, const char *help)
{
	head(f, name, help);
	fprintf(f, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void
gauge_ms(FILE *f, const char *name, uint64_t ms, const char *help)
{
	head(f, name, help);
	fprintf(f, PREFIX "%s %" PRIu64 ".%03u\n", name, ms / 1000,
	    (unsigned)(ms % 1000));
}

static void
label(FILE *f, const char *key, const char *value)
{
	fprintf(f, "%s=\"", key);
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			fputs("\\n", f);
		else if (*value == '"' || *value == '\\')
			fprintf(f, "\\%c", *value);
		else
			fputc(*value, f);
	}
	fputc('"', f);
}

static void
labelled(FILE *f, const char *name, const char *key, const char *label_value,
    int64_t value)
{
	fprintf(f, PREFIX "%s{", name);
	label(f, key, label_value);
	fprintf(f, "} %" PRId64 "\n", value);
}

static void
put_info(FILE *f, const struct cli_status *s)
{
	head(f, "info", "What runs here, in labels; always 1.");
	fputs(PREFIX "info{", f);
	label(f, "version", PACKAGE_VERSION);
	label(f, ",node", s->st.node);
	label(f, ",kind", s->member ? "member" : "server");
	label(f, ",network_name", s->st.network_name);
	label(f, ",system", s->st.system_pk);
	fputs("} 1\n", f);
}

static void
put_seen(FILE *f, const struct cli_status *s)
{
	gauge(f, "up", s->daemon, "Does clavigerd run here and answer.");
	gauge(f, "ready", s->ready,
	    "Could this node serve; on a member: has it a key.");
	gauge(f, "epoch", s->st.epoch, "Highest epoch seen here.");
	gauge(f, "current_generation", s->st.current_generation,
	    "Current generation of the master secret, as known here.");
	gauge(f, "list_version", s->st.list_version,
	    "Version of the signed list here.");
}

static void
put_role(FILE *f, const struct cli_status *s)
{
	const char *name;

	head(f, "role", "Role of this server node: 1 for the one it has.");
	for (uint32_t i = 0; (name = cli_status_role_name(i)) != NULL; i++)
		labelled(f, "role", "role", name, s->st.role == i);
	gauge(f, "active", cli_status_is_active(s),
	    "Is this node the active server.");
	gauge(f, "serving", cli_status_flag(s, CTL_FLAG_LISTENING),
	    "Does it answer on the server port.");
	gauge(f, "active_node_number", s->st.active_number,
	    "Number of the node that is active by the database; 0: none.");
	gauge(f, "generation", s->st.generation,
	    "Newest generation that this node holds; 0: none.");
	gauge(f, "encryption_allowed", cli_status_flag(s, CTL_FLAG_ENCRYPT),
	    "Is it active inside of its lease.");
	gauge_ms(f, "lease_left_seconds", s->st.lease_left_ms,
	    "How long its lease goes on, if it is not renewed.");
	gauge(f, "read_only", cli_status_flag(s, CTL_FLAG_READONLY),
	    "Has somebody seen newer state than this node: it only reads.");
	gauge(f, "copied", cli_status_flag(s, CTL_FLAG_COPIED),
	    "Is this node a copy of another machine's: it only reads.");
	gauge(f, "locked_memory_bytes", (uint64_t)s->st.locked_kib * 1024,
	    "Memory locked for secrets.");
}

static void
put_surroundings(FILE *f, const struct cli_status *s)
{
	gauge(f, "database_connected", cli_status_flag(s, CTL_FLAG_DATABASE),
	    "Is the database connected.");
	if (cli_status_flag(s, CTL_FLAG_CLUSTER))
		gauge(f, "quorate", cli_status_flag(s, CTL_FLAG_QUORATE),
		    "Has this node's part of the cluster the quorum.");
}

static void
put_member(FILE *f, const struct cli_status *s)
{
	static const enum clv_member_state states[] = {CLV_MEMBER_NONE,
	    CLV_MEMBER_FRESH, CLV_MEMBER_AWAY, CLV_MEMBER_EXPIRED};

	head(f, "member_state",
	    "State of the keys for applications here: 1 for the one it is.");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		labelled(f, "member_state", "state",
		    member_state_name(states[i]), s->own.state == states[i]);
	if (s->own.age_ms != UINT64_MAX)
		gauge_ms(f, "member_refresh_age_seconds", s->own.age_ms,
		    "Since the server has confirmed these keys last.");
	gauge(f, "member_generation", s->own.generation,
	    "Generation of these keys.");
	gauge(f, "member_writing_allowed", s->own.may_encrypt,
	    "May applications here write and seal.");
	gauge(f, "member_database_connected", s->own.database_up,
	    "Is the applications' database connected.");
}

static void
put_certificates(FILE *f, const struct cli_status *s)
{
	if (s->cert_count == 0)
		return;
	head(f, "certificate_left_seconds",
	    "Until a certificate ends; below 0: it has ended.");
	for (size_t i = 0; i < s->cert_count; i++) {
		fputs(PREFIX "certificate_left_seconds{", f);
		label(f, "party", s->certs[i].party);
		label(f, ",name", s->certs[i].name);
		fprintf(f, "} %" PRId64 "\n", s->certs[i].left_s);
	}
}

static void
put_count(FILE *f, const char *name, const struct cli_status_count *n,
    const char *help)
{
	head(f, name, help);
	labelled(f, name, "state", "enrolled", (int64_t)n->enrolled);
	labelled(f, name, "state", "revoked", (int64_t)n->revoked);
}

static void
put_list(FILE *f, const struct cli_status *s)
{
	struct cli_status_count n;

	if (s->list == NULL)
		return;
	cli_status_nodes(s, &n);
	put_count(f, "nodes", &n, "Server nodes in the signed list.");
	cli_status_members(s, &n);
	put_count(f, "members", &n, "Members in the signed list.");
	gauge(f, "applications", s->list->app_count,
	    "Applications in the signed list.");
	gauge(f, "reencryption_under_way", s->list->reencrypt != 0,
	    "Was re-encryption asked for, and is it not through.");
}

static void
put_escrow(FILE *f, const struct cli_status *s)
{
	unsigned findings;

	if (s->coverage != NULL) {
		findings = coverage_judge(s->coverage, NULL, NULL);
		gauge(f, "escrow_covered", findings == 0,
		    "Could the master secret be had back, as far as the policy "
		    "asks.");
		gauge(f, "escrow_findings", findings,
		    "What escrow lacks, as escrow list names it.");
	}
	if (!s->backup.known)
		return;
	gauge(f, "backup_generation", s->backup.generation,
	    "Generation in the newest verified backup; 0: there is none.");
	if (s->backup.generation != 0)
		gauge(f, "backup_age_seconds", s->backup.age_s,
		    "Age of the newest verified backup.");
}

static void
put_audit(FILE *f, const struct cli_status *s)
{
	if (!s->audit.daemon)
		return;
	gauge(f, "audit_waiting", s->audit.queued,
	    "Rows of the audit trail that wait to be written.");
	gauge(f, "audit_lost", s->audit.lost,
	    "Rows of it that could not be kept.");
	gauge(f, "audit_writable", s->audit.state != AUDIT_NOT_WRITTEN,
	    "Does the database take them.");
	gauge(f, "audit_intact", s->audit.state != AUDIT_BROKEN,
	    "Is the trail the one that was written, as far as was looked.");
}

/* The active server alone knows. */
static void
put_rotation(FILE *f, const struct cli_status *s)
{
	const struct cli_rotation *r = &s->rotation;

	if (r->generation == 0)
		return;
	gauge(f, "rotation_under_way", cli_rotation_goes_on(r),
	    "Is a rotation or what follows it going on.");
	gauge(f, "rotation_left", r->left,
	    "Keys, applications or secrets left in this part of it.");
	gauge(f, "rotation_damaged", r->damaged + r->not_reencrypted,
	    "What it cannot do: claviger doctor names it.");
}

void
cli_status_metrics(FILE *f, const struct cli_status *s)
{
	put_info(f, s);
	put_seen(f, s);
	if (s->daemon && !s->member) {
		put_role(f, s);
		put_surroundings(f, s);
		put_rotation(f, s);
		put_escrow(f, s);
		put_audit(f, s);
	}
	if (s->own_known)
		put_member(f, s);
	put_list(f, s);
	put_certificates(f, s);
	fputs("# EOF\n", f);
}

int
cli_metrics(struct cli *c)
{
	const char *path = cli_opt(c, "output");
	char *text = NULL;
	size_t len = 0;
	struct cli_status s;
	FILE *f = open_memstream(&text, &len);
	int r = CLV_OK;

	if (f == NULL)
		return cli_fail(c, CLV_E_NOMEM, NULL, "out of memory");
	cli_status_ask(c, &s);
	cli_status_metrics(f, &s);
	cli_status_fini(&s);
	if (fclose(f) != 0)
		r = cli_fail(c, CLV_E_NOMEM, NULL, "out of memory");
	else if (path != NULL)
		r = cli_file_put(c, path, text, len, 0644);
	else
		fwrite(text, 1, len, stdout);
	free(text);
	return r;
}
