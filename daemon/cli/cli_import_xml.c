/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <sodium.h>
#include "daemon/cli/cli_import.h"

/*
 * The reader of import: libxml2 calls back for each element, and nothing is
 * kept of a document but the records. No document type, so no entities but the
 * five of XML; no file but this one; as deep as the table goes.
 *
 * A mapping may have a password. libxml2 holds what it parses in the ordinary
 * heap, which may be swapped out while it runs; its memory is wiped when it is
 * freed, and the password itself is kept in the guard.
 */
enum place { TOP, SSO, GLOBAL, APP, MAPPING, LEAF };

static const struct element {
	const char *name;
	enum place in, opens;
	size_t field;	 /* into which its text goes, 0: nowhere */
	const char *why; /* it is left out; NULL: it is not */
} table[] = {
#define FIELD(f) offsetof(struct import_record, f)
    {"sso", TOP, SSO, 0, NULL},
    {"globalInfo", SSO, GLOBAL, 0, NULL},
    {"application", SSO, APP, 0, NULL},
    {"mapping", SSO, MAPPING, 0, NULL},
    {"ssoAdminAccount", GLOBAL, LEAF, FIELD(admins), NULL},
    {"ssoAffiliateAdminAccount", GLOBAL, LEAF, FIELD(users), NULL},
    {"secretServer", GLOBAL, LEAF, FIELD(server), NULL},
#define AUDIT "every record is kept, none is counted out"
    {"auditDeletedApps", GLOBAL, LEAF, 0, AUDIT},
    {"auditDeletedMappings", GLOBAL, LEAF, 0, AUDIT},
    {"auditCredentialLookups", GLOBAL, LEAF, 0, AUDIT},
    {"ticketTimeout", GLOBAL, LEAF, 0, "there are no tickets"},
    {"credCacheTimeout", GLOBAL, LEAF, 0,
	"a value is read anew, unless it is asked for with get --cached"},
    {"description", APP, LEAF, 0, "an application has a name alone"},
    {"contact", APP, LEAF, 0, "an application has a name alone"},
    {"appUserAccount", APP, LEAF, FIELD(users), NULL},
    {"appAdminAccount", APP, LEAF, FIELD(admins), NULL},
    {"field", APP, LEAF, 0, "a secret is one value, of any form"},
    {"flags", APP, LEAF, 0, "an application has no kinds and no tickets"},
    {"windowsDomain", MAPPING, LEAF, FIELD(domain), NULL},
    {"windowsUserId", MAPPING, LEAF, FIELD(user), NULL},
    {"externalApplication", MAPPING, LEAF, FIELD(app), NULL},
    {"externalUserId", MAPPING, LEAF, FIELD(external), NULL},
    {"externalPassword", MAPPING, LEAF, FIELD(password), NULL},
};
#define ROWS (sizeof(table) / sizeof(table[0]))

struct reader {
	xmlParserCtxtPtr ctxt;
	struct clv_guard *guard;
	const struct element *open[4]; /* sso, record, leaf */
	unsigned depth;
	bool begun; /* there was an element */
	struct import_record *records, **last;
	unsigned count;
	struct import_record *record; /* that is open */
	char *text;		      /* of the leaf, the guard's */
	size_t text_len;
	int result;
	char *why; /* 256 */
};

/* What it cannot convert it tells whoever set this last, and else prints, with
 * bytes of the file; the parser's own errors come to on_error(). */
static void
ignore(void *arg, xmlErrorPtr e)
{
	(void)arg, (void)e;
}

/* ---- what is wrong ---- */

static void fail(struct reader *r, int line, int column, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The first failure is the one that is told, and what comes after it is left
 * alone. The parser is not stopped: that frees what it has just given us. */
static void
fail(struct reader *r, int line, int column, const char *fmt, ...)
{
	int n;
	va_list ap;

	if (r->result != CLV_OK)
		return;
	r->result = CLV_E_FORMAT;
	n = snprintf(r->why, 256, "line %d, column %d: ", line, column);
	va_start(ap, fmt);
	vsnprintf(r->why + n, 256 - (size_t)n, fmt, ap);
	va_end(ap);
}

#define HERE(r) (r)->ctxt->input->line, (r)->ctxt->input->col

static void
no_memory(struct reader *r, int result, const char *why)
{
	if (r->result != CLV_OK)
		return;
	r->result = result;
	snprintf(r->why, 256, "%s", why);
}

/* In our words: libxml2's may have a part of a password in them. */
static const char *
error_text(const struct reader *r, int code)
{
	switch (code) {
	case XML_ERR_DOCUMENT_EMPTY:
	case XML_ERR_DOCUMENT_START: return "this is no XML";
	case XML_ERR_DOCUMENT_END: /* too early, or too late */
		if (!r->begun)
			return "this is no XML";
		if (r->depth == 0)
			return "there is something behind the end of the "
			       "document";
		/* fall through */
	case XML_ERR_TAG_NOT_FINISHED:
		return "the document ends before its elements do";
	case XML_ERR_TAG_NAME_MISMATCH:
		return "an element ends with another name than it begins "
		       "with; case counts here";
	case XML_ERR_ATTRIBUTE_NOT_STARTED:
		return "the value of an attribute stands in no plain "
		       "quotation marks";
	case XML_ERR_ATTRIBUTE_REDEFINED:
		return "an attribute stands there twice";
	case XML_ERR_UNDECLARED_ENTITY:
		return "an entity that XML does not have by itself";
	case XML_ERR_NAME_REQUIRED:
		return "a name is missing; is it a plain & or < that is to be "
		       "&amp; or &lt;?";
	case XML_ERR_INVALID_ENCODING:
	case XML_ERR_INVALID_CHAR:
	case XML_ERR_UNSUPPORTED_ENCODING:
		return "a character that is not of this encoding";
	default: return "this is not well-formed XML";
	}
}

static void
on_error(void *arg, xmlErrorPtr e)
{
	struct reader *r = arg;

	if (e->level < XML_ERR_ERROR)
		return;
	if (e->code == XML_ERR_NO_MEMORY)
		no_memory(r, CLV_E_NOMEM, "out of memory");
	else
		fail(r, e->line, e->int2, "%s", error_text(r, e->code));
}

/* ---- elements ---- */

static enum place
place_of(const struct reader *r)
{
	return r->depth > 0 ? r->open[r->depth - 1]->opens : TOP;
}

/* A record may stand alone, without <sso> around it. */
static const struct element *
find(const char *name, enum place place)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcasecmp(table[i].name, name) == 0 &&
		    (table[i].in == place ||
			(place == TOP && table[i].in == SSO)))
			return &table[i];
	return NULL;
}

/* One letter too many, too few or another. */
static bool
is_near(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), i = 0, j = 0;

	while (i < na && i < nb && strncasecmp(a + i, b + i, 1) == 0)
		i++;
	while (j < na - i && j < nb - i &&
	       strncasecmp(a + na - 1 - j, b + nb - 1 - j, 1) == 0)
		j++;
	return na - i - j <= 1 && nb - i - j <= 1;
}

static void
unknown(struct reader *r, const char *name)
{
	const char *near = NULL;

	for (size_t i = 0; i < ROWS; i++)
		if (is_near(table[i].name, name))
			near = table[i].name;
	fail(r, HERE(r), "there can be no element <%.64s> here%s%s%s", name,
	    near != NULL ? "; is it <" : "", near != NULL ? near : "",
	    near != NULL ? ">?" : "");
}

static void
record_begin(struct reader *r, enum place place)
{
	struct import_record *n = calloc(1, sizeof(*n));

	if (n == NULL) {
		no_memory(r, CLV_E_NOMEM, "out of memory");
		return;
	}
	if (r->count == IMPORT_RECORDS_MAX) {
		free(n);
		no_memory(r, CLV_E_FULL,
		    "it has more than 4096 applications and mappings");
		return;
	}
	r->count++;
	n->kind = place == GLOBAL ? IMPORT_GLOBAL
		  : place == APP  ? IMPORT_APP
				  : IMPORT_MAPPING;
	n->line = (unsigned)r->ctxt->input->line;
	*r->last = n;
	r->last = &n->next;
	r->record = n;
}

static void
leaf_begin(struct reader *r, const struct element *e)
{
	uint64_t bit = (uint64_t)1 << (e - table);

	if ((r->record->seen & bit) != 0 && e->why == NULL)
		fail(r, HERE(r), "<%s> stands there twice", e->name);
	r->record->seen |= bit;
	r->text_len = 0;
}

static bool
is_printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 127)
			return false;
	return true;
}

static void
store(struct reader *r, const struct element *e, const char *text, size_t len)
{
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	while (len > 0 && strchr(" \t\r\n", *text) != NULL)
		text++, len--;
	if (len >= IMPORT_TEXT_MAX)
		fail(r, HERE(r), "<%s> is longer than %d bytes", e->name,
		    IMPORT_TEXT_MAX - 1);
	else if (!is_printable(text, len))
		fail(r, HERE(r), "<%s> holds a control character", e->name);
	else
		snprintf((char *)r->record + e->field, IMPORT_TEXT_MAX, "%.*s",
		    (int)len, text);
}

/* As it stands there: a password may begin with a space. */
static void
store_password(struct reader *r)
{
	char *p;

	if (r->text_len == 0)
		return; /* it has none */
	p = clv_guard_get(r->guard, r->text_len + 1);
	if (p == NULL) {
		no_memory(r, CLV_E_FULL,
		    "it has more passwords than there is locked memory for: "
		    "divide it");
		return;
	}
	memcpy(p, r->text, r->text_len);
	p[r->text_len] = '\0';
	r->record->password = p;
}

static void
application_name(struct reader *r, int n, const xmlChar **attributes)
{
	static const struct element name = {
	    "application name=", SSO, APP, FIELD(app), NULL};

	for (int i = 0; i < n; i++, attributes += 5) {
		if (strcasecmp((const char *)attributes[0], "name") != 0)
			continue;
		if (r->record->app[0] != '\0')
			fail(r, HERE(r), "its name stands there twice");
		store(r, &name, (const char *)attributes[3],
		    (size_t)(attributes[4] - attributes[3]));
	}
}

static void
on_start(void *arg, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int namespaces, const xmlChar **ns, int attributes,
    int defaulted, const xmlChar **attribute)
{
	struct reader *r = arg;
	enum place place = place_of(r);
	const struct element *e = find((const char *)name, place);

	(void)prefix, (void)uri, (void)namespaces, (void)ns, (void)defaulted;
	if (r->result != CLV_OK)
		return;
	r->begun = true;
	if (place == LEAF) { /* its name may be a part of a text */
		fail(r, HERE(r), "there can be no element in <%s>",
		    r->open[r->depth - 1]->name);
		return;
	}
	if (e == NULL) {
		unknown(r, (const char *)name);
		return;
	}
	r->open[r->depth++] = e; /* no row opens what is deeper than a leaf */
	if (e->opens == LEAF)
		leaf_begin(r, e);
	else if (e->opens != SSO)
		record_begin(r, e->opens);
	if (r->result == CLV_OK && e->opens == APP)
		application_name(r, attributes, attribute);
}

static void
record_end(struct reader *r)
{
	const struct import_record *n = r->record;

	if (n->kind == IMPORT_APP && n->app[0] == '\0')
		fail(r, HERE(r), "this application has no name");
	else if (n->kind == IMPORT_MAPPING &&
		 (n->app[0] == '\0' || n->user[0] == '\0' ||
		     n->external[0] == '\0'))
		fail(r, HERE(r),
		    "this mapping lacks <windowsUserId>, "
		    "<externalApplication> or <externalUserId>");
}

static void
on_end(
    void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct reader *r = arg;
	const struct element *e;

	(void)name, (void)prefix, (void)uri;
	if (r->result != CLV_OK)
		return;
	e = r->open[--r->depth];
	if (e->opens == LEAF && e->field == FIELD(password))
		store_password(r);
	else if (e->opens == LEAF && e->field != 0)
		store(r, e, r->text, r->text_len);
	else if (e->opens != LEAF && e->opens != SSO)
		record_end(r);
}

static void
on_text(void *arg, const xmlChar *text, int len)
{
	struct reader *r = arg;
	size_t n = (size_t)len;

	if (r->result != CLV_OK)
		return;
	if (place_of(r) != LEAF) {
		for (size_t i = 0; i < n; i++)
			if (strchr(" \t\r\n", text[i]) == NULL)
				fail(r, HERE(r),
				    "there is text where only elements can be");
		return;
	}
	if (r->open[r->depth - 1]->field == 0)
		return; /* it is left out, however long it is */
	if (n >= IMPORT_PASSWORD_MAX - r->text_len) {
		fail(r, HERE(r), "<%s> is too long",
		    r->open[r->depth - 1]->name);
		return;
	}
	memcpy(r->text + r->text_len, text, n);
	r->text_len += n;
}

static void
on_doctype(
    void *arg, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
	struct reader *r = arg;

	(void)name, (void)id, (void)system;
	fail(r, HERE(r), "there can be no document type, nor entities of one");
}

/* ---- all of it ---- */

static void
read_all(struct reader *r, const void *p, size_t len)
{
	xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
	    .internalSubset = on_doctype,
	    .startElementNs = on_start,
	    .endElementNs = on_end,
	    .characters = on_text,
	    .ignorableWhitespace = on_text,
	    .cdataBlock = on_text,
	    .serror = on_error};

	r->ctxt = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
	if (r->ctxt == NULL) {
		r->result = CLV_E_NOMEM;
		snprintf(r->why, 256, "%s", clv_result_text(r->result));
		return;
	}
	xmlCtxtUseOptions(r->ctxt, XML_PARSE_NONET);
	if (xmlParseChunk(r->ctxt, p, (int)len, 1) != 0 ||
	    r->ctxt->wellFormed == 0)
		fail(r, HERE(r), "this is not well-formed XML");
	/* It makes one by itself for the entities of a document type. */
	xmlFreeDoc(r->ctxt->myDoc);
	xmlFreeParserCtxt(r->ctxt);
	xmlResetLastError();
}

int
import_read(struct clv_guard *guard, const void *p, size_t len,
    struct import_record **ret, char ret_why[static 256])
{
	struct reader r = {.guard = guard, .why = ret_why};

	ret_why[0] = '\0';
	if (len > IMPORT_FILE_MAX) {
		snprintf(ret_why, 256, "it is larger than a megabyte");
		return CLV_E_FULL;
	}
	import_use_wiped_memory();
	xmlSetStructuredErrorFunc(NULL, ignore);
	r.last = &r.records;
	r.text = clv_guard_get(guard, IMPORT_PASSWORD_MAX);
	if (r.text == NULL)
		return CLV_E_FULL;
	read_all(&r, p, len);
	clv_guard_put(guard, r.text);
	if (r.result == CLV_OK && r.records == NULL) {
		r.result = CLV_E_FORMAT;
		snprintf(ret_why, 256,
		    "it has no <globalInfo>, <application> or <mapping>");
	}
	if (r.result == CLV_OK)
		*ret = r.records;
	else
		import_free(guard, &r.records);
	return r.result;
}

void
import_free(struct clv_guard *guard, struct import_record **list)
{
	struct import_record *next;

	for (; *list != NULL; *list = next) {
		next = (*list)->next;
		clv_guard_put(guard, (*list)->password);
		free(*list);
	}
}

const char *
import_left_out(
    const struct import_record *r, unsigned *i, const char **ret_why)
{
	for (; *i < ROWS; (*i)++) {
		const struct element *e = &table[*i];

		if ((r->seen >> *i & 1) == 0 || e->why == NULL)
			continue;
		(*i)++;
		*ret_why = e->why;
		return e->name;
	}
	return NULL;
}
