/* Languages and texts; see text.h. Both headers are read by one walk over "value;q=0.5, value". Only so many
 * elements are looked at: a browser sends a handful. */
#include "gw/portal/text.h"

#include "gw/base/obj.h"

enum { LIST_ELEMENTS = 64, Q_ONE = 1000 };

static const char *const texts[TEXT_N][LANG_N] = {
#define T(id, fr, nl, de, en) {fr, nl, de, en},
#include "gw/portal/page.tbl"
#undef T
};

static const struct {
    const char *name, *text[LANG_N];
} causes[] = {
#define X(name, fr, nl, de, en) {name, {fr, nl, de, en}},
#define N(name)                 {name, {"", "", "", ""}},
#include "gw/portal/cause.tbl"
#undef X
#undef N
};

static const char tags[LANG_N][3] = {"fr", "nl", "de", "en"};

const char *lang_tag(enum page_lang l)
{
    return tags[l];
}

const char *text_of(enum page_text t, enum page_lang l)
{
    return texts[t][l];
}

const char *text_cause(span name, enum page_lang l)
{
    for (size_t i = 0; i < N_ELEMS(causes); i++) {
        if (span_eq(span_str(causes[i].name), name))
            return causes[i].text[l];
    }
    return NULL;
}

/* RFC 9110 section 12.4.2: "0", "0.5", "1.000" in thousandths; SIZE_MAX when it is none. */
static size_t qvalue(span s)
{
    if (s.n == 0 || s.n > 5 || s.p[0] < '0' || s.p[0] > '1' || (s.n > 1 && s.p[1] != '.'))
        return SIZE_MAX;
    size_t q = (size_t)(s.p[0] - '0') * Q_ONE, unit = Q_ONE / 10;
    for (size_t i = 2; i < s.n; i++, unit /= 10) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return SIZE_MAX;
        q += (size_t)(s.p[i] - '0') * unit;
    }
    return q <= Q_ONE ? q : SIZE_MAX;
}

/* Splits "value; a=b; q=0.5"; false when the quality is malformed: then the element does not count. */
static bool split_element(span e, span *value, size_t *q)
{
    size_t at = span_find(e, ';', 0);
    *value = span_trim(span_cut(e, 0, at));
    *q = Q_ONE;
    while (at != SIZE_MAX) {
        size_t next = span_find(e, ';', at + 1);
        span p = span_trim(span_cut(e, at + 1, next));
        if (p.n >= 2 && ascii_lower(p.p[0]) == 'q' && p.p[1] == '=')
            *q = qvalue(span_cut(p, 2, p.n));
        at = next;
    }
    return *q != SIZE_MAX && value->n > 0;
}

/* Calls see(value, q) for each element. */
static void each_element(span list, void (*see)(void *arg, span value, size_t q), void *arg)
{
    size_t at = 0;
    for (int i = 0; i < LIST_ELEMENTS && at < list.n; i++) {
        size_t comma = span_find(list, ',', at);
        span value;
        size_t q;
        if (split_element(span_cut(list, at, comma), &value, &q))
            see(arg, value, q);
        if (comma == SIZE_MAX)
            return;
        at = comma + 1;
    }
}

struct wishes {
    size_t q[LANG_N], order[LANG_N]; /* quality and place of the first mention */
    size_t n, any;                   /* elements so far; quality of "*" */
    bool named[LANG_N];
};

/* "fr-BE" asks for French (RFC 4647 section 3.4: the primary subtag is what is left of it). */
static void see_language(void *arg, span value, size_t q)
{
    struct wishes *w = arg;
    span primary = span_cut(value, 0, span_find(value, '-', 0));
    w->n++;
    if (span_eq(value, SPAN("*")))
        w->any = q;
    for (size_t l = 0; l < LANG_N; l++) {
        if (!span_ieq(primary, span_str(tags[l])))
            continue;
        if (!w->named[l] || q > w->q[l]) {
            w->q[l] = q;
            w->order[l] = w->n;
        }
        w->named[l] = true;
    }
}

enum page_lang lang_choose(span accept_language)
{
    struct wishes w = {0};
    size_t best = LANG_N;
    each_element(accept_language, see_language, &w);
    for (size_t l = 0; l < LANG_N; l++) {
        if (!w.named[l]) {
            w.q[l] = w.any;
            w.order[l] = SIZE_MAX;
        }
        if (w.q[l] > 0 &&
            (best == LANG_N || w.q[l] > w.q[best] || (w.q[l] == w.q[best] && w.order[l] < w.order[best])))
            best = l;
    }
    return best == LANG_N ? LANG_FR : (enum page_lang)best;
}

static void see_type(void *arg, span value, size_t q)
{
    bool *html = arg;
    if (q > 0 && (span_ieq(value, SPAN("text/html")) || span_ieq(value, SPAN("application/xhtml+xml")) ||
                  span_ieq(value, SPAN("text/*"))))
        *html = true;
}

bool accepts_html(span accept)
{
    bool html = false;
    each_element(accept, see_type, &html);
    return html;
}
