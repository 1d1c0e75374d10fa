/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include "daemon/cli_status.h"
#include "daemon/rewrap.h"
#include "daemon/tls.h"

static void line(const char *key, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
line(const char *key, const char *fmt, ...)
{
	va_list ap;

	printf("%-13s ", key);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void
print_role(const struct cli_status *s)
{
	const char *active = cli_status_active_node(s);

	if (!s->daemon)
		line("this node", "%s: NOT READY: %s", s->st.node,
		    cli_status_reason(s));
	else
		line("this node", "%s: %s: %s", s->st.node, cli_status_role(s),
		    cli_status_doing(s));
	if (s->st.reason[0] != '\0')
		line("reason", "%s", s->st.reason);
	line("active node", "%s",
	    active != NULL ? active
	    : s->daemon	   ? "none"
			   : "not known here");
	if (s->daemon)
		line("failover here",
		    cli_status_is_active(s) ? "this node serves already"
		    : s->ready ? "would work: the secret is open and proven"
			       : "would be refused");
}

static void
print_database(const struct cli_status *s)
{
	if (!s->daemon)
		return;
	line("database", "%s",
	    cli_status_flag(s, CTL_FLAG_DATABASE)
		? "connected"
		: "AWAY: nothing can be changed");
	if (!cli_status_flag(s, CTL_FLAG_CLUSTER))
		line("cluster", "none configured on this host");
	else
		line("cluster", "%s",
		    cli_status_flag(s, CTL_FLAG_QUORATE)
			? "quorate"
			: "NO QUORUM: nothing can be changed");
	if (cli_status_flag(s, CTL_FLAG_READONLY))
		line("ALARM", "somebody has seen newer state than this node "
			      "holds: read-only");
	if (s->st.role == CTL_ROLE_ACTIVE)
		line("lease", "%" PRIu64 " s left", s->st.lease_left_ms / 1000);
	if (s->st.role == CTL_ROLE_ACTIVE && s->st.reason[0] == '\0' &&
	    !cli_status_flag(s, CTL_FLAG_ENCRYPT))
		line("encryption", "waits for the end of another server's "
				   "lease: 15 s at most");
	line("memory", "%u KiB locked (%s)", s->st.locked_kib,
	    cli_status_flag(s, CTL_FLAG_SECRETMEM) ? "memfd_secret" : "mlock");
}

static void
print_backup(const struct cli_status *s)
{
	const struct cli_status_backup *b = &s->backup;
	char age[32];

	if (!s->daemon)
		return;
	if (!b->known)
		line("backup", "not known here (ask on the active node)");
	else if (b->generation == 0)
		line("backup", "NONE: claviger backup FILE");
	else
		line("backup", "generation %u, %s old, at %s", b->generation,
		    cli_age_text(b->age_s, age, sizeof(age)), b->where);
	if (b->known && b->generation != 0 &&
	    b->generation < s->st.current_generation)
		line("", "OLDER than the current generation: claviger backup "
			 "FILE");
}

static void
print_rotation(const struct cli_rotation *r)
{
	if (r->state == REWRAP_IS_TO_COME)
		line("published", "generation %u%s%s", r->generation,
		    r->why[0] != '\0' ? ": " : "", r->why);
	if (r->state == REWRAP_IS_RUNNING && r->total > 0)
		line("rewrapping",
		    "%" PRIu64 " of %" PRIu64 " keys left under generations "
		    "before %u%s%s",
		    r->left, r->total, r->generation,
		    r->why[0] != '\0' ? ": " : "", r->why);
	if (r->state == REWRAP_IS_MAKING_KEYS ||
	    r->state == REWRAP_IS_REENCRYPTING)
		line(cli_rotation_state(r), "%" PRIu64 " of %" PRIu64 " %s%s%s",
		    r->left, r->total,
		    r->state == REWRAP_IS_MAKING_KEYS
			? "applications left without a new data key"
			: "secrets left",
		    r->why[0] != '\0' ? ": " : "", r->why);
	if (r->damaged > 0)
		line("DAMAGED",
		    "%" PRIu64 " keys in the database are not rewrapped: "
		    "claviger doctor",
		    r->damaged);
	if (r->not_reencrypted > 0)
		line("DAMAGED",
		    "%" PRIu64 " records or applications are not "
		    "re-encrypted: claviger doctor",
		    r->not_reencrypted);
}

/* What the list asks for, also where nobody can tell how far it is. */
static void
print_reencryption(const struct cli_status *s)
{
	if (s->list != NULL && s->list->reencrypt != 0 &&
	    !cli_rotation_goes_on(&s->rotation))
		line("re-encryption",
		    "asked for with generation %u, and not through",
		    s->list->reencrypt);
}

static void
print_certificates(const struct cli_status *s)
{
	for (size_t i = 0; i < s->cert_count; i++) {
		const struct cli_status_cert *cert = &s->certs[i];
		char left[32];

		cli_age_text(
		    (uint64_t)(cert->left_s < 0 ? -cert->left_s : cert->left_s),
		    left, sizeof(left));
		if (cert->left_s < 0)
			line(i == 0 ? "certificates" : "",
			    "%s: ENDED %s ago: claviger cert show", cert->name,
			    left);
		else
			line(i == 0 ? "certificates" : "", "%s: %s left%s",
			    cert->name, left,
			    cert->left_s / 86400 <= CERT_WARN_DAYS
				? ": claviger cert show"
				: "");
	}
}

static void
print_parties(const struct cli_status *s)
{
	struct cli_status_count nodes, members;

	if (s->list == NULL)
		return;
	cli_status_nodes(s, &nodes);
	cli_status_members(s, &members);
	line("enrolled",
	    "%" PRIu64 " server nodes, %" PRIu64 " members (%" PRIu64
	    " and %" PRIu64 " revoked)",
	    nodes.enrolled, members.enrolled, nodes.revoked, members.revoked);
}

static void
print_member(const struct cli_status *s)
{
	char age[32];

	line("this host", "%s: a member", s->st.node);
	line("network name", "%s%s%s port %u", s->st.network_name,
	    s->st.address[0] != '\0' ? " at " : "", s->st.address, s->st.port);
	line("system", "%s", s->st.system_pk);
	if (s->daemon) {
		line("keys", "%s, since %s",
		    cli_status_member_state(s->own.state),
		    s->own.age_ms == UINT64_MAX
			? "never"
			: cli_age_text(s->own.age_ms / 1000, age, sizeof(age)));
		line("writing", "%s", s->own.may_encrypt ? "yes" : s->own.why);
		line("database", "%s",
		    s->own.database_up ? "connected" : "away");
	} else {
		line("keys", "clavigerd does not run: claviger fetch --check");
	}
	if (s->st.epoch == 0)
		line("accepted", "nothing yet: claviger fetch --check");
	else
		line("accepted",
		    "generation %u, epoch %" PRIu64 ", list version %" PRIu64,
		    s->st.current_generation, s->st.epoch, s->st.list_version);
}

static void
print_server(const struct cli_status *s)
{
	print_role(s);
	line("network name", "%s (%s port %u)", s->st.network_name,
	    s->st.address, s->st.port);
	line("system", "%s", s->st.system_pk);
	line("generation", "%u here, %u current", s->st.generation,
	    s->st.current_generation);
	line("epoch", "%" PRIu64 " (take-over %" PRIu64 " by node %u)",
	    s->st.epoch, s->st.epoch >> 8, (unsigned)(s->st.epoch & 0xff));
	line("signed list", "version %" PRIu64, s->st.list_version);
	print_database(s);
	print_backup(s);
	cli_escrow_status(s->coverage);
	print_rotation(&s->rotation);
	print_reencryption(s);
}

void
cli_status_text(const struct cli_status *s)
{
	if (s->member)
		print_member(s);
	else
		print_server(s);
	print_parties(s);
	print_certificates(s);
}
