/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include "daemon/cli/cli_audit.h"
#include "daemon/cli/doctor/cli_doctor.h"
#include "daemon/keeper/audit.h"

/* The audit trail, as the daemon here knows it; audit verify walks it. */
void
doctor_audit(struct doctor *d)
{
	struct cli_audit_state s;

	if (cli_audit_state(d->c, &s) != CLV_OK || !s.daemon) {
		doctor_found(d, "", "claviger doctor --only daemon",
		    "the daemon does not tell how it stands");
		return;
	}
	if (s.state == AUDIT_BROKEN)
		doctor_found(d, "", NULL, "%s", s.why);
	else if (s.state == AUDIT_NOT_WRITTEN)
		doctor_found(d, "", "look into PostgreSQL's log",
		    "%" PRIu64 " rows wait to be written: %s", s.queued, s.why);
	doctor_note(d,
	    "row %" PRIu64 " is the newest that is known here; %" PRIu64
	    " could not be kept, and are in the log alone",
	    s.seen.seq, s.lost);
}
