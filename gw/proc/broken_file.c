/* Exemptions of broken places as a file; see broken_file.h. A line "perron broken 2", then "SINCE UNTIL JA4
 * NAME" each (UTC seconds), then "end N DIGEST": SHA-256, in hex, of the bytes before that line. A bit that
 * has tipped over in a name or an end would be an exemption like any other. */
#include "gw/proc/broken_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "gw/base/obj.h"
#include "gw/base/sha256.h"
#include "gw/proc/kept_file.h"

enum { LINE_MOST = LIM_NAME_BYTES + BROKEN_JA4 + 64, FILE_MOST = (LIM_BROKEN_EXEMPT + 2) * LINE_MOST };
static const char file_name[] = "broken", first_line[] = "perron broken 2\n";

/* ---- the last line ---- */

enum { LAST_LINE = 32 + 2 * SHA256_BYTES };

static enum rc last_line(span before, size_t n, char out[LAST_LINE])
{
    uint8_t digest[SHA256_BYTES];
    TRY(sha256(&before, 1, digest));
    int at = snprintf(out, LAST_LINE, "end %zu ", n);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        at += snprintf(out + at, LAST_LINE - (size_t)at, "%02x", digest[i]);
    snprintf(out + at, LAST_LINE - (size_t)at, "\n");
    return RC_OK;
}

/* ---- writing ---- */

enum rc broken_file_write(int state_dir, const struct broken *b, int64_t now_s)
{
    struct broken_exemption x;
    struct buf out = {0};
    char last[LAST_LINE];
    size_t n = 0;
    enum rc rc = buf_put_str(&out, first_line);
    for (size_t it = 0; rc == RC_OK && broken_next(b, &it, now_s, &x); n++)
        rc = buf_printf(&out, "%lld %lld %s %s\n", (long long)x.since_s, (long long)x.until_s, x.ja4, x.name);
    if (rc == RC_OK)
        rc = last_line(buf_span(&out), n, last);
    if (rc == RC_OK)
        rc = buf_put_str(&out, last);
    if (rc == RC_OK)
        rc = kept_file_write(state_dir, file_name, buf_span(&out));
    buf_fini(&out);
    return rc;
}

/* ---- reading ---- */

/* The bytes up to `end`, which is taken too; false: there is none. */
static bool next_word(span *at, uint8_t end, span *out)
{
    size_t n = span_find(*at, end, 0);
    if (n == SIZE_MAX)
        return false;
    *out = span_cut(*at, 0, n);
    *at = span_cut(*at, n + 1, at->n);
    return true;
}

static bool next_text(span *at, uint8_t end, char *out, size_t room)
{
    span s;
    if (!next_word(at, end, &s) || s.n >= room)
        return false;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

static bool next_number(span *at, uint8_t end, int64_t *out)
{
    span s;
    uint64_t n;
    if (!next_word(at, end, &s) || !span_to_u64(s, INT64_MAX, &n))
        return false;
    *out = (int64_t)n;
    return true;
}

static bool read_line(span *at, struct broken_exemption *x)
{
    *x = (struct broken_exemption){0};
    return next_number(at, ' ', &x->since_s) && next_number(at, ' ', &x->until_s) &&
           next_text(at, ' ', x->ja4, sizeof x->ja4) && next_text(at, '\n', x->name, sizeof x->name);
}

/* BAD: it is not whole, as we write it. Its lines are then read a second time. */
static enum rc is_whole(span all)
{
    struct broken_exemption x;
    char last[LAST_LINE];
    span at = all;
    size_t n = 0;
    if (!span_has_prefix(at, span_str(first_line)))
        return RC_BAD;
    for (at = span_cut(at, sizeof first_line - 1, at.n); !span_has_prefix(at, SPAN("end ")); n++) {
        if (n == LIM_BROKEN_EXEMPT || !read_line(&at, &x))
            return RC_BAD;
    }
    TRY(last_line(span_cut(all, 0, all.n - at.n), n, last));
    return span_eq(at, span_str(last)) ? RC_OK : RC_BAD;
}

static void take(span at, struct broken *b, int64_t now_s)
{
    struct broken_exemption x;
    at = span_cut(at, sizeof first_line - 1, at.n);
    while (!span_has_prefix(at, SPAN("end ")) && read_line(&at, &x))
        (void)!broken_exempt(b, &x, now_s); /* over, or of a clock that was set back since */
}

static enum rc put_aside(int state_dir, struct buf *err)
{
    if (renameat(state_dir, file_name, state_dir, "broken.damaged") < 0)
        return RC_IO;
    return buf_printf(err, "the exemptions of `on broken` were damaged, or of another version: the file is "
                           "now `broken.damaged`, and none of them counts\n") == RC_OK
               ? RC_CONFIG
               : RC_NOMEM;
}

enum rc broken_file_read(int state_dir, struct broken *b, int64_t now_s, struct buf *err)
{
    size_t n = 0;
    AUTO_FREE uint8_t *bytes = malloc(FILE_MOST);
    if (!bytes)
        return RC_NOMEM;
    enum rc rc = kept_file_read(state_dir, file_name, bytes, FILE_MOST, &n);
    if (rc == RC_NOTFOUND)
        return RC_OK;
    if (rc == RC_OK)
        rc = is_whole(span_of(bytes, n));
    if (rc == RC_LIMIT || rc == RC_BAD)
        return put_aside(state_dir, err);
    TRY(rc);
    take(span_of(bytes, n), b, now_s);
    return RC_OK;
}
