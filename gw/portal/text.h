/* The languages of the pages: which one the client wants (RFC 9110 section 12.5.4), and the texts (page.tbl,
 * cause.tbl). Also whether it wants HTML at all (section 12.5.1). Pure. */
#ifndef GW_PORTAL_TEXT_H
#define GW_PORTAL_TEXT_H

#include "gw/base/buf.h"

enum page_lang { LANG_FR, LANG_NL, LANG_DE, LANG_EN, LANG_N };
enum page_text {
#define T(id, fr, nl, de, en) TEXT_##id,
#include "gw/portal/page.tbl"
#undef T
    TEXT_N
};

/* Of the four, the one with the highest quality, the first among equals; French where none is wanted. */
enum page_lang lang_choose(span accept_language);
/* "fr" */
const char *lang_tag(enum page_lang l);
/* Does the client name HTML? A program's "*" "/" "*" alone does not. */
bool accepts_html(span accept);
const char *text_of(enum page_text t, enum page_lang l);
/* Sentence for a cause by its name; "" where the page says it already; NULL when there is none of that name.
 */
const char *text_cause(span name, enum page_lang l);

#endif
