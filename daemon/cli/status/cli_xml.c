/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <libxml/xmlwriter.h>
#include <string.h>
#include <claviger/result.h>
#include "daemon/cli/cli.h"

/*
 * One of two files that know libxml2: what is shown as JSON, as XML. A value of
 * an object is an attribute, an object of an array an element of the array's
 * name.
 */
struct writer {
	xmlTextWriter *w;
	bool failed;
};

static const xmlChar *
x(const char *text)
{
	return (const xmlChar *)text;
}

static void
must(struct writer *w, int r)
{
	w->failed |= r < 0;
}

/* XML has no place for other control characters, nor for what is no UTF-8. */
static void
on_value(void *arg, const char *key, const char *value)
{
	struct writer *w = arg;
	xmlChar *copy = xmlStrdup(x(value));

	if (copy == NULL) {
		w->failed = true;
		return;
	}
	if (!xmlCheckUTF8(copy))
		cli_printable((char *)copy);
	for (xmlChar *p = copy; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	must(w, xmlTextWriterWriteAttribute(w->w, x(key), copy));
	xmlFree(copy);
}

static void
on_begin(void *arg, const char *key)
{
	struct writer *w = arg;

	must(w, xmlTextWriterStartElement(w->w, x(key)));
}

static void
on_end(void *arg)
{
	struct writer *w = arg;

	must(w, xmlTextWriterEndElement(w->w));
}

static void
write_all(struct writer *w, const char *name, const struct cli_json *j)
{
	static const struct cli_json_walker walker = {
	    on_value, on_begin, on_end};

	must(w, xmlTextWriterSetIndent(w->w, 1));
	must(w, xmlTextWriterStartDocument(w->w, "1.0", "UTF-8", NULL));
	on_begin(w, name);
	cli_json_walk(j, &walker, w);
	on_end(w);
	must(w, xmlTextWriterEndDocument(w->w));
}

int
cli_xml_print(const char *name, const struct cli_json *j)
{
	xmlBuffer *b = xmlBufferCreate();
	struct writer w = {
	    .w = b != NULL ? xmlNewTextWriterMemory(b, 0) : NULL};

	if (w.w != NULL)
		write_all(&w, name, j);
	xmlFreeTextWriter(w.w);
	if (w.w != NULL && !w.failed)
		fputs((const char *)xmlBufferContent(b), stdout);
	xmlBufferFree(b);
	return w.w != NULL && !w.failed ? CLV_OK : CLV_E_NOMEM;
}
