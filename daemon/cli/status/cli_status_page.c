/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include "daemon/cli/status/cli_status.h"
#include "daemon/member/member_policy.h"
#include "daemon/rotate/rewrap.h"
#include "daemon/front/tls.h"

/* What people see of a status, and how good each part of it is. */

static void
add_role(struct cli_page *p, const struct cli_status *s)
{
	enum cli_level level = s->ready ? CLI_GOOD : CLI_BAD;
	const char *active = cli_status_active_node(s);

	if (!s->daemon)
		cli_page_add(p, level, "this node", "%s: NOT READY: %s",
		    s->st.node, cli_status_reason(s));
	else
		cli_page_add(p, level, "this node", "%s: %s: %s", s->st.node,
		    cli_status_role(s), cli_status_doing(s));
	if (s->st.reason[0] != '\0')
		cli_page_add(p, s->ready ? CLI_WARN : CLI_BAD, "reason", "%s",
		    s->st.reason);
	cli_page_add(p, active == NULL && s->daemon ? CLI_BAD : CLI_PLAIN,
	    "active node", "%s",
	    active != NULL ? active
	    : s->daemon	   ? "none"
			   : "not known here");
	if (s->daemon)
		cli_page_add(p, s->ready ? CLI_PLAIN : CLI_WARN,
		    "failover here", "%s",
		    cli_status_is_active(s) ? "this node serves already"
		    : s->ready ? "would work: the secret is open and proven"
			       : "would be refused");
}

static void
add_system(struct cli_page *p, const struct cli_status *s)
{
	cli_page_add(p, CLI_PLAIN, "network name", "%s (%s port %u)",
	    s->st.network_name, s->st.address, s->st.port);
	cli_page_add(p, CLI_PLAIN, "system", "%s", s->st.system_pk);
	cli_page_add(p,
	    s->daemon && s->st.generation != s->st.current_generation
		? CLI_WARN
		: CLI_PLAIN,
	    "generation", "%u here, %u current", s->st.generation,
	    s->st.current_generation);
	cli_page_add(p, CLI_PLAIN, "epoch",
	    "%" PRIu64 " (take-over %" PRIu64 " by node %u)", s->st.epoch,
	    s->st.epoch >> 8, (unsigned)(s->st.epoch & 0xff));
	cli_page_add(p, CLI_PLAIN, "signed list", "version %" PRIu64,
	    s->st.list_version);
}

static void
add_surroundings(struct cli_page *p, const struct cli_status *s)
{
	if (cli_status_flag(s, CTL_FLAG_DATABASE))
		cli_page_add(p, CLI_GOOD, "database", "connected");
	else
		cli_page_add(
		    p, CLI_BAD, "database", "AWAY: nothing can be changed");
	if (!cli_status_flag(s, CTL_FLAG_CLUSTER))
		cli_page_add(
		    p, CLI_PLAIN, "cluster", "none configured on this host");
	else if (cli_status_flag(s, CTL_FLAG_QUORATE))
		cli_page_add(p, CLI_GOOD, "cluster", "quorate");
	else
		cli_page_add(
		    p, CLI_BAD, "cluster", "NO QUORUM: nothing can be changed");
}

static void
add_server(struct cli_page *p, const struct cli_status *s)
{
	if (!s->daemon)
		return;
	add_surroundings(p, s);
	if (cli_status_flag(s, CTL_FLAG_READONLY))
		cli_page_add(p, CLI_BAD, "ALARM",
		    "somebody has seen newer state than this node holds: "
		    "read-only");
	if (s->st.role == CTL_ROLE_ACTIVE)
		cli_page_add(p, CLI_PLAIN, "lease", "%" PRIu64 " s left",
		    s->st.lease_left_ms / 1000);
	if (s->st.role == CTL_ROLE_ACTIVE && s->st.reason[0] == '\0' &&
	    !cli_status_flag(s, CTL_FLAG_ENCRYPT))
		cli_page_add(p, CLI_WARN, "encryption",
		    "waits for the end of another server's lease: 15 s at "
		    "most");
	cli_page_add(p, CLI_PLAIN, "memory", "%u KiB locked (%s)",
	    s->st.locked_kib,
	    cli_status_flag(s, CTL_FLAG_SECRETMEM) ? "memfd_secret" : "mlock");
}

static void
add_backup(struct cli_page *p, const struct cli_status *s)
{
	const struct cli_status_backup *b = &s->backup;
	char age[32];

	if (!s->daemon)
		return;
	if (!b->known)
		cli_page_add(p, CLI_PLAIN, "backup",
		    "not known here (ask on the active node)");
	else if (b->generation == 0)
		cli_page_add(
		    p, CLI_BAD, "backup", "NONE: claviger backup FILE");
	else
		cli_page_add(p, CLI_PLAIN, "backup",
		    "generation %u, %s old, at %s", b->generation,
		    cli_age_text(b->age_s, age, sizeof(age)), b->where);
	if (b->known && b->generation != 0 &&
	    b->generation < s->st.current_generation)
		cli_page_add(p, CLI_BAD, "",
		    "OLDER than the current generation: claviger backup FILE");
}

static void
add_rotation(struct cli_page *p, const struct cli_rotation *r)
{
	const char *colon = r->why[0] != '\0' ? ": " : "";

	if (r->state == REWRAP_IS_TO_COME)
		cli_page_add(p, CLI_WARN, "published", "generation %u%s%s",
		    r->generation, colon, r->why);
	if (r->state == REWRAP_IS_RUNNING && r->total > 0)
		cli_page_add(p, CLI_WARN, "rewrapping",
		    "%" PRIu64 " of %" PRIu64 " keys left under generations "
		    "before %u%s%s",
		    r->left, r->total, r->generation, colon, r->why);
	if (r->state == REWRAP_IS_MAKING_KEYS ||
	    r->state == REWRAP_IS_REENCRYPTING)
		cli_page_add(p, CLI_WARN, cli_rotation_state(r),
		    "%" PRIu64 " of %" PRIu64 " %s%s%s", r->left, r->total,
		    r->state == REWRAP_IS_MAKING_KEYS
			? "applications left without a new data key"
			: "secrets left",
		    colon, r->why);
	if (r->damaged > 0)
		cli_page_add(p, CLI_BAD, "DAMAGED",
		    "%" PRIu64 " keys in the database are not rewrapped: "
		    "claviger doctor",
		    r->damaged);
	if (r->not_reencrypted > 0)
		cli_page_add(p, CLI_BAD, "DAMAGED",
		    "%" PRIu64 " records or applications are not "
		    "re-encrypted: claviger doctor",
		    r->not_reencrypted);
}

/* What the list asks for, also where nobody can tell how far it is. */
static void
add_reencryption(struct cli_page *p, const struct cli_status *s)
{
	if (s->list != NULL && s->list->reencrypt != 0 &&
	    !cli_rotation_goes_on(&s->rotation))
		cli_page_add(p, CLI_WARN, "re-encryption",
		    "asked for with generation %u, and not through",
		    s->list->reencrypt);
}

static void
add_parties(struct cli_page *p, const struct cli_status *s)
{
	struct cli_status_count nodes, members;

	if (s->list == NULL)
		return;
	cli_status_nodes(s, &nodes);
	cli_status_members(s, &members);
	cli_page_add(p, CLI_PLAIN, "enrolled",
	    "%" PRIu64 " server nodes, %" PRIu64 " members (%" PRIu64
	    " and %" PRIu64 " revoked)",
	    nodes.enrolled, members.enrolled, nodes.revoked, members.revoked);
}

static void
add_certificates(struct cli_page *p, const struct cli_status *s)
{
	for (size_t i = 0; i < s->cert_count; i++) {
		const struct cli_status_cert *cert = &s->certs[i];
		bool ended = cert->left_s < 0;
		const char *key = i == 0 ? "certificates" : "";
		char left[32];

		cli_age_text((uint64_t)(ended ? -cert->left_s : cert->left_s),
		    left, sizeof(left));
		if (ended)
			cli_page_add(p, CLI_BAD, key,
			    "%s: ENDED %s ago: claviger cert show", cert->name,
			    left);
		else if (cert->left_s / 86400 <= CERT_WARN_DAYS)
			cli_page_add(p, CLI_WARN, key,
			    "%s: ENDS in %s: claviger cert show", cert->name,
			    left);
		else
			cli_page_add(
			    p, CLI_PLAIN, key, "%s: %s left", cert->name, left);
	}
}

static void
add_keys(struct cli_page *p, const struct cli_status *s)
{
	char age[32];

	if (!s->own_known) {
		cli_page_add(p, CLI_BAD, "keys",
		    "clavigerd does not run: claviger fetch --check");
		return;
	}
	cli_page_add(p,
	    s->own.state == CLV_MEMBER_FRESH  ? CLI_GOOD
	    : s->own.state == CLV_MEMBER_AWAY ? CLI_WARN
					      : CLI_BAD,
	    "keys", "%s, since %s", member_state_name(s->own.state),
	    s->own.age_ms == UINT64_MAX
		? "never"
		: cli_age_text(s->own.age_ms / 1000, age, sizeof(age)));
	cli_page_add(p, s->own.may_encrypt ? CLI_PLAIN : CLI_WARN, "writing",
	    "%s", s->own.may_encrypt ? "yes" : s->own.why);
	cli_page_add(p, s->own.database_up ? CLI_PLAIN : CLI_WARN, "database",
	    "%s", s->own.database_up ? "connected" : "away");
}

static void
add_member(struct cli_page *p, const struct cli_status *s)
{
	cli_page_add(p, CLI_PLAIN, "this host", "%s: a member", s->st.node);
	cli_page_add(p, CLI_PLAIN, "network name", "%s%s%s port %u",
	    s->st.network_name, s->st.address[0] != '\0' ? " at " : "",
	    s->st.address, s->st.port);
	cli_page_add(p, CLI_PLAIN, "system", "%s", s->st.system_pk);
	add_keys(p, s);
	if (s->st.epoch == 0)
		cli_page_add(p, CLI_BAD, "accepted",
		    "nothing yet: claviger fetch --check");
	else
		cli_page_add(p, CLI_PLAIN, "accepted",
		    "generation %u, epoch %" PRIu64 ", list version %" PRIu64,
		    s->st.current_generation, s->st.epoch, s->st.list_version);
}

static void
add_copied(struct cli_page *p, const struct cli_status *s)
{
	if (cli_status_flag(s, CTL_FLAG_COPIED))
		cli_page_add(p, CLI_BAD, "COPY",
		    "this host was copied from another machine: claviger "
		    "doctor --only machine");
}

void
cli_status_page(const struct cli_status *s, struct cli_page *p)
{
	if (s->member) {
		add_member(p, s);
	} else {
		add_role(p, s);
		add_system(p, s);
		add_server(p, s);
		add_backup(p, s);
		cli_escrow_status(s->coverage, p);
		add_rotation(p, &s->rotation);
		add_reencryption(p, s);
		add_parties(p, s);
	}
	add_copied(p, s);
	add_certificates(p, s);
}
