/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <claviger/result.h>
#include "daemon/cli/cli.h"
#include "daemon/cli/doctor/cli_cib.h"

struct cib {
	xmlDoc *doc;
	xmlXPathContext *context;
};

int
cib_parse(const void *text, size_t len, struct cib **ret)
{
	struct cib *cib;

	if (len > INT32_MAX)
		return CLV_E_FULL;
	cib = calloc(1, sizeof(*cib));
	if (cib == NULL)
		return CLV_E_NOMEM;
	cib->doc = xmlReadMemory(text, (int)len, "cib", NULL,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (cib->doc != NULL)
		cib->context = xmlXPathNewContext(cib->doc);
	if (cib->context == NULL) {
		cib_free(&cib);
		return CLV_E_FORMAT;
	}
	*ret = cib;
	return CLV_OK;
}

void
cib_free(struct cib **pcib)
{
	struct cib *cib = *pcib;

	if (cib == NULL)
		return;
	xmlXPathFreeContext(cib->context);
	xmlFreeDoc(cib->doc);
	free(cib);
	*pcib = NULL;
}

void
cib_let(struct cib *cib, const char *name, const char *value)
{
	xmlXPathObject *o = xmlXPathNewCString(value);

	if (o != NULL)
		xmlXPathRegisterVariable(
		    cib->context, (const xmlChar *)name, o);
}

static xmlXPathObject *
ask(struct cib *cib, struct cib_element *from, const char *xpath)
{
	cib->context->node =
	    from != NULL ? (xmlNode *)from : xmlDocGetRootElement(cib->doc);
	return xmlXPathEvalExpression((const xmlChar *)xpath, cib->context);
}

static xmlNode *
nth(const xmlXPathObject *o, size_t n)
{
	return o != NULL && o->type == XPATH_NODESET && o->nodesetval != NULL &&
		       n < (size_t)o->nodesetval->nodeNr
		   ? o->nodesetval->nodeTab[n]
		   : NULL;
}

struct cib_element *
cib_find(struct cib *cib, struct cib_element *from, const char *xpath, size_t n)
{
	xmlXPathObject *o = ask(cib, from, xpath);
	xmlNode *node = nth(o, n);

	xmlXPathFreeObject(o);
	return (struct cib_element *)node;
}

bool
cib_text(struct cib *cib, struct cib_element *from, const char *xpath,
    char *dst, size_t cap)
{
	xmlXPathObject *o = ask(cib, from, xpath);
	xmlNode *node = nth(o, 0);
	xmlChar *text = node != NULL ? xmlNodeGetContent(node) : NULL;

	xmlXPathFreeObject(o);
	snprintf(dst, cap, "%s", text != NULL ? (const char *)text : "");
	cli_printable(dst);
	xmlFree(text);
	return node != NULL;
}

int
cib_print(struct cib *cib, struct cib_element *element, struct clv_buf *ret)
{
	xmlBuffer *b = xmlBufferCreate();

	if (b == NULL)
		return CLV_E_NOMEM;
	if (element != NULL &&
	    xmlNodeDump(b, cib->doc, (xmlNode *)element, 0, 0) > 0)
		clv_buf_raw(
		    ret, xmlBufferContent(b), (size_t)xmlBufferLength(b));
	xmlBufferFree(b);
	return clv_buf_result(ret);
}

bool
cib_duration(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t us;
	} units[] = {{"", 1000000}, {"s", 1000000}, {"sec", 1000000},
	    {"ms", 1000}, {"msec", 1000}, {"us", 1}, {"usec", 1},
	    {"m", 60000000}, {"min", 60000000}, {"h", 3600000000},
	    {"hr", 3600000000}};
	unsigned long long n;
	char *unit;

	while (isspace((unsigned char)*text))
		text++;
	if (!isdigit((unsigned char)*text))
		return false;
	n = strtoull(text, &unit, 10);
	while (isspace((unsigned char)*unit))
		unit++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcasecmp(unit, units[i].name) == 0 && n < UINT32_MAX) {
			*ret_ms = n * units[i].us / 1000;
			return true;
		}
	return false;
}

bool
cib_is_true(const char *text)
{
	static const char *const words[] = {"true", "on", "yes", "y", "1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}
