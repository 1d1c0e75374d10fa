/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "agents/dns_helper.h"
#include "ocf/ocf.h"

#define DNS_PORT "53"
#define LABEL_MAX 63
#define NAME_MAX_LEN 253

/* Both parts, cut out of s. */
static bool
split(const char *s, char *host, size_t cap, const char **ret_port)
{
	const char *end, *colon = strchr(s, ':');
	bool bracket = *s == '[';

	if (bracket)
		end = strchr(++s, ']');
	else if (colon != NULL && strchr(colon + 1, ':') == NULL)
		end = colon;
	else
		end = s + strlen(s);
	if (end == NULL || (size_t)(end - s) >= cap)
		return false;
	memcpy(host, s, (size_t)(end - s));
	host[end - s] = '\0';
	end += bracket;
	*ret_port = *end == ':' ? end + 1 : DNS_PORT;
	return *end == ':' || *end == '\0';
}

bool
dns_server_parse(
    const char *s, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6};
	char host[INET6_ADDRSTRLEN];
	const char *port;
	long n;

	if (!split(s, host, sizeof(host), &port) ||
	    !ocf_parse_int(port, 1, 65535, &n))
		return false;
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &sa.sin_addr) == 1) {
		sa.sin_port = htons((uint16_t)n);
		memcpy(ret, &sa, sizeof(sa));
		*ret_len = sizeof(sa);
		return true;
	}
	if (inet_pton(AF_INET6, host, &sa6.sin6_addr) != 1)
		return false;
	sa6.sin6_port = htons((uint16_t)n);
	memcpy(ret, &sa6, sizeof(sa6));
	*ret_len = sizeof(sa6);
	return true;
}

static bool
is_label(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len > LABEL_MAX || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (i = 0; i < len; i++)
		if ((s[i] < '0' || s[i] > '9') &&
		    ((s[i] | 32) < 'a' || (s[i] | 32) > 'z') && s[i] != '-' &&
		    s[i] != '_')
			return false;
	return true;
}

bool
dns_is_full_name(const char *s)
{
	size_t len, labels = 0;

	if (strlen(s) > NAME_MAX_LEN)
		return false;
	for (; *s != '\0'; s += len + (s[len] == '.')) {
		len = strcspn(s, ".");
		if (!is_label(s, len))
			return false;
		labels++;
	}
	return labels >= 2;
}
