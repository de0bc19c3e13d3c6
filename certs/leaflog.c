/* A line of the register, as text and back; and its writing by the signer. See leaflog.h. */
#include "certs/leaflog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "certs/der.h"
#include "certs/leafparts.h"
#include "certs/names.h"
#include "gw/base/addr.h"
#include "gw/base/obj.h"

enum { TAIL_BYTES = 2 * LEAFLOG_LINE_MAX, TIME_TEXT = 20 };

/* ---- text */

static enum rc put_hex(struct buf *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    TRY(buf_reserve(out, 2 * n));
    for (size_t i = 0; i < n; i++) {
        out->p[out->w++] = (uint8_t)digits[p[i] >> 4];
        out->p[out->w++] = (uint8_t)digits[p[i] & 15];
    }
    return RC_OK;
}

static void time_text(int64_t utc_s, char out[32])
{
    struct der_date t = der_date_of(utc_s);
    snprintf(out, 32, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)t.year % 10000, (unsigned)t.month % 100,
             (unsigned)t.day % 100, (unsigned)t.hour % 100, (unsigned)t.min % 100, (unsigned)t.sec % 100);
}

/* Letters, digits, '.', ':', '-', '_' and '*' only: nothing that JSON would escape. */
static bool name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '-' || c == '_' ||
           c == '*';
}

static bool name_ok(span name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!name_byte(name.p[i]))
            return false;
    }
    return name.n > 0 && name.n <= LIM_NAME_BYTES;
}

static enum rc put_names(struct buf *out, const struct leaflog_entry *e)
{
    TRY(buf_put_str(out, ",\"names\":["));
    for (size_t i = 0; i < e->n_names; i++) {
        if (!name_ok(e->names[i]))
            return RC_BAD;
        TRY(buf_put_str(out, i ? ",\"" : "\""));
        TRY(buf_put(out, e->names[i]));
        TRY(buf_put_u8(out, '"'));
    }
    return buf_put_u8(out, ']');
}

enum rc leaflog_emit(const struct leaflog_entry *e, struct buf *out)
{
    char time[32], from[32], to[32];
    size_t before = buf_len(out);
    time_text(e->time_s, time);
    time_text(e->not_before, from);
    time_text(e->not_after, to);
    TRY(buf_printf(out, "{\"n\":%" PRIu64 ",\"time\":\"%s\",\"serial\":\"", e->n, time));
    TRY(put_hex(out, e->serial, e->serial_n));
    TRY(buf_put_u8(out, '"'));
    TRY(put_names(out, e));
    TRY(buf_put_str(out, ",\"sha256\":\""));
    TRY(put_hex(out, e->sha256, SHA256_BYTES));
    TRY(buf_printf(out, "\",\"not_before\":\"%s\",\"not_after\":\"%s\",\"worker\":%" PRIu32 ",\"ca\":\"",
                   from, to, e->worker));
    TRY(put_hex(out, e->ca, LEAFLOG_CA));
    TRY(buf_put_str(out, "\",\"prev\":\""));
    TRY(put_hex(out, e->prev, SHA256_BYTES));
    TRY(buf_put_str(out, "\"}"));
    return buf_len(out) - before <= LEAFLOG_LINE_MAX ? RC_OK : RC_LIMIT;
}

/* ---- and back */

static void expect(struct rd *r, const char *text)
{
    span want = span_str(text);
    r->bad |= !span_eq(rd_bytes(r, want.n), want);
}

static uint64_t take_number(struct rd *r, uint64_t max)
{
    uint64_t v = 0;
    size_t from = r->at;
    while (!r->bad && r->at < r->s.n && r->s.p[r->at] >= '0' && r->s.p[r->at] <= '9')
        r->at++;
    span digits = span_cut(r->s, from, r->at);
    r->bad |= !span_to_u64(digits, max, &v) || (digits.n > 1 && digits.p[0] == '0');
    return v;
}

static int nibble(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to `max` bytes; all of them where `exact`. */
static size_t take_hex(struct rd *r, uint8_t *out, size_t max, bool exact)
{
    size_t n = 0;
    while (!r->bad && n < max && r->at + 1 < r->s.n && nibble(r->s.p[r->at]) >= 0) {
        int high = nibble(r->s.p[r->at]), low = nibble(r->s.p[r->at + 1]);
        r->bad |= low < 0;
        out[n++] = (uint8_t)((unsigned)high << 4 | ((unsigned)low & 15));
        r->at += 2;
    }
    r->bad |= exact ? n != max : n == 0;
    return n;
}

/* "YYYY-MM-DDTHH:MM:SSZ", a date that exists. */
static int64_t take_time(struct rd *r)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";
    uint8_t compact[15];
    size_t n = 0;
    span s = rd_bytes(r, TIME_TEXT);
    for (size_t i = 0; !r->bad && i < TIME_TEXT; i++) {
        bool digit = s.p[i] >= '0' && s.p[i] <= '9';
        if (shape[i] == 'd' ? !digit : s.p[i] != (uint8_t)shape[i])
            r->bad = true;
        else if (shape[i] == 'd')
            compact[n++] = s.p[i];
    }
    compact[14] = 'Z';
    int64_t t = r->bad ? INT64_MIN : der_time_read(DER_GENTIME, span_of(compact, sizeof compact));
    r->bad |= t == INT64_MIN;
    return t;
}

static void take_names(struct rd *r, struct leaflog_entry *e)
{
    do {
        expect(r, e->n_names ? ",\"" : "\"");
        size_t end = r->bad ? SIZE_MAX : span_find(r->s, '"', r->at);
        r->bad |= end == SIZE_MAX || e->n_names == LIM_LEAF_NAMES;
        if (r->bad)
            return;
        e->names[e->n_names] = rd_bytes(r, end - r->at);
        r->bad |= !name_ok(e->names[e->n_names++]);
        expect(r, "\"");
    } while (!r->bad && r->at < r->s.n && r->s.p[r->at] == ',');
}

enum rc leaflog_parse(span line, struct leaflog_entry *e)
{
    struct rd r = rd_of(line);
    memset(e, 0, sizeof *e);
    expect(&r, "{\"n\":");
    e->n = take_number(&r, UINT64_MAX / 2);
    expect(&r, ",\"time\":\"");
    e->time_s = take_time(&r);
    expect(&r, "\",\"serial\":\"");
    e->serial_n = (uint8_t)take_hex(&r, e->serial, LEAFLOG_SERIAL_MAX, false);
    expect(&r, "\",\"names\":[");
    take_names(&r, e);
    expect(&r, "],\"sha256\":\"");
    take_hex(&r, e->sha256, SHA256_BYTES, true);
    expect(&r, "\",\"not_before\":\"");
    e->not_before = take_time(&r);
    expect(&r, "\",\"not_after\":\"");
    e->not_after = take_time(&r);
    expect(&r, "\",\"worker\":");
    e->worker = (uint32_t)take_number(&r, LIM_WORKERS);
    expect(&r, ",\"ca\":\"");
    take_hex(&r, e->ca, LEAFLOG_CA, true);
    expect(&r, "\",\"prev\":\"");
    take_hex(&r, e->prev, SHA256_BYTES, true);
    expect(&r, "\"}");
    return r.bad || rd_left(&r) || e->n == 0 || line.n > LEAFLOG_LINE_MAX ? RC_BAD : RC_OK;
}

static bool below(span name, span domain)
{
    return name.n > domain.n && span_has_suffix(name, domain) && name.p[name.n - domain.n - 1] == '.';
}

bool leaflog_names(const struct leaflog_entry *e, span name)
{
    bool all_below = span_has_prefix(name, SPAN("*."));
    for (size_t i = 0; i < e->n_names; i++) {
        span had = e->names[i];
        if (span_ieq(had, name) || names_match(had, name))
            return true;
        if (all_below && below(had, span_cut(name, 2, name.n)))
            return true;
    }
    return false;
}

/* ---- writing */

/* What could not be written before, then nothing more. */
static enum rc write_rest(struct leaflog *l)
{
    while (buf_len(&l->rest)) {
        span s = buf_span(&l->rest);
        ssize_t n = write(l->fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return RC_IO;
        buf_consume(&l->rest, (size_t)n);
    }
    return RC_OK;
}

enum rc leaflog_target(struct leaflog *l, int fd, bool torn)
{
    if (l->fd >= 0 && l->fd != fd)
        close(l->fd);
    l->fd = fd;
    if (l->rest.max == 0)
        buf_init(&l->rest, LEAFLOG_LINE_MAX + 2);
    buf_clear(&l->rest); /* the end of a line whose beginning is in another file would be nothing */
    return torn ? buf_put_u8(&l->rest, '\n') : RC_OK;
}

void leaflog_fini(struct leaflog *l)
{
    if (l->fd >= 0)
        close(l->fd);
    buf_fini(&l->rest);
    *l = (struct leaflog){.fd = -1};
}

static enum rc take_up(struct leaflog *l, span line)
{
    struct leaflog_entry e;
    if (leaflog_parse(line, &e) != RC_OK)
        return RC_BAD;
    l->n = e.n;
    return sha256(&line, 1, l->prev);
}

/* The last line that is one, searched from the end. */
static enum rc last_line(struct leaflog *l, span tail, bool *torn)
{
    size_t end = tail.n;
    *torn = tail.n > 0 && tail.p[tail.n - 1] != '\n';
    while (end > 0) {
        size_t from = end;
        while (from > 0 && tail.p[from - 1] != '\n')
            from--;
        enum rc rc = take_up(l, span_cut(tail, from, end));
        if (rc != RC_BAD)
            return rc;
        end = from ? from - 1 : 0;
    }
    return RC_OK;
}

enum rc leaflog_resume(struct leaflog *l, int fd, bool *torn)
{
    struct buf b;
    *l = (struct leaflog){.fd = -1};
    *torn = false;
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    if (size <= 0)
        return size < 0 ? RC_IO : RC_OK;
    size_t want = size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
    buf_init(&b, TAIL_BYTES);
    enum rc rc = buf_reserve(&b, want);
    ssize_t n = rc == RC_OK ? pread(fd, b.p, want, size - (off_t)want) : -1;
    if (rc == RC_OK)
        rc = n == (ssize_t)want ? last_line(l, span_of(b.p, want), torn) : RC_IO;
    buf_fini(&b);
    return rc;
}

/* Texts of addresses need a place of their own. */
static void name_texts(const struct mint_request *req, struct leaflog_entry *e, char ip[][ADDR_TEXT])
{
    for (size_t i = 0; i < req->n_sans; i++) {
        const struct san *s = &req->sans[i];
        struct addr a = {.family = s->value.n == 4 ? 4 : 6};
        e->names[i] = s->value;
        if (s->kind != SAN_IP)
            continue;
        memcpy(a.b, s->value.p, s->value.n);
        e->names[i] = span_str(addr_text(&a, ip[i]));
    }
    e->n_names = req->n_sans;
}

enum rc leaflog_append(struct leaflog *l, const struct mint_request *req, span der,
                       const struct leaflog_who *who)
{
    char ip[LIM_LEAF_NAMES][ADDR_TEXT];
    struct leaflog_entry e;
    struct leaf_parts p;
    if (l->fd < 0 || !leaf_parts_read(der, &p) || p.serial.n > LEAFLOG_SERIAL_MAX)
        return RC_BUG;
    TRY(write_rest(l));
    e = (struct leaflog_entry){.n = l->n + 1,
                               .time_s = who->now_s,
                               .not_before = p.from,
                               .not_after = p.to,
                               .serial_n = (uint8_t)p.serial.n,
                               .worker = who->worker};
    memcpy(e.serial, p.serial.p, p.serial.n);
    memcpy(e.prev, l->prev, SHA256_BYTES);
    memcpy(e.ca, who->ca, LEAFLOG_CA);
    name_texts(req, &e, ip);
    TRY(sha256(&der, 1, e.sha256));
    TRY(leaflog_emit(&e, &l->rest));
    span line = buf_span(&l->rest);
    uint8_t hash[SHA256_BYTES];
    enum rc rc = sha256(&line, 1, hash);
    if (rc == RC_OK)
        rc = buf_put_u8(&l->rest, '\n');
    if (rc != RC_OK) {
        buf_clear(&l->rest);
        return rc;
    }
    l->n++; /* also when only its beginning is on the disk: the end follows before anything else */
    memcpy(l->prev, hash, SHA256_BYTES);
    return write_rest(l);
}
