/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "agents/monitor_table.h"

struct term {
	const char *word, *meaning;
};

static const struct term daemons[MT_DAEMONS] = {
    [MT_ABSENT] = {"absent", "there is no process, or its server role is off"},
    [MT_ACTIVE] = {"active", "it serves"},
    [MT_LIMITED] = {"limited",
	"it serves, but there is a reason to look at it, for example that it\n"
	"serves for decryption only"},
    [MT_STANDBY] = {"standby", "its role is on, and it is proven"},
    [MT_LOCKED] = {"locked", "its role is on, but it cannot serve"},
    [MT_NO_ANSWER] = {"no answer",
	"nothing comes within the timeout of the operation less one second,\n"
	"or it is not to be trusted"},
};

#define IS_RIGHT "it is where it belongs, and usable"
#define IS_WRONG \
	"it is on another interface, has another prefix length, is not\n" \
	"usable, or on a link that is down"

static const struct term addresses[ADDRESS_WRONG + 1] = {
    [ADDRESS_NOT_CARRIED] = {"none", "the agent carries none"},
    [ADDRESS_ABSENT] = {"absent", "it is on no interface"},
    [ADDRESS_RIGHT] = {"right", IS_RIGHT},
    [ADDRESS_WRONG] = {"wrong", IS_WRONG},
};

static const struct term names[NT_ADDRESSES] = {
    [NT_ABSENT] = {"absent", "it is on no interface"},
    [NT_NO_LINK] = {"no link",
	"it is absent, and so is the interface that\n.Cm nic\nnames"},
    [NT_RIGHT] = {"right", IS_RIGHT},
    [NT_WRONG] = {"wrong", IS_WRONG},
};

static void
terms(FILE *f, const char *what, const struct term *t, size_t n)
{
	size_t i;

	fprintf(f, "The %s is\n.Bl -tag -width \"no answer\" -compact\n", what);
	for (i = 0; i < n; i++)
		fprintf(f, ".It Em %s\n%s%s\n", t[i].word, t[i].meaning,
		    i + 1 < n ? "," : ".");
	fputs(".El\n", f);
}

static void
answer(FILE *f, int rc, int probe, const char *why)
{
	fprintf(f, "%d", rc);
	if (probe != rc)
		fprintf(f, " (probe %d)", probe);
	fprintf(f, " Ta %s\n", why);
}

void
monitor_man(FILE *f)
{
	const struct mt_row *rows;
	size_t n, i;

	terms(f, "daemon", daemons, MT_DAEMONS);
	fputs(".Pp\n", f);
	terms(f, "address", addresses, ADDRESS_WRONG + 1);
	fputs(".Pp\nA monitor looks at both, and repairs nothing:\n"
	      ".Bl -column \"no answer\" \"address\" \"191 (probe 8)\" xx\n"
	      ".It Sy daemon Ta Sy address Ta Sy answer Ta Sy meaning\n",
	    f);
	rows = monitor_rows(&n);
	for (i = 0; i < n; i++) {
		fprintf(f, ".It %s Ta %s Ta ", daemons[rows[i].daemon].word,
		    addresses[rows[i].address].word);
		answer(f, rows[i].rc, rows[i].probe, rows[i].why);
	}
	fputs(".El\n", f);
}

void
monitor_name_man(FILE *f)
{
	const struct nt_row *rows;
	size_t n, i;

	terms(f, "address", names, NT_ADDRESSES);
	fputs(".Pp\nA monitor looks at it, and repairs nothing:\n"
	      ".Bl -column \"address\" \"191 (probe 8)\" xx\n"
	      ".It Sy address Ta Sy answer Ta Sy meaning\n",
	    f);
	rows = monitor_name_rows(&n);
	for (i = 0; i < n; i++) {
		fprintf(f, ".It %s Ta ", names[rows[i].address].word);
		answer(f, rows[i].rc, rows[i].probe, rows[i].why);
	}
	fputs(".El\n", f);
}
