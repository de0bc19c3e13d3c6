/* Whatever a client's headers and a stranger's address hold, a page or a line comes out whose head says its
 * length, and in which no byte of theirs is mark-up. Input: kind, then texts with their lengths (u16):
 * Accept-Language, Accept, host, path, rule, cause, mail, telephone, where a click leads back to. */
#include <stdio.h>

#include "gw/base/obj.h"
#include "gw/portal/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(span s, size_t n[2])
{
    n[0] = n[1] = 0;
    for (size_t i = 0; i < s.n; i++) {
        n[0] += s.p[i] == '<';
        n[1] += s.p[i] == '>';
        gw_assert(s.p[i] >= 0x20 || s.p[i] == '\n' || s.p[i] == '\r');
    }
}

/* "<" and ">" of the whole answer; is it HTML? */
static bool markup(const struct page *p, size_t n[2])
{
    struct buf out = {0};
    gw_assert(page_render(&out, p) == RC_OK);
    span s = buf_span(&out);
    const uint8_t *end = memmem(s.p, s.n, "\r\n\r\n", 4);
    gw_assert(end != NULL);
    char want[64];
    size_t body = s.n - (size_t)(end - s.p) - 4;
    snprintf(want, sizeof want, "\r\nContent-Length: %zu\r\n", body);
    gw_assert(memmem(s.p, (size_t)(end - s.p), want, strlen(want)) != NULL);
    gw_assert(body < 65536);
    count(s, n);
    bool html = memmem(s.p, (size_t)(end - s.p), "text/html", 9) != NULL;
    buf_fini(&out);
    return html;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(span_of(data, size));
    struct page p = {.kind = (enum page_kind)(rd_u8(&r) % PAGE_KINDS), .status = 403, .code = "A7K-2Q9F-XM4"};
    size_t theirs[2], ours[2];
    p.accept_language = rd_vec16(&r);
    p.accept = rd_vec16(&r);
    p.click_token = SPAN("token");
    p.click_minutes = 15;
    span *text[] = {&p.host, &p.path, &p.rule, &p.what, &p.mail, &p.telephone, &p.click_to};
    for (size_t i = 0; i < N_ELEMS(text); i++)
        *text[i] = rd_vec16(&r);
    if (p.what.n == 0 || p.host.n == 0)
        return 0;
    p.accept = r.s.n % 2 ? p.accept : SPAN("text/html");
    bool html = markup(&p, theirs);
    for (size_t i = 0; i < N_ELEMS(text); i++) {
        if (text[i]->n && text[i] != &p.what) /* the cause may have a sentence of ours, or an empty one */
            *text[i] = SPAN("x");
    }
    markup(&p, ours);
    if (html) /* a plain line may hold "<": it is plain */
        gw_assert(theirs[0] == ours[0] && theirs[1] == ours[1]);
    return 0;
}
