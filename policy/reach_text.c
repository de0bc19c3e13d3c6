/* An example flow in one line; see reach.h. */
#include <stdio.h>
#include <time.h>

#include "gw/base/obj.h"
#include "policy/image.h"
#include "policy/reach.h"
#include "policy/words.h"

static enum rc put_client(const struct snapshot *snap, const struct facts *f, struct buf *b)
{
    char text[ADDR_TEXT];
    TRY(buf_printf(b, "from %s", addr_text(&f->src, text)));
    const struct set_zone *z = f->zone == ZONE_NONE ? NULL : snapshot_zone(snap, f->zone);
    if (z)
        TRY(buf_printf(b, " (%.*s)", (int)z->name.n, (const char *)z->name.p));
    if (f->user.n)
        TRY(buf_printf(b, " user \"%.*s\"", (int)f->user.n, (const char *)f->user.p));
    for (unsigned i = 0; i < f->n_attrs; i++)
        TRY(buf_printf(b, " %.*s", (int)f->attrs[i].n, (const char *)f->attrs[i].p));
    return f->user.n && f->id_age_s ? buf_printf(b, " known for %us", f->id_age_s) : RC_OK;
}

static enum rc put_target(const struct snapshot *snap, const struct facts *f, struct buf *b)
{
    char text[ADDR_TEXT];
    const char *proto = f->proto == 17 ? "udp" : f->proto == 6 || f->proto == 0 ? "tcp" : "icmp";
    if (f->name.n)
        TRY(buf_printf(b, " to %.*s", (int)f->name.n, (const char *)f->name.p));
    if (f->known & FACT_BIT(DST))
        TRY(buf_printf(b, f->name.n ? " (%s)" : " to %s", addr_text(&f->dst, text)));
    TRY(f->dst_port ? buf_printf(b, " %s %u", proto, f->dst_port) : buf_printf(b, " %s", proto));
    for (unsigned i = 0; i < f->n_cats; i++) {
        span name = snapshot_category_name(snap, f->cats[i]);
        TRY(buf_printf(b, "%s%.*s", i ? ", " : " category ", (int)name.n, (const char *)name.p));
    }
    return f->known & FACT_BIT(APP)
               ? buf_printf(b, " application %.*s", (int)f->app.n, (const char *)f->app.p)
               : RC_OK;
}

static enum rc put_request(const struct facts *f, struct buf *b)
{
    for (unsigned i = 0; (f->known & FACT_BIT(DEFECTS)) && i < 32; i++) {
        span word = f->defects >> i & 1 ? defect_word(i) : SPAN_NONE;
        if (word.n)
            TRY(buf_printf(b, " certificate %.*s", (int)word.n, (const char *)word.p));
    }
    if (f->known & FACT_BIT(METHOD))
        TRY(buf_printf(b, " %.*s %.*s%s", (int)f->method.n, (const char *)f->method.p, (int)f->path.n,
                       (const char *)f->path.p, f->upload ? " upload" : ""));
    if (f->step != STEP_CONTENT)
        return RC_OK;
    TRY(buf_printf(b, " type %.*s", (int)f->type.n, (const char *)f->type.p));
    if (f->severity)
        TRY(buf_printf(b, " signature severity %u", f->severity));
    if (f->virus.n)
        TRY(buf_put_str(b, " virus"));
    for (unsigned i = 0; i < f->n_patterns; i++)
        TRY(buf_printf(b, " pattern %.*s", (int)f->patterns[i].n, (const char *)f->patterns[i].p));
    return RC_OK;
}

enum rc reach_example(const struct snapshot *snap, const struct facts *f, struct buf *b)
{
    char text[32] = "";
    time_t t = (time_t)f->time_s;
    struct tm tm;
    TRY(put_client(snap, f, b));
    TRY(put_target(snap, f, b));
    TRY(put_request(f, b));
    if (gmtime_r(&t, &tm))
        strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    return buf_printf(b, " at %s", text);
}
