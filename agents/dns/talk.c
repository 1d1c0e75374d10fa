/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agents/dns/dns.h"

/* RFC 8945, 10: how far the clocks may be apart. */
#define FUDGE_S 300

/* RFC 8945, 3: errors of TSIG, which go beyond those of DNS. */
#define BADSIG 16
#define BADKEY 17
#define BADTIME 18

int
dns_fail(char *why, int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, DNS_WHY_MAX, fmt, ap);
	va_end(ap);
	return status;
}

int64_t
dns_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
silent(struct dns *d, const char *text)
{
	return dns_fail(d->why, DNS_SILENT, "the DNS server %.80s: %s",
	    d->server_text, text);
}

/* Till something can be done with fd, or the time is over. */
static int
wait_for(struct dns *d, int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left = d->deadline_ms - dns_now_ms();
	int n = left > 0 ? poll(&p, 1, (int)left) : 0;

	if (n < 0 && errno != EINTR)
		return silent(d, strerror(errno));
	return n == 0 ? silent(d, "no answer in time") : DNS_OK;
}

/* TCP: no size to fit in, and no answer from somebody else. */
static int
connect_server(struct dns *d, int *ret_fd)
{
	int fd, err = 0, status = DNS_OK;
	socklen_t len = sizeof(err);

	fd = socket(
	    d->server.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return silent(d, strerror(errno));
	if (connect(fd, (struct sockaddr *)&d->server, d->server_len) != 0) {
		err = errno;
		if (err == EINPROGRESS) {
			status = wait_for(d, fd, POLLOUT);
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
		}
		if (status == DNS_OK && err != 0)
			status = silent(d, strerror(err));
	}
	if (status != DNS_OK)
		close(fd);
	else
		*ret_fd = fd;
	return status;
}

static int
transfer(struct dns *d, int fd, uint8_t *bytes, size_t len, bool out)
{
	size_t done = 0;
	ssize_t n;
	int status;

	while (done < len) {
		status = wait_for(d, fd, out ? POLLOUT : POLLIN);
		if (status != DNS_OK)
			return status;
		n = out ? send(fd, bytes + done, len - done, MSG_NOSIGNAL)
			: recv(fd, bytes + done, len - done, 0);
		if (n == 0)
			return silent(d, "it has closed the connection");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return silent(d, strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	return DNS_OK;
}

/* RFC 1035, 4.2.2: each message has its length in front. */
static int
exchange(struct dns *d, int fd, uint8_t *message, size_t cap, size_t *len)
{
	uint8_t head[2] = {(uint8_t)(*len >> 8), (uint8_t)*len};
	int status = transfer(d, fd, head, sizeof(head), true);

	if (status == DNS_OK)
		status = transfer(d, fd, message, *len, true);
	if (status == DNS_OK)
		status = transfer(d, fd, head, sizeof(head), false);
	if (status != DNS_OK)
		return status;
	*len = (size_t)head[0] << 8 | head[1];
	if (*len > cap)
		return silent(d, "its answer is too long");
	return transfer(d, fd, message, *len, false);
}

/* The name of a key is no secret. */
static int
explain_tsig(struct dns *d, unsigned error)
{
	switch (error) {
	case BADKEY:
		return dns_fail(d->why, DNS_REFUSED,
		    "the DNS server %.80s does not know the key \"%.80s\" with "
		    "this algorithm",
		    d->server_text, d->key->name);
	case BADSIG:
		return dns_fail(d->why, DNS_REFUSED,
		    "the DNS server %.80s has another secret for the key "
		    "\"%.80s\"",
		    d->server_text, d->key->name);
	case BADTIME:
		return dns_fail(d->why, DNS_REFUSED,
		    "the clocks of this host and of the DNS server %.80s are "
		    "more than five minutes apart",
		    d->server_text);
	default:
		return dns_fail(d->why, DNS_REFUSED,
		    "the DNS server %.80s does not take the signature (%u)",
		    d->server_text, error);
	}
}

/* Is it signed with our key, as the answer to just this question? */
static int
judge(struct dns *d, const ldns_pkt *q, ldns_pkt *answer, const uint8_t *wire,
    size_t len)
{
	const ldns_rr *tsig = ldns_pkt_tsig(answer);
	unsigned error;

	if (ldns_pkt_id(answer) != ldns_pkt_id(q) || !ldns_pkt_qr(answer))
		return silent(d, "it answers something else");
	if (tsig == NULL || ldns_rr_rd_count(tsig) != 7)
		return dns_fail(d->why, DNS_REFUSED,
		    "the DNS server %.80s does not sign its answers: does it "
		    "know the key \"%.80s\"?",
		    d->server_text, d->key->name);
	error = ldns_rdf2native_int16(ldns_rr_rdf(tsig, 5));
	if (error != 0)
		return explain_tsig(d, error);
	if (!ldns_pkt_tsig_verify(answer, wire, len, d->key->name,
		d->key->secret, ldns_rr_rdf(ldns_pkt_tsig(q), 3)))
		return explain_tsig(d, BADSIG);
	return DNS_OK;
}

static int
ask(struct dns *d, const ldns_pkt *q, uint8_t *message, size_t cap, size_t *len)
{
	int fd = -1, status = connect_server(d, &fd);

	if (status != DNS_OK)
		return status;
	status = exchange(d, fd, message, cap, len);
	close(fd);
	return status;
}

int
dns_talk(struct dns *d, ldns_pkt *q, ldns_pkt **ret)
{
	static uint8_t message[65535];
	ldns_pkt *answer = NULL;
	uint8_t *wire = NULL;
	size_t len = 0;
	int status;

	ldns_pkt_set_random_id(q);
	if (ldns_pkt_tsig_sign(q, d->key->name, d->key->secret, FUDGE_S,
		d->key->algorithm, NULL) != LDNS_STATUS_OK ||
	    ldns_pkt2wire(&wire, q, &len) != LDNS_STATUS_OK ||
	    len > sizeof(message)) {
		free(wire);
		return dns_fail(d->why, DNS_USAGE, "cannot make the question");
	}
	memcpy(message, wire, len);
	free(wire);
	status = ask(d, q, message, sizeof(message), &len);
	if (status != DNS_OK)
		return status;
	if (ldns_wire2pkt(&answer, message, len) != LDNS_STATUS_OK)
		return silent(d, "its answer is not DNS");
	status = judge(d, q, answer, message, len);
	if (status == DNS_OK)
		*ret = answer;
	else
		ldns_pkt_free(answer);
	return status;
}
